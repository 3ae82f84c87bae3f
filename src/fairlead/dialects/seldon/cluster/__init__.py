"""How a SeldonDeployment lies in a cluster: the objects that Seldon Core's operator would make, with their names,
labels and contents, as a layout; and the deployment's status from what a cluster has of it."""

from fairlead.dialects.seldon.cluster.installation import catalog_of
from fairlead.dialects.seldon.cluster.layout import lay_out
from fairlead.dialects.seldon.cluster.status import cluster_status

__all__ = ["catalog_of", "cluster_status", "lay_out"]
