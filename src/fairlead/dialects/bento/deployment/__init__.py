"""BentoDeployments: bentos that run."""
