"""Kubernetes' own schemas, as `kubernetes_validate` carries them, made into what the double walks documents with.

References become shared Python objects (a schema may contain itself), descriptions go, and what an API server
defaults is written beside what it checks. A schema here is the same language for built-in kinds and for CRDs:
structural OpenAPI with Kubernetes' extensions.
"""

import json
from functools import lru_cache
from importlib import resources
from typing import Any

from support.cluster.defaults import DEFAULTS

Schema = dict[str, Any]

LATEST = "1.36"
_REFERENCE = "#/$defs/"
_OPEN = "x-kubernetes-preserve-unknown-fields"
_DESCRIBING = ("description", "x-kubernetes-group-version-kind", "x-kubernetes-unions")
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


class BuiltIns:
    """The schemas of one Kubernetes release."""

    def __init__(self, release: str) -> None:
        folder = resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"v{release}.0-local"
        self._raw: dict[str, Schema] = json.loads((folder / "_definitions.json").read_bytes())["$defs"]
        self._made: dict[str, Schema] = {}

    def definition(self, name: str) -> Schema:
        """By its full name: `io.k8s.api.apps.v1.Deployment`."""
        if name not in self._made:
            made: Schema = {}
            self._made[name] = made
            made.update(self._inside(self._raw[name]))
            made.update(_special(name))
            if made.get("type") == "object" and "properties" not in made and "additionalProperties" not in made:
                made[_OPEN] = True
            if not made:
                made[_OPEN] = True
            if name in DEFAULTS:
                made["x-defaults"] = DEFAULTS[name]
        return self._made[name]

    def find(self, group: str, version: str, kind: str) -> Schema | None:
        """By what a manifest says."""
        wanted = {"group": group, "version": version, "kind": kind}
        for name, raw in self._raw.items():
            if wanted in raw.get("x-kubernetes-group-version-kind", ()):
                return self.definition(name)
        return None

    def _inside(self, raw: Any) -> Any:
        if isinstance(raw, list):
            return [self._inside(item) for item in raw]
        if not isinstance(raw, dict):
            return raw
        if "$ref" in raw:
            target = self.definition(raw["$ref"].removeprefix(_REFERENCE))
            beside = {key: value for key, value in raw.items() if key not in ("$ref", *_DESCRIBING)}
            return {**target, **beside} if beside else target
        made = {key: self._inside(value) for key, value in raw.items() if key not in (*_DESCRIBING, "properties")}
        if "properties" in raw:
            made["properties"] = {name: self._inside(value) for name, value in raw["properties"].items()}
        if isinstance(made.get("type"), list):
            made["type"] = next(name for name in made["type"] if name != "null")
        return made


def _special(name: str) -> Schema:
    if name == _INT_OR_STRING:
        return {"x-kubernetes-int-or-string": True, "oneOf": ()}
    if name == _QUANTITY:
        return {"x-kubernetes-int-or-string": True, "x-quantity": True, "oneOf": ()}
    return {}


@lru_cache(maxsize=2)
def built_ins(release: str = LATEST) -> BuiltIns:
    """Read once for all servers of a process."""
    return BuiltIns(release)


def child(schema: Schema, name: str) -> Schema:
    """The schema of a member; empty where nothing is said."""
    found = schema.get("properties", {}).get(name)
    if found is None:
        found = schema.get("additionalProperties")
    return found if isinstance(found, dict) else {}


def is_open(schema: Schema) -> bool:
    """Whether members that the schema does not name are kept."""
    return bool(schema.get(_OPEN)) or "additionalProperties" in schema
