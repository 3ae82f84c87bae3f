"""The dialect's seam to the rest: every call goes to the part whose kind the document is of."""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.dialects.base import ALONE, Document, Happened, Kind, World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings, Observed
from fairlead.dialects.given import GivenWorld
from fairlead.dialects.kserve import config
from fairlead.dialects.kserve.caches.part import (
    LocalModelCachePart,
    LocalModelNamespaceCachePart,
    LocalModelNodeGroupPart,
    LocalModelNodePart,
)
from fairlead.dialects.kserve.cluster_seeds import cluster_seeds
from fairlead.dialects.kserve.cluster_settings import cluster_world
from fairlead.dialects.kserve.furnished import FurnishedWorld, check_settings
from fairlead.dialects.kserve.graph.part import InferenceGraphPart
from fairlead.dialects.kserve.inference_service.part import InferenceServicePart
from fairlead.dialects.kserve.inference_service.revision_part import RevisionPart
from fairlead.dialects.kserve.llm.part import LlmConfigPart, LlmServicePart
from fairlead.dialects.kserve.part import Part
from fairlead.dialects.kserve.serving_runtime.part import ClusterServingRuntimePart, ServingRuntimePart
from fairlead.dialects.kserve.site import site_of
from fairlead.dialects.kserve.storage_container.part import StorageContainerPart
from fairlead.dialects.kserve.trained_model.part import TrainedModelPart
from fairlead.dialects.openapi import pruned
from fairlead.errors import FairleadError, InvalidManifest, Problem, Where
from fairlead.plan.layout import Layout
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus

SHARED = frozenset({"kserve", "knative-serving"})
"""The namespaces whose ConfigMaps hold for all others."""


class KServeDialect:
    """The resources of `serving.kserve.io`. `external_url` is where a gateway can be reached
    (`http://localhost:8080`), for the URLs of statuses; `domain` is what the host names of services end in, where the
    seeded settings do not say otherwise. In a cluster `settings` say both."""

    def __init__(
        self, external_url: str = "", *, domain: str = "localhost", settings: ClusterSettings | None = None
    ) -> None:
        self._cluster = settings
        self._parts = {part.kind.kind: part for part in parts(external_url)}
        self._domain = domain
        self._shipped = GivenWorld(config.seeds(domain))
        self.kinds: tuple[Kind, ...] = tuple(part.kind for part in self._parts.values())

    def seeds(self) -> Sequence[Document]:
        """The runtimes and settings of an installation."""
        if self._cluster is not None:
            return cluster_seeds(self._cluster)
        runtimes = [document for part in self._parts.values() for document in part.seeds()]
        return [*runtimes, *config.seeds(self._domain)]

    def default(self, doc: Document, *, world: World = ALONE) -> dict[str, Any]:
        """The document with its defaults."""
        return self._part(doc).default(doc, self._furnished(world))

    def records(self, doc: Document, *, catalog: Catalog, world: World = ALONE) -> Sequence[Document]:
        """What is stored beside it."""
        return self._part(doc).records(doc, catalog, self._furnished(world))

    def prune(self, doc: Document) -> dict[str, Any]:
        """The document with what its schema does not know removed."""
        return pruned(doc, self._part(doc).schema())

    def validate(self, doc: Document, *, catalog: Catalog, old: Document | None = None, world: World = ALONE) -> None:
        """Raise `InvalidManifest` with every problem."""
        self._part(doc).validate(doc, old, catalog, self._furnished(world))

    def lower(self, doc: Document, *, catalog: Catalog, world: World = ALONE) -> Plan:
        """The plan of a valid document."""
        return self._part(doc).lower(doc, catalog, self._furnished(world))

    def status(
        self, doc: Document, plan: Plan, observed: PlanStatus, *, now: str, world: World = ALONE
    ) -> dict[str, Any]:
        """The document's new status."""
        return self._part(doc).status(doc, plan, observed, now, self._furnished(world))

    def failed_status(self, doc: Document, error: FairleadError, *, now: str, world: World = ALONE) -> dict[str, Any]:
        """The status of a document that cannot be lowered."""
        return self._part(doc).failed_status(doc, error, now, self._furnished(world))

    def derived_status(self, doc: Document, *, now: str, world: World = ALONE) -> dict[str, Any] | None:
        """The status of a document without a plan."""
        return self._part(doc).derived_status(doc, now, self._furnished(world))

    def lay_out(self, doc: Document, *, settings: ClusterSettings, catalog: Catalog, world: World = ALONE) -> Layout:
        """How a valid document lies in a cluster."""
        return self._part(doc).lay_out(doc, site_of(settings, world, catalog))

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
        """The document's new status, of the objects that the cluster has."""
        return self._part(doc).cluster_status(doc, layout, observed, now, site_of(settings, world))

    def cluster_failed_status(
        self, doc: Document, error: FairleadError, *, now: str, world: World = ALONE
    ) -> dict[str, Any]:
        """The status of a document that cannot be laid out, or whose objects were refused."""
        return self._part(doc).cluster_failed_status(doc, error, now, self._furnished(world))

    def events(self, doc: Document, status: Mapping[str, Any]) -> Sequence[Happened]:
        """What a change of status is worth telling."""
        return self._part(doc).events(doc, status)

    def open_api(self, kind: Kind) -> dict[str, Any]:
        """The structural OpenAPI v3 schema of a kind."""
        return self._parts[kind.kind].schema()

    def check_settings(self, doc: Document) -> None:
        """Raise `InvalidManifest` for a ConfigMap of settings that cannot be read."""
        check_settings(doc)

    def _furnished(self, world: World) -> World:
        if self._cluster is not None:
            return cluster_world(world, self._cluster)
        return FurnishedWorld(world, self._shipped)

    def _part(self, doc: Document) -> Part:
        kind = doc.get("kind")
        part = self._parts.get(kind) if isinstance(kind, str) else None
        if part is None:
            accepted = ", ".join(self._parts)
            message = f"{kind!r} is not a kind of this dialect; it has {accepted}"
            raise InvalidManifest([Problem(where=Where(path="kind"), field="kind", message=message)])
        return part


def parts(external_url: str) -> tuple[Part, ...]:
    """Every kind, in the order that a listing shows them."""
    return (
        InferenceServicePart(external_url),
        RevisionPart(),
        ServingRuntimePart(),
        ClusterServingRuntimePart(),
        InferenceGraphPart(external_url),
        TrainedModelPart(),
        LlmServicePart(external_url),
        LlmConfigPart(),
        StorageContainerPart(),
        LocalModelCachePart(),
        LocalModelNamespaceCachePart(),
        LocalModelNodeGroupPart(),
        LocalModelNodePart(),
    )
