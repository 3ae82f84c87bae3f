"""The kind as an API serves it: identity, printer columns, and the structural OpenAPI schema.

The schema is made from the typed models, so there is one source for what a field is. `prune` removes what it does not
know, as an API server does before it stores an object.
"""

import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fairlead.dialects.base import Column, Kind
from fairlead.dialects.podspec import ObjectMeta, OpenObject
from fairlead.dialects.seldon.schema import GROUP, KIND, MAX_DEPTH, VERSIONS, PredictiveUnit, SeldonDeploymentSpec

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_INT_OR_STRING = "x-kubernetes-int-or-string"
_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}

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
    return {
        "type": "object",
        "description": "A graph of models, and how many of each to run.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": _object(SeldonDeploymentSpec, MAX_DEPTH),
            "status": _status(),
        },
    }


def prune(doc: Mapping[str, Any]) -> dict[str, Any]:
    """The document without the fields that the schema does not know."""
    known = open_api()["properties"]
    return {key: _prune(item, known[key]) for key, item in doc.items() if key in known}


def _prune(value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_prune(item, schema["items"]) for item in value] if "items" in schema else value
    if not isinstance(value, Mapping):
        return value
    properties = schema.get("properties", {})
    if schema.get(_PRESERVE) or "additionalProperties" in schema or not properties:
        return {key: _prune(item, properties.get(key, {})) for key, item in value.items()}
    return {key: _prune(item, properties[key]) for key, item in value.items() if key in properties}


def _object(model: type[BaseModel], depth: int) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required = []
    for name, info in model.model_fields.items():
        if model is PredictiveUnit and name == "children" and depth == 0:
            continue
        key = info.alias or name
        properties[key] = _field(info, depth - (model is PredictiveUnit and name == "children"))
        if info.is_required():
            required.append(key)
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    if issubclass(model, OpenObject):
        schema[_PRESERVE] = True
    return schema


def _field(info: FieldInfo, depth: int) -> dict[str, Any]:
    schema = dict(_schema(info.annotation, depth))
    if info.description:
        schema["description"] = info.description
    for constraint in info.metadata:
        if (lowest := getattr(constraint, "ge", None)) is not None:
            schema["minimum"] = lowest
    return schema


def _schema(annotation: Any, depth: int) -> dict[str, Any]:
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        # Kubernetes checks and keeps metadata by rules of its own.
        return {"type": "object", _PRESERVE: True} if annotation is ObjectMeta else _object(annotation, depth)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return _union([item for item in arguments if item is not type(None)], depth)
    if origin is list:
        return {"type": "array", "items": _schema(arguments[0], depth)}
    if origin is dict and arguments[1] is not Any:
        return {"type": "object", "additionalProperties": _schema(arguments[1], depth)}
    return {"type": "object", _PRESERVE: True} if origin is dict else {_PRESERVE: True}


def _union(members: list[Any], depth: int) -> dict[str, Any]:
    if len(members) == 1:
        return _schema(members[0], depth)
    return {_INT_OR_STRING: True}


def _status() -> dict[str, Any]:
    text, number = {"type": "string"}, {"type": "integer"}
    deployment = {"type": "object", "properties": {"replicas": number, "availableReplicas": number}}
    service = {"type": "object", "properties": {"svcName": text, "httpEndpoint": text, "grpcEndpoint": text}}
    names = ("type", "status", "reason", "message", "lastTransitionTime", "severity")
    condition = {"type": "object", "properties": dict.fromkeys(names, text), "required": ["type", "status"]}
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
            "conditions": {"type": "array", "items": condition},
            "observedGeneration": number,
            "annotations": {"type": "object", "additionalProperties": text},
        },
    }
