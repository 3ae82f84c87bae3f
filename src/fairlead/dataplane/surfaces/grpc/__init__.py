"""The gRPC services of a worker. Nothing here is imported before the first call arrives."""
