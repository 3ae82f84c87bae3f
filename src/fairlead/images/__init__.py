"""OCI images of models, classes and bentos, made by a builder that is already here and pushed to a registry."""
