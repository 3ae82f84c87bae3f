"""Models in container registries: images with a /models folder, and OCI artifacts whose layers are the files."""
