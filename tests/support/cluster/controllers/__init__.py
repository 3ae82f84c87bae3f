"""What lives in a cluster beside its API server, as far as an operator sees it."""

from support.cluster.controllers.autoscaling import Autoscalers
from support.cluster.controllers.base import Controller
from support.cluster.controllers.deployments import Deployments, ReplicaSets
from support.cluster.controllers.jobs import Jobs
from support.cluster.controllers.knative import KnativeServices
from support.cluster.controllers.pods import Fate, Pods
from support.cluster.controllers.routes import Ingresses, Routes

__all__ = [
    "Autoscalers",
    "Controller",
    "Deployments",
    "Fate",
    "Ingresses",
    "Jobs",
    "KnativeServices",
    "Pods",
    "ReplicaSets",
    "Routes",
]
