"""A BentoDeployment in a cluster."""
