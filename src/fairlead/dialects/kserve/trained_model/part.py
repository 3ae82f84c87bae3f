"""The kind TrainedModel: a model that a running server takes in. It runs nothing by itself."""

from functools import cache
from typing import Any

from fairlead.dialects.base import Column, Document, Kind, World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import Observed
from fairlead.dialects.kserve.part import Part
from fairlead.dialects.kserve.site import Site
from fairlead.dialects.kserve.trained_model.cluster import cluster_status
from fairlead.dialects.kserve.trained_model.schema import GROUP, KIND, VERSION, TrainedModel, TrainedModelSpec
from fairlead.dialects.kserve.trained_model.status import INFERENCE_SERVICE, status_of
from fairlead.dialects.kserve.trained_model.validate import validate
from fairlead.dialects.openapi import conditions_schema, resource_schema
from fairlead.dialects.reading import Identity, read_as
from fairlead.plan.layout import Layout

_IDENTITY = Identity(GROUP, (VERSION,), KIND)


class TrainedModelPart(Part):
    """TrainedModels."""

    kind = Kind(
        group=GROUP,
        versions=(VERSION,),
        kind=KIND,
        plural="trainedmodels",
        singular="trainedmodel",
        short_names=("tm",),
        is_planned=False,
        reads=(INFERENCE_SERVICE,),
        webhook="trainedmodel.kserve-webhook-server.validator",
        is_refused_plainly=True,
        columns=(
            Column(name="URL", type="string", path=".status.url", description="Where to send requests"),
            Column(
                name="Ready",
                type="string",
                path='.status.conditions[?(@.type=="Ready")].status',
                description="Whether it answers",
            ),
            Column(
                name="Age", type="date", path=".metadata.creationTimestamp", description="Time since it was created"
            ),
        ),
    )

    def schema(self) -> dict[str, Any]:
        """The structural OpenAPI v3 schema."""
        return _schema()

    def validate(self, doc: Document, old: Document | None, catalog: Catalog, world: World) -> None:  # noqa: ARG002
        """Raise `InvalidManifest`, in the validating webhook's texts."""
        validate(_read(doc), _read(old) if old is not None else None)

    def derived_status(self, doc: Document, now: str, world: World) -> dict[str, Any]:
        """What has become of it in its service. Where no plan is made of that, it lies in a cluster."""
        parent = str((doc.get("spec") or {}).get("inferenceService") or "")
        if world.plan(INFERENCE_SERVICE, doc["metadata"].get("namespace", ""), parent) is None:
            return cluster_status(doc, world, now)
        return status_of(doc, world, now)

    def cluster_status(self, doc: Document, layout: Layout, observed: Observed, now: str, site: Site) -> dict[str, Any]:  # noqa: ARG002
        """What its service says of it."""
        return cluster_status(doc, site.world, now)


def _read(doc: Document) -> TrainedModel:
    return read_as(TrainedModel, doc, _IDENTITY)


@cache
def _schema() -> dict[str, Any]:
    text = {"type": "string"}
    status = {
        "type": "object",
        "description": "Whether it is loaded, and why not when it is not.",
        "properties": {
            "url": text,
            "address": {"type": "object", "properties": {"url": text}},
            "conditions": conditions_schema(),
            "observedGeneration": {"type": "integer"},
        },
    }
    return resource_schema(TrainedModelSpec, description="A model that a running server takes in.", status=status)
