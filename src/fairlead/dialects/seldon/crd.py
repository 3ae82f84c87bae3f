"""The kind as an API serves it: identity, printer columns, and the structural OpenAPI schema."""

from functools import cache
from typing import Any

from fairlead.dialects.base import Column, Kind
from fairlead.dialects.openapi import Nesting, conditions_schema, resource_schema
from fairlead.dialects.seldon.schema import GROUP, KIND, MAX_DEPTH, VERSIONS, PredictiveUnit, SeldonDeploymentSpec

SELDON_DEPLOYMENT = Kind(
    group=GROUP,
    versions=VERSIONS,
    kind=KIND,
    plural="seldondeployments",
    singular="seldondeployment",
    short_names=("sdep",),
    categories=("all",),
    scale_path=".spec.replicas",
    scale_status_path=".status.replicas",
    controller_label="seldon.io/controller-id",
    columns=(
        Column(name="State", type="string", path=".status.state", description="Creating, Available or Failed"),
        Column(name="Replicas", type="integer", path=".status.replicas", description="Replicas of the first predictor"),
        Column(name="Address", type="string", path=".status.address.url", description="Where to send predictions"),
        Column(name="Age", type="date", path=".metadata.creationTimestamp", description="Time since it was created"),
    ),
)


@cache
def open_api() -> dict[str, Any]:
    """The schema of the whole object; shared, so not to be changed."""
    return resource_schema(
        SeldonDeploymentSpec,
        description="A graph of models, and how many of each to run.",
        status=_status(),
        nesting=Nesting(PredictiveUnit, "children", MAX_DEPTH),
    )


def _status() -> dict[str, Any]:
    text, number = {"type": "string"}, {"type": "integer"}
    deployment = {"type": "object", "properties": {"replicas": number, "availableReplicas": number}}
    service = {"type": "object", "properties": {"svcName": text, "httpEndpoint": text, "grpcEndpoint": text}}
    return {
        "type": "object",
        "description": "What is running, and why not when it is not.",
        "properties": {
            "state": text,
            "description": text,
            "replicas": number,
            "address": {"type": "object", "properties": {"url": text}},
            "deploymentStatus": {"type": "object", "additionalProperties": deployment},
            "serviceStatus": {"type": "object", "additionalProperties": service},
            "conditions": conditions_schema(),
            "observedGeneration": number,
            "annotations": {"type": "object", "additionalProperties": text},
        },
    }
