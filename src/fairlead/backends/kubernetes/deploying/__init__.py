"""Where the registry's deployments run when that is a cluster."""

from fairlead.backends.kubernetes.deploying.place import ClusterPlace

__all__ = ["ClusterPlace"]
