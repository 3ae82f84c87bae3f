"""Structural OpenAPI schemas of resources, made from their typed models, so there is one source for what a field is;
and pruning by them, as an API server does before it stores an object."""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fairlead.dialects.podspec import ObjectMeta

PRESERVE = "x-kubernetes-preserve-unknown-fields"
_INT_OR_STRING = "x-kubernetes-int-or-string"
_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}
_CONSTRAINTS = {
    "ge": "minimum",
    "le": "maximum",
    "pattern": "pattern",
}
_LENGTHS = {"array": ("minItems", "maxItems"), "string": ("minLength", "maxLength")}


@dataclass(frozen=True, slots=True)
class Nesting:
    """A field that holds objects of its own object's kind. A structural schema has no references, so they are spelled
    out so many times."""

    model: type[BaseModel]
    field: str
    depth: int


def resource_schema(
    spec: type[BaseModel],
    *,
    description: str,
    status: Mapping[str, Any] | None = None,
    nesting: Nesting | None = None,
    beside: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The schema of a whole object. `beside` are properties next to `spec`; without `status` it has none."""
    properties: dict[str, Any] = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        **(beside or {}),
        "spec": object_schema(spec, nesting),
    }
    if status is not None:
        properties["status"] = dict(status)
    return {"type": "object", "description": description, "required": ["spec"], "properties": properties}


def object_schema(model: type[BaseModel], nesting: Nesting | None = None) -> dict[str, Any]:
    """The schema of a model."""
    return _Writer(nesting).object(model, nesting.depth if nesting else 0)


def conditions_schema() -> dict[str, Any]:
    """The schema of a list of conditions."""
    names = ("type", "status", "reason", "message", "lastTransitionTime", "severity")
    text = {"type": "string"}
    condition = {"type": "object", "properties": dict.fromkeys(names, text), "required": ["type", "status"]}
    return {"type": "array", "items": condition}


def pruned(doc: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The document without the fields that the schema does not know; what every object has stays."""
    known = {"apiVersion": {}, "kind": {}, **schema.get("properties", {}), "metadata": {}}
    return {key: _pruned(item, known[key]) for key, item in doc.items() if key in known}


def _pruned(value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_pruned(item, schema["items"]) for item in value] if "items" in schema else value
    if not isinstance(value, Mapping):
        return value
    properties = schema.get("properties", {})
    extra = schema.get("additionalProperties")
    if isinstance(extra, Mapping):
        return {key: _pruned(item, properties.get(key, extra)) for key, item in value.items()}
    if schema.get(PRESERVE) or extra or not properties:
        return {key: _pruned(item, properties.get(key, {})) for key, item in value.items()}
    return {key: _pruned(item, properties[key]) for key, item in value.items() if key in properties}


@dataclass(frozen=True, slots=True)
class _Writer:
    nesting: Nesting | None

    def object(self, model: type[BaseModel], depth: int) -> dict[str, Any]:
        properties: dict[str, Any] = {}
        required = []
        for name, info in model.model_fields.items():
            nests = self.nesting is not None and (self.nesting.model, self.nesting.field) == (model, name)
            if nests and depth == 0:
                continue
            key = info.alias or name
            properties[key] = self._field(info, depth - nests)
            if info.is_required():
                required.append(key)
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        if model.model_config.get("extra") == "allow":
            schema[PRESERVE] = True
        return schema

    def _field(self, info: FieldInfo, depth: int) -> dict[str, Any]:
        schema = dict(self._schema(info.annotation, depth))
        if info.description:
            schema["description"] = info.description
        for constraint in info.metadata:
            for name, key in _CONSTRAINTS.items():
                if (value := getattr(constraint, name, None)) is not None:
                    schema[key] = value
            for name, key in zip(("min_length", "max_length"), _LENGTHS.get(schema.get("type", ""), ()), strict=False):
                if (value := getattr(constraint, name, None)) is not None:
                    schema[key] = value
        return schema

    def _schema(self, annotation: Any, depth: int) -> dict[str, Any]:
        if annotation in _SCALARS:
            return _SCALARS[annotation]
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            # Kubernetes checks and keeps metadata by rules of its own.
            is_metadata = issubclass(annotation, ObjectMeta)
            return {"type": "object", PRESERVE: True} if is_metadata else self.object(annotation, depth)
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Literal:
            return {"type": "string", "enum": list(arguments)}
        if origin in (Union, types.UnionType):
            return self._union([item for item in arguments if item is not type(None)], depth)
        if origin is list:
            return {"type": "array", "items": self._schema(arguments[0], depth)}
        if origin is dict and arguments[1] is not Any:
            return {"type": "object", "additionalProperties": self._schema(arguments[1], depth)}
        return {"type": "object", PRESERVE: True} if origin is dict else {PRESERVE: True}

    def _union(self, members: list[Any], depth: int) -> dict[str, Any]:
        if len(members) == 1:
            return self._schema(members[0], depth)
        return {_INT_OR_STRING: True}
