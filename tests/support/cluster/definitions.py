"""CustomResourceDefinitions: what makes one acceptable, and what the server writes into it."""

from collections.abc import Iterator
from typing import Any

from support.cluster.refusals import Cause

Document = dict[str, Any]
KEY = ("apiextensions.k8s.io", "customresourcedefinitions")

_FREE = ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string")
_FORBIDDEN = ("$ref", "definitions", "dependencies", "id", "patternProperties", "deprecated", "readOnly")


def prepare(new: Document, now: str) -> None:
    """Defaults of names, and the status: accepted and served at once."""
    spec = new["spec"]
    names = spec["names"]
    names.setdefault("singular", names["kind"].lower())
    names.setdefault("listKind", f"{names['kind']}List")
    spec.setdefault("conversion", {"strategy": "None"})
    before = new.get("status") or {}
    stored = [version["name"] for version in spec["versions"] if version.get("storage")]
    known = [name for name in before.get("storedVersions") or () if name not in stored]
    conditions = before.get("conditions") or [
        _condition("NamesAccepted", "NoConflicts", "no conflicts found", now),
        _condition("Established", "InitialNamesAccepted", "the initial names have been accepted", now),
    ]
    new["status"] = {"acceptedNames": names, "conditions": conditions, "storedVersions": known + stored}


def _condition(kind: str, reason: str, message: str, now: str) -> Document:
    return {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now}


def problems(crd: Document) -> list[Cause]:
    """What an API server refuses to serve."""
    spec = crd["spec"]
    names, versions = spec["names"], spec["versions"]
    found = []
    expected = f"{names['plural']}.{spec['group']}"
    if crd["metadata"]["name"] != expected:
        text = f'Invalid value: "{crd["metadata"]["name"]}": must be spec.names.plural+"."+spec.group'
        found.append(Cause("metadata.name", text))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        text = "Invalid value: []: must have exactly one version marked as storage version"
        found.append(Cause("spec.versions", text))
    if len({version["name"] for version in versions}) != len(versions):
        found.append(Cause("spec.versions", "Invalid value: []: must contain unique version names"))
    for place, version in enumerate(versions):
        at = f"spec.versions[{place}].schema.openAPIV3Schema"
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            found.append(Cause(at, "Required value: schemas are required", "FieldValueRequired"))
        else:
            found += list(_schema_problems(schema, at, is_root=True))
    return found + _short_name_problems(names)


def _short_name_problems(names: Document) -> list[Cause]:
    return [
        Cause(f"spec.names.shortNames[{place}]", f'Invalid value: "{name}": a lowercase RFC 1035 label')
        for place, name in enumerate(names.get("shortNames") or ())
        if name != name.lower() or not name[:1].isalpha()
    ]


def _schema_problems(schema: Any, at: str, *, is_root: bool = False) -> Iterator[Cause]:
    """The rules of structural schemas."""
    if not schema.get("type") and not any(schema.get(word) for word in _FREE):
        yield Cause(f"{at}.type", "Required value: must not be empty for specified object fields", "FieldValueRequired")
    if is_root and schema.get("type") != "object":
        yield Cause(f"{at}.type", f'Invalid value: "{schema.get("type", "")}": must be object at the root')
    if schema.get("x-kubernetes-int-or-string") and schema.get("type"):
        text = "Invalid value: must be empty if x-kubernetes-int-or-string is true"
        yield Cause(f"{at}.type", text)
    for word in _FORBIDDEN:
        if word in schema:
            yield Cause(f"{at}.{word}", f"Forbidden: {word} is not supported", "FieldValueForbidden")
    if schema.get("properties") and schema.get("additionalProperties"):
        text = "Forbidden: additionalProperties and properties are mutual exclusive"
        yield Cause(f"{at}.additionalProperties", text, "FieldValueForbidden")
    if schema.get("additionalProperties") is False:
        text = "Forbidden: additionalProperties cannot be set to false"
        yield Cause(f"{at}.additionalProperties", text, "FieldValueForbidden")
    if schema.get("uniqueItems"):
        text = "Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield Cause(f"{at}.uniqueItems", text, "FieldValueForbidden")
    if schema.get("type") == "array" and not isinstance(schema.get("items"), dict):
        yield Cause(f"{at}.items", "Required value: must be specified", "FieldValueRequired")
    yield from _list_problems(schema, at)
    for word in ("allOf", "anyOf", "oneOf"):
        for place, part in enumerate(schema.get(word) or ()):
            yield from _value_problems(part, f"{at}.{word}[{place}]", is_free=bool(schema.get(_FREE[1])))
    for name, inner in schema.get("properties", {}).items():
        if is_root and name in ("apiVersion", "kind", "metadata"):
            continue
        yield from _schema_problems(inner, f"{at}.properties[{name}]")
    if isinstance(schema.get("items"), dict):
        yield from _schema_problems(schema["items"], f"{at}.items")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _schema_problems(schema["additionalProperties"], f"{at}.additionalProperties")


def _list_problems(schema: Any, at: str) -> Iterator[Cause]:
    kind = schema.get("x-kubernetes-list-type")
    items = schema.get("items") or {}
    if kind == "map":
        names = schema.get("x-kubernetes-list-map-keys") or ()
        if not names:
            yield Cause(f"{at}.x-kubernetes-list-map-keys", "Required value: must not be empty", "FieldValueRequired")
        for name in names:
            inner = items.get("properties", {}).get(name)
            if inner is None:
                yield Cause(f"{at}.x-kubernetes-list-map-keys", f'Invalid value: "{name}": must be a property of items')
            elif name not in items.get("required", ()) and "default" not in inner:
                text = "Required value: a key of the list must have a default or be required"
                yield Cause(f"{at}.items.properties[{name}].default", text, "FieldValueRequired")
    if kind and schema.get("type") != "array":
        yield Cause(
            f"{at}.type", f'Invalid value: "{schema.get("type")}": must be array if x-kubernetes-list-type is specified'
        )


def _value_problems(schema: Any, at: str, *, is_free: bool) -> Iterator[Cause]:
    """Inside a logical junctor only values may be restricted."""
    for word in ("description", "default", "additionalProperties", "nullable", "type"):
        if word in schema and not (word == "type" and is_free):
            text = (
                f"Forbidden: {word} must be empty to be structural"
                if word != "type"
                else "Forbidden: must be empty to be structural"
            )
            yield Cause(f"{at}.{word}", text, "FieldValueForbidden")
