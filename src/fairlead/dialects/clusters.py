"""What a dialect promises a cluster: from a manifest to its layout there, and from the objects that the cluster has
back to the manifest's own status, in the words and with the names that the dialect's own operator used. All is pure.

The world that these functions read has what a cluster stores: the dialect's own kinds, ConfigMaps, ServiceAccounts, and
Secrets without their values (`data` has every key, with nothing under it) so that names can be resolved and nothing can
leak.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fairlead.dialects.base import ALONE, Document, Happened, Kind, World
from fairlead.dialects.catalog import Catalog
from fairlead.errors import FairleadError
from fairlead.plan.layout import Layout, Routing

DEFAULT_IMAGE = "fairlead/fairlead"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """What an installation decided. `values` are its merged chart values, by the names of the upstream charts; each
    dialect reads its own. `namespace` is the operator's. `image` runs every duty of ours; `runtime_images` replace it
    for a runtime (`sklearn`), so that a smaller one can be had."""

    image: str = f"{DEFAULT_IMAGE}:latest"
    runtime_images: Mapping[str, str] = field(default_factory=dict)
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    namespace: str = "fairlead-system"
    cluster_domain: str = "cluster.local"
    routing: Routing = Routing.GATEWAY_API
    has_knative: bool = False
    has_keda: bool = False
    has_own_gateway: bool = False
    """Whether our own gateway stands in for Knative: scale to zero, revisions and shares without it."""
    values: Mapping[str, Any] = field(default_factory=dict)

    def image_of(self, runtime: str) -> str:
        """The image of ours that has this runtime."""
        return self.runtime_images.get(runtime, self.image)

    def value(self, path: str, default: Any = None) -> Any:
        """What a chart value says (`istio.gateway`); the default where the installation's values do not have it."""
        found: Any = self.values
        for name in path.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        return default if found is None else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a cluster has of a layout now: its objects by (kind, name), as the API gives them, and the pods of its
    workloads, newest first."""

    objects: Mapping[tuple[str, str], Document] = field(default_factory=dict)
    pods: Sequence[Document] = ()

    def get(self, kind: str, name: str) -> Document | None:
        """One of its objects."""
        return self.objects.get((kind, name))


class ClusterDialect(Protocol):
    """The part of a `Dialect` that a cluster needs; the same classes have both."""

    kinds: tuple[Kind, ...]

    def lay_out(self, doc: Document, *, settings: ClusterSettings, catalog: Catalog, world: World = ALONE) -> Layout:
        """The layout of a valid document. Its `status` may be read for what was decided before. Raises
        `InvalidManifest` with every problem."""
        ...

    def cluster_status(
        self,
        doc: Document,
        layout: Layout,
        observed: Observed,
        *,
        settings: ClusterSettings,
        now: str,
        world: World = ALONE,
    ) -> dict[str, Any]:
        """The document's new `status`; an unchanged condition keeps its transition time, equal inputs give equal
        output."""
        ...

    def cluster_failed_status(
        self, doc: Document, error: FairleadError, *, now: str, world: World = ALONE
    ) -> dict[str, Any]:
        """The status of a document that cannot be laid out, or whose objects were refused."""
        ...

    def events(self, doc: Document, status: Mapping[str, Any]) -> Sequence[Happened]:
        """What the change from the document's status to this one is worth telling."""
        ...
