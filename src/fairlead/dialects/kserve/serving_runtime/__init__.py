"""ServingRuntimes and ClusterServingRuntimes of `serving.kserve.io`."""
