"""The kind as an API serves it."""

from functools import cache
from typing import Any

from fairlead.dialects.base import Column, Kind
from fairlead.dialects.kserve.graph.schema import GROUP, KIND, VERSION, InferenceGraphSpec
from fairlead.dialects.openapi import conditions_schema, resource_schema

SERVICE = "InferenceService"
INFERENCE_GRAPH = Kind(
    group=GROUP,
    versions=(VERSION,),
    kind=KIND,
    plural="inferencegraphs",
    singular="inferencegraph",
    short_names=("ig",),
    # A graph follows what its services are called and whether they are ready, and the settings of all routers.
    reads=(SERVICE, "ConfigMap"),
    webhook="inferencegraph.kserve-webhook-server.validator",
    is_refused_plainly=True,
    columns=(
        Column(name="URL", type="string", path=".status.url", description="Where to send requests"),
        Column(
            name="Ready",
            type="string",
            path='.status.conditions[?(@.type=="Ready")].status',
            description="Whether it answers",
        ),
        Column(name="Age", type="date", path=".metadata.creationTimestamp", description="Time since it was created"),
    ),
)


@cache
def open_api() -> dict[str, Any]:
    """The schema of the whole object; shared, so not to be changed."""
    text = {"type": "string"}
    status = {
        "type": "object",
        "description": "What is running, and why not when it is not.",
        "properties": {
            "url": text,
            "deploymentMode": text,
            "conditions": conditions_schema(),
            "observedGeneration": {"type": "integer"},
            "annotations": {"type": "object", "additionalProperties": text},
        },
    }
    return resource_schema(InferenceGraphSpec, description="Services, asked one after the other.", status=status)
