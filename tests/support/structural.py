"""The rules that an API server has for the schemas of CustomResourceDefinitions ("structural schemas"), as its public
documentation states them, so that a definition of ours is refused here before a cluster does it."""

import re
from collections.abc import Iterator
from typing import Any

PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
EMBEDDED = "x-kubernetes-embedded-resource"
_TYPES = {"object", "array", "string", "integer", "number", "boolean"}
_KNOWN = {
    "type", "description", "properties", "additionalProperties", "items", "required", "enum", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "format",
    "nullable", "default", "title", "example", "allOf", "anyOf", "oneOf", "not", "multipleOf", "minProperties",
    "maxProperties", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type",
    "x-kubernetes-validations", PRESERVE, INT_OR_STRING, EMBEDDED,
}  # fmt: skip
_NOT_RE2 = re.compile(r"\(\?(=|!|<=|<!|P=|>)|\\[1-9]|[*+?}]\+")


def faults(schema: dict[str, Any]) -> list[str]:
    """What an API server would refuse in the schema of a version, with its paths."""
    found = list(_node(schema, ""))
    if schema.get("type") != "object":
        found.append(": must be of type object at the root")
    for name in ("apiVersion", "kind"):
        if (given := schema.get("properties", {}).get(name)) and given.get("type") != "string":
            found.append(f".{name}: must be of type string")
    metadata = schema.get("properties", {}).get("metadata", {"type": "object"})
    if metadata.get("type") != "object" or set(metadata.get("properties", {})) - {"name", "generateName"}:
        found.append(".metadata: may only restrict name and generateName")
    if "additionalProperties" in metadata or metadata.get(PRESERVE):
        found.append(".metadata: may only restrict name and generateName")
    return found


def _node(schema: Any, path: str) -> Iterator[str]:
    if not isinstance(schema, dict):
        yield f"{path}: a schema is an object"
        return
    yield from (f"{path}: {key} is not supported" for key in sorted(set(schema) - _KNOWN))
    yield from (f"{path}: {sentence}" for sentence in _shape(schema))
    for name, item in schema.get("properties", {}).items():
        yield from _node(item, f"{path}.{name}")
    if isinstance(extra := schema.get("additionalProperties"), dict):
        yield from _node(extra, f"{path}.*")
    if "items" in schema:
        yield from _node(schema["items"], f"{path}[]")


def _shape(schema: dict[str, Any]) -> Iterator[str]:
    kind = schema.get("type")
    if kind is None and not (schema.get(INT_OR_STRING) or schema.get(PRESERVE)):
        yield "has neither a type, nor is it int-or-string or preserved"
    if kind is not None and kind not in _TYPES:
        yield f"{kind} is not a type"
    if schema.get(INT_OR_STRING) and (kind is not None or schema.get(PRESERVE) or schema.get(EMBEDDED)):
        yield "int-or-string stands alone"
    if PRESERVE in schema and (schema[PRESERVE] is not True or kind not in (None, "object")):
        yield "only objects preserve unknown fields"
    if kind == "array" and not isinstance(schema.get("items"), dict):
        yield "an array has items"
    if "properties" in schema and "additionalProperties" in schema:
        yield "properties and additionalProperties exclude each other"
    if schema.get("additionalProperties") is False:
        yield "additionalProperties may not be false"
    if not isinstance(schema.get("description", ""), str):
        yield "a description is text"
    if "default" in schema and not _is_of(schema["default"], kind):
        yield "the default is not of the type"
    if _NOT_RE2.search(schema.get("pattern", "")):
        yield "RE2 does not know this pattern"
    if "enum" in schema and (not schema["enum"] or len(set(schema["enum"])) != len(schema["enum"])):
        yield "an enum has values, each once"
    if set(schema.get("required", ())) - set(schema.get("properties", ())):
        yield "what is required has to be specified, or it would be pruned"


def _is_of(value: Any, kind: str | None) -> bool:
    types: dict[str, type | tuple[type, ...]] = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
    }
    return kind is not None and isinstance(value, types[kind])
