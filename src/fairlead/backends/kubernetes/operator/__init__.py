"""Makes the manifests of a cluster true: triggered by kopf, through lightkube, with a queue and pure functions
between."""

from lightkube.config.kubeconfig import SingleConfig as ClusterConfig

from fairlead.backends.kubernetes.operator.connecting import find_config
from fairlead.backends.kubernetes.operator.followed import Followed
from fairlead.backends.kubernetes.operator.operating import Operator, Options

__all__ = ["ClusterConfig", "Followed", "Operator", "Options", "find_config"]
