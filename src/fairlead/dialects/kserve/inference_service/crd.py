"""The kind as an API serves it: identity, printer columns, and the structural OpenAPI schema."""

from functools import cache
from typing import Any

from fairlead.dialects.base import Column, Kind
from fairlead.dialects.kserve.inference_service.schema import GROUP, KIND, VERSION, InferenceServiceSpec
from fairlead.dialects.kserve.inference_service.template import ROLES
from fairlead.dialects.openapi import PRESERVE, conditions_schema, resource_schema

_TRAFFIC = ".status.components.predictor.traffic"

INFERENCE_SERVICE = Kind(
    group=GROUP,
    versions=(VERSION,),
    kind=KIND,
    plural="inferenceservices",
    singular="inferenceservice",
    short_names=("isvc",),
    categories=("all",),
    # Which runtime serves a model, what all services have in common, whose containers fetch models, and the models that
    # a server hosts.
    reads=("ServingRuntime", "ClusterServingRuntime", "ConfigMap", "ClusterStorageContainer", "TrainedModel"),
    is_watched_with_status=True,
    webhook="inferenceservice.kserve-webhook-server.validator",
    is_refused_plainly=True,
    defaulter="inferenceservice.kserve-webhook-server.defaulter",
    columns=(
        Column(name="URL", type="string", path=".status.url", description="Where to send predictions"),
        Column(
            name="Ready",
            type="string",
            path=".status.conditions[?(@.type=='Ready')].status",
            description="Whether it answers",
        ),
        Column(
            name="Prev",
            type="integer",
            path=f"{_TRAFFIC}[?(@.tag=='prev')].percent",
            description="Share of the revision before",
        ),
        Column(
            name="Latest",
            type="integer",
            path=f"{_TRAFFIC}[?(@.latestRevision==true)].percent",
            description="Share of the newest revision",
        ),
        Column(
            name="PrevRolledoutRevision",
            type="string",
            path=f"{_TRAFFIC}[?(@.tag=='prev')].revisionName",
            description="The revision before",
        ),
        Column(
            name="LatestReadyRevision",
            type="string",
            path=f"{_TRAFFIC}[?(@.latestRevision==true)].revisionName",
            description="The newest revision",
        ),
        Column(name="Age", type="date", path=".metadata.creationTimestamp", description="Time since it was created"),
    ),
)


@cache
def open_api() -> dict[str, Any]:
    """The schema of the whole object; shared, so not to be changed."""
    return resource_schema(InferenceServiceSpec, description="A model and how it is served.", status=_status())


def _status() -> dict[str, Any]:
    """What clients read. Fields that others add are kept."""
    text, number, truth = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
    address = {"type": "object", "properties": {"url": text}}
    texts = ("url", "restUrl", "grpcUrl", "latestReadyRevision", "latestCreatedRevision", "previousRolledoutRevision")
    share = {
        "type": "object",
        "properties": {
            "revisionName": text,
            "latestRevision": truth,
            "percent": number,
            "tag": text,
            "url": text,
            "configurationName": text,
        },
    }
    component = {
        "type": "object",
        "properties": {
            **dict.fromkeys(texts, text),
            "latestRolledoutRevision": text,
            "address": address,
            "traffic": {"type": "array", "items": share},
        },
    }
    canary = {
        "type": "object",
        PRESERVE: True,
        "properties": {"name": text, "ready": truth, "trafficPercent": number, "modelStatus": _model_status()},
    }
    return {
        "type": "object",
        "description": "What is running, and why not when it is not.",
        PRESERVE: True,
        "properties": {
            "url": text,
            "address": address,
            "components": {"type": "object", "properties": dict.fromkeys(ROLES, component)},
            "modelStatus": _model_status(),
            "canaryStatuses": {"type": "array", "items": canary},
            "deploymentMode": text,
            "servingRuntimeName": text,
            "clusterServingRuntimeName": text,
            "conditions": conditions_schema(),
            "observedGeneration": number,
            "annotations": {"type": "object", "additionalProperties": text},
        },
    }


def _model_status() -> dict[str, Any]:
    text, number = {"type": "string"}, {"type": "integer"}
    failure = {
        "type": "object",
        "properties": {
            **dict.fromkeys(("location", "reason", "message", "modelRevisionName", "time"), text),
            "exitCode": number,
        },
    }
    return {
        "type": "object",
        "properties": {
            "transitionStatus": text,
            "states": {"type": "object", "properties": {"activeModelState": text, "targetModelState": text}},
            "copies": {"type": "object", "properties": {"failedCopies": number, "totalCopies": number}},
            "lastFailureInfo": failure,
        },
    }
