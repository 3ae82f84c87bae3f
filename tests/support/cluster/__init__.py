"""A double of a Kubernetes API server."""

from support.cluster.cluster import Cluster, running_cluster
from support.cluster.controllers import Fate
from support.cluster.faults import Fault
from support.cluster.refusals import Refusal

__all__ = ["Cluster", "Fate", "Fault", "Refusal", "running_cluster"]
