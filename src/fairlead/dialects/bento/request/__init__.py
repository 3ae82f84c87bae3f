"""BentoRequests: bentos to be fetched, and images to be made of them."""
