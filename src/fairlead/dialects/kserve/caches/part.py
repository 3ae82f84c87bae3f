"""The kinds of the local model cache: caches of all namespaces and of one, and the two that only say something of
nodes. Those are stored; there is one node here."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from fairlead.dialects.base import Column, Document, Happened, Kind, World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import Observed
from fairlead.dialects.kserve.caches import status as telling
from fairlead.dialects.kserve.caches.cluster import cluster_status, lay_out
from fairlead.dialects.kserve.caches.lower import lower
from fairlead.dialects.kserve.caches.schema import (
    CACHE,
    GROUP,
    NAMESPACE_CACHE,
    NODE,
    NODE_GROUP,
    VERSION,
    LocalModelCache,
    LocalModelCacheSpec,
    Node,
    NodeGroup,
    NodeGroupSpec,
    NodeSpec,
)
from fairlead.dialects.kserve.config import read_config
from fairlead.dialects.kserve.inference_service.schema import KIND as INFERENCE_SERVICE
from fairlead.dialects.kserve.part import Part
from fairlead.dialects.kserve.problems import problem, refuse
from fairlead.dialects.kserve.site import Site
from fairlead.dialects.openapi import PRESERVE, conditions_schema, resource_schema
from fairlead.dialects.reading import Identity, read_as
from fairlead.errors import FairleadError
from fairlead.plan.layout import Layout
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus

_AGE = Column(name="Age", type="date", path=".metadata.creationTimestamp", description="Time since it was created")
_OPEN = {"type": "object", PRESERVE: True}


class LocalModelCachePart(Part):
    """Caches of all namespaces."""

    kind = Kind(
        group=GROUP,
        versions=(VERSION,),
        kind=CACHE,
        plural="localmodelcaches",
        singular="localmodelcache",
        is_namespaced=False,
        reads=("ConfigMap", INFERENCE_SERVICE),
        webhook="localmodelcache.kserve-webhook-server.validator",
        is_refused_plainly=True,
        columns=(_AGE,),
    )

    def schema(self) -> dict[str, Any]:
        """The structural OpenAPI v3 schema."""
        return _cache_schema()

    def validate(self, doc: Document, old: Document | None, catalog: Catalog, world: World) -> None:  # noqa: ARG002
        """Raise `InvalidManifest`, in the validating webhook's texts."""
        new = self._read(doc)
        if old is not None and self._read(old).spec.source_model_uri != new.spec.source_model_uri:
            refuse([problem("spec.sourceModelUri", "StorageUri is immutable")])

    def lower(self, doc: Document, catalog: Catalog, world: World) -> Plan:  # noqa: ARG002 - no images here
        """Its plan."""
        return lower(self._read(doc), read_config(world))

    def status(self, doc: Document, plan: Plan, observed: PlanStatus, now: str, world: World) -> dict[str, Any]:  # noqa: ARG002
        """Its status, of its model's."""
        return telling.status_of(doc, observed, world, now)

    def failed_status(self, doc: Document, error: FairleadError, now: str, world: World) -> dict[str, Any]:
        """Its status when nothing fetches its model."""
        return telling.failed(doc, error.reason, str(error), world, now)

    def lay_out(self, doc: Document, site: Site) -> Layout:  # noqa: ARG002 - there is nothing to lay out anywhere
        """Nothing, in a cluster."""
        return lay_out(doc)

    def cluster_status(self, doc: Document, layout: Layout, observed: Observed, now: str, site: Site) -> dict[str, Any]:  # noqa: ARG002
        """What KServe's own controllers of caches tell, or that there are none."""
        return cluster_status(doc, site.config, now=now)

    def cluster_failed_status(self, doc: Document, error: FairleadError, now: str, world: World) -> dict[str, Any]:  # noqa: ARG002
        """The same: there is nothing that could fail."""
        return dict(doc.get("status") or {})

    def events(self, doc: Document, status: Mapping[str, Any]) -> Sequence[Happened]:
        """That the model is here."""
        if telling.is_ready(status) and not telling.is_ready(doc.get("status") or {}):
            uri = doc["spec"]["sourceModelUri"]
            return (Happened(reason="ModelDownloaded", message=f"The model at {uri} is here"),)
        return ()

    def _read(self, doc: Document) -> LocalModelCache:
        return read_as(LocalModelCache, doc, Identity(GROUP, (VERSION,), self.kind.kind))


class LocalModelNamespaceCachePart(LocalModelCachePart):
    """Caches of one namespace."""

    kind = Kind(
        group=GROUP,
        versions=(VERSION,),
        kind=NAMESPACE_CACHE,
        plural="localmodelnamespacecaches",
        singular="localmodelnamespacecache",
        reads=("ConfigMap", INFERENCE_SERVICE),
        webhook="localmodelnamespacecache.kserve-webhook-server.validator",
        is_refused_plainly=True,
        columns=(_AGE,),
    )


class LocalModelNodeGroupPart(Part):
    """Groups of nodes."""

    kind = Kind(
        group=GROUP,
        versions=(VERSION,),
        kind=NODE_GROUP,
        plural="localmodelnodegroups",
        singular="localmodelnodegroup",
        is_namespaced=False,
        is_planned=False,
        columns=(_AGE,),
    )

    def schema(self) -> dict[str, Any]:
        """The structural OpenAPI v3 schema."""
        return resource_schema(NodeGroupSpec, description="Nodes with room for models.", status=_OPEN)

    def validate(self, doc: Document, old: Document | None, catalog: Catalog, world: World) -> None:  # noqa: ARG002
        """Raise `InvalidManifest` for what is of the wrong type."""
        read_as(NodeGroup, doc, Identity(GROUP, (VERSION,), NODE_GROUP))


class LocalModelNodePart(Part):
    """Nodes."""

    kind = Kind(
        group=GROUP,
        versions=(VERSION,),
        kind=NODE,
        plural="localmodelnodes",
        singular="localmodelnode",
        is_namespaced=False,
        is_planned=False,
        columns=(_AGE,),
    )

    def schema(self) -> dict[str, Any]:
        """The structural OpenAPI v3 schema."""
        return resource_schema(NodeSpec, description="What a node is to hold.", status=_OPEN)

    def validate(self, doc: Document, old: Document | None, catalog: Catalog, world: World) -> None:  # noqa: ARG002
        """Raise `InvalidManifest` for what is of the wrong type."""
        read_as(Node, doc, Identity(GROUP, (VERSION,), NODE))


@cache
def _cache_schema() -> dict[str, Any]:
    text, number = {"type": "string"}, {"type": "integer"}
    service = {"type": "object", "properties": {"name": text, "namespace": text}}
    status = {
        "type": "object",
        "description": "Whether the model is here, and why not when it is not.",
        "properties": {
            "nodeStatus": {"type": "object", "additionalProperties": text},
            "copies": {"type": "object", "properties": {"available": number, "total": number, "failed": number}},
            "inferenceServices": {"type": "array", "items": service},
            "llmInferenceServices": {"type": "array", "items": service},
            "conditions": conditions_schema(),
            "observedGeneration": number,
        },
    }
    return resource_schema(
        LocalModelCacheSpec, description="A model that is fetched before anybody asks for it.", status=status
    )
