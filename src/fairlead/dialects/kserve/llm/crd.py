"""The two kinds as an API serves them."""

from functools import cache
from typing import Any

from fairlead.dialects.base import Column, Kind
from fairlead.dialects.kserve.llm.schema import CONFIG_KIND, GROUP, KIND, VERSIONS, LlmSpec
from fairlead.dialects.openapi import PRESERVE, conditions_schema, resource_schema

OTHERS = ("InferenceService", "InferenceGraph")
"""Kinds that have host names of the same form, and keep them."""
LLM_INFERENCE_SERVICE = Kind(
    group=GROUP,
    versions=VERSIONS,
    kind=KIND,
    plural="llminferenceservices",
    singular="llminferenceservice",
    short_names=("llmisvc",),
    # What is merged below it, who has its names, and which other service has its model's name.
    reads=(CONFIG_KIND, "ConfigMap", "ClusterStorageContainer", KIND, *OTHERS),
    webhook="llminferenceservice.kserve-webhook-server.validator",
    is_refused_plainly=True,
    columns=(
        Column(name="URL", type="string", path=".status.url", description="Where to send requests"),
        Column(
            name="Ready",
            type="string",
            path=".status.conditions[?(@.type=='Ready')].status",
            description="Whether it answers",
        ),
        Column(
            name="Reason", type="string", path=".status.conditions[?(@.type=='Ready')].reason", description="Why not"
        ),
        Column(name="Age", type="date", path=".metadata.creationTimestamp", description="Time since it was created"),
        Column(
            name="URLs",
            type="string",
            path=".status.addresses[*].url",
            priority=1,
            description="Every address",
        ),
    ),
)
LLM_INFERENCE_SERVICE_CONFIG = Kind(
    group=GROUP,
    versions=VERSIONS,
    kind=CONFIG_KIND,
    plural="llminferenceserviceconfigs",
    singular="llminferenceserviceconfig",
    is_planned=False,
    has_status=False,
    webhook="llminferenceserviceconfig.kserve-webhook-server.validator",
    is_refused_plainly=True,
    columns=(
        Column(name="Age", type="date", path=".metadata.creationTimestamp", description="Time since it was created"),
    ),
)


@cache
def open_api() -> dict[str, Any]:
    """The schema of a service; shared, so not to be changed."""
    text = {"type": "string"}
    named = {"type": "object", "properties": {"name": text, "namespace": text, "kind": text, "apiGroup": text}}
    address = {"type": "object", PRESERVE: True, "properties": {"name": text, "url": text}}
    status = {
        "type": "object",
        "description": "What is running, and why not when it is not.",
        PRESERVE: True,
        "properties": {
            "url": text,
            "addresses": {"type": "array", "items": address},
            "appliedConfigRefs": {"type": "array", "items": {"type": "object", PRESERVE: True}},
            "workloads": {"type": "object", "properties": {"primary": named, "service": named}},
            "conditions": conditions_schema(),
            "observedGeneration": {"type": "integer"},
        },
    }
    return resource_schema(LlmSpec, description="A language model behind OpenAI's API.", status=status)


@cache
def config_open_api() -> dict[str, Any]:
    """The schema of a configuration."""
    return resource_schema(LlmSpec, description="What several LLMInferenceServices have in common.")
