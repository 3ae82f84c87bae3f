"""The HTTP API that BentoML's clients, dashboards and programs speak to a registry."""
