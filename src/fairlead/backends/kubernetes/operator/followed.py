"""Which kinds are reconciled, who understands them, and what the upstream operator of a kind did in its own way.

The command that starts the operator says all of it; nothing in this package knows a dialect.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from fairlead.backends.kubernetes.operator.resources import ResourceType
from fairlead.dialects.base import Dialect, Document, Kind
from fairlead.dialects.clusters import ClusterDialect


class OperatorDialect(Dialect, ClusterDialect, Protocol):
    """Both sides of a dialect: what a manifest means, and how it lies in a cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """`source` is the component that Events name. With `tells_objects` there is an Event for every object written or
    deleted. `reads_pods` is for kinds whose status tells of single pods. `controller_label` divides objects and
    namespaces among operators. `left_finalizers` are those that the upstream operator put on objects and that nobody
    would take off."""

    kind: Kind
    dialect: OperatorDialect
    source: str = "fairlead"
    tells_objects: bool = False
    reads_pods: bool = False
    reads_ready_pods: bool = True
    """Whether that is so of workloads that are ready, too."""
    is_laid_out_by_status: bool = False
    """Whether what it has in the cluster follows from its status too: a new one is followed up at once."""
    controller_label: str = ""
    left_finalizers: frozenset[str] = frozenset()

    @property
    def type(self) -> ResourceType:
        """The kind as a resource of the API."""
        kind = self.kind
        return ResourceType(
            group=kind.group,
            versions=kind.versions,
            kind=kind.kind,
            plural=kind.plural,
            is_namespaced=kind.is_namespaced,
        )

    def is_for(self, doc: Document, controller_id: str, namespace_labels: Mapping[str, str]) -> bool:
        """Whether an object is for this operator: its label names us, and its namespace nobody. `namespace_labels` are
        empty for an operator that was given its namespaces."""
        if not self.controller_label:
            return True
        label = (doc["metadata"].get("labels") or {}).get(self.controller_label, "")
        return label == controller_id and not namespace_labels.get(self.controller_label)
