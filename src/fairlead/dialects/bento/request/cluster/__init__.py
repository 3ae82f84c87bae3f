"""A BentoRequest in a cluster: a Job that makes its image."""
