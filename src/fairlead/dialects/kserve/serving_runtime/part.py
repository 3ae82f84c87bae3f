"""The two kinds of runtimes, as the API serves them."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from fairlead.dialects.base import Column, Document, Kind, World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.kserve.part import Part
from fairlead.dialects.kserve.serving_runtime.builtin import built_in_runtimes
from fairlead.dialects.kserve.serving_runtime.reading import read
from fairlead.dialects.kserve.serving_runtime.schema import CLUSTER_KIND, GROUP, KIND, VERSION, ServingRuntimeSpec
from fairlead.dialects.kserve.serving_runtime.validate import validate
from fairlead.dialects.openapi import resource_schema

_COLUMNS = (
    Column(name="Disabled", type="boolean", path=".spec.disabled", description="Whether it is not to be used"),
    Column(
        name="ModelType",
        type="string",
        path=".spec.supportedModelFormats[*].name",
        description="Formats that it serves",
    ),
    Column(name="Containers", type="string", path=".spec.containers[*].name", description="Its containers"),
    Column(name="Age", type="date", path=".metadata.creationTimestamp", description="Time since it was created"),
)


class ServingRuntimePart(Part):
    """Runtimes of a namespace."""

    kind = Kind(
        group=GROUP,
        versions=(VERSION,),
        kind=KIND,
        plural="servingruntimes",
        singular="servingruntime",
        has_status=True,
        is_planned=False,
        columns=_COLUMNS,
        webhook="servingruntime.kserve-webhook-server.validator",
        is_refused_plainly=True,
    )

    def schema(self) -> dict[str, Any]:
        """The structural OpenAPI v3 schema."""
        return _schema()

    def validate(self, doc: Document, old: Document | None, catalog: Catalog, world: World) -> None:  # noqa: ARG002
        """Raise `InvalidManifest`, in the validating webhook's texts."""
        namespace = doc["metadata"].get("namespace", "")
        stored = world.list(self.kind.kind, namespace)
        others = [read(other, self.kind.kind) for other in stored]
        before = read(old, self.kind.kind) if old is not None else None
        validate(read(doc, self.kind.kind), before, others)


class ClusterServingRuntimePart(ServingRuntimePart):
    """Runtimes of all namespaces."""

    kind = Kind(
        group=GROUP,
        versions=(VERSION,),
        kind=CLUSTER_KIND,
        plural="clusterservingruntimes",
        singular="clusterservingruntime",
        is_namespaced=False,
        is_planned=False,
        columns=_COLUMNS,
        webhook="clusterservingruntime.kserve-webhook-server.validator",
        is_refused_plainly=True,
    )

    def seeds(self) -> Sequence[Document]:
        """The runtimes of an installation."""
        return built_in_runtimes()


@cache
def _schema() -> dict[str, Any]:
    return resource_schema(
        ServingRuntimeSpec,
        description="A model server, and the formats that it is for.",
        status={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    )
