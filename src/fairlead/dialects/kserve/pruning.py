"""What a structural schema leaves of a document."""

from collections.abc import Mapping
from typing import Any

_PRESERVE = "x-kubernetes-preserve-unknown-fields"


def pruned(doc: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The document without the fields that the schema does not know; what every object has stays."""
    known = {"apiVersion": {}, "kind": {}, "metadata": {}, **schema.get("properties", {})}
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
    if schema.get(_PRESERVE) or extra or not properties:
        return {key: _pruned(item, properties.get(key, {})) for key, item in value.items()}
    return {key: _pruned(item, properties[key]) for key, item in value.items() if key in properties}
