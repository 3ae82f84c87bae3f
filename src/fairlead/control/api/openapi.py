"""The API described for clients: OpenAPI 2 as one document, OpenAPI 3 as one document per group and version.

kubectl explains and validates from these, and decides from the parameters of an operation whether it may ask for a
dry run or for field validation.
"""

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from fairlead.control.api import openapi_proto
from fairlead.control.api.answers import to_json
from fairlead.control.api.resources import Resource, Resources

Schema = dict[str, Any]

# kubectl asks for the first, and its MIME parser refuses the first in the answer (an @ has no place there).
PROTO_V2_ASKED = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
PROTO_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

_WRITE_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation", "pretty")
_READ_PARAMETERS = ("pretty",)
_LIST_PARAMETERS = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "timeoutSeconds",
    "watch",
)
_PATCHES = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")


def place_of(group: str, version: str) -> str:
    """`api/v1` or `apis/<group>/<version>`."""
    return f"apis/{group}/{version}" if group else f"api/{version}"


class OpenApi:
    """Built when first asked for: a server that nobody asks does not pay."""

    def __init__(self, resources: Resources, version: str) -> None:
        self._resources = resources
        self._info = {"title": "Fairlead", "version": version}
        self._v3: dict[str, bytes] = {}

    @cached_property
    def v2_json(self) -> bytes:
        """`/openapi/v2`."""
        return to_json(self._v2())

    @cached_property
    def v2_proto(self) -> bytes:
        """`/openapi/v2` as kubectl before 1.27 reads it."""
        return openapi_proto.encode(self._v2())

    def _v2(self) -> Schema:
        definitions: Schema = {}
        paths: Schema = {}
        for resource, version in self._served():
            definitions[_name(resource, version)] = _for_v2(_definition(resource, version))
            paths |= _paths(resource, version, _operation_v2)
        return {"swagger": "2.0", "info": self._info, "paths": paths, "definitions": definitions}

    def _served(self) -> Iterator[tuple[Resource, str]]:
        return ((resource, version) for resource in self._resources for version in resource.kind.versions)

    def v3_index(self) -> Schema:
        """`/openapi/v3`. The hash in a URL changes with the document, so that clients may keep it."""
        paths = {}
        for group, versions in self._resources.groups.items():
            for version in versions:
                digest = hashlib.sha256(self.v3(group, version) or b"").hexdigest().upper()
                place = place_of(group, version)
                paths[place] = {"serverRelativeURL": f"/openapi/v3/{place}?hash={digest}"}
        return {"paths": paths}

    def v3(self, group: str, version: str) -> bytes | None:
        """One group and version."""
        place = place_of(group, version)
        resources = self._resources.of(group, version)
        if resources and place not in self._v3:
            schemas = {_name(resource, version): _definition(resource, version) for resource in resources}
            paths: Schema = {}
            for resource in resources:
                paths |= _paths(resource, version, _operation_v3)
            document = {"openapi": "3.0.0", "info": self._info, "paths": paths, "components": {"schemas": schemas}}
            self._v3[place] = to_json(document)
        return self._v3.get(place)


def _name(resource: Resource, version: str) -> str:
    group = ".".join(reversed((resource.kind.group or "core.api.k8s.io").split(".")))
    return f"{group}.{version}.{resource.kind.kind}"


def _type_of(resource: Resource, version: str) -> dict[str, str]:
    return {"group": resource.kind.group, "kind": resource.kind.kind, "version": version}


def _definition(resource: Resource, version: str) -> Schema:
    return {**resource.shape(version).schema, "x-kubernetes-group-version-kind": [_type_of(resource, version)]}


def _paths(resource: Resource, version: str, operation: Any) -> Schema:
    inner = "namespaces/{namespace}/" if resource.kind.is_namespaced else ""
    many = f"/{place_of(resource.kind.group, version)}/{inner}{resource.kind.plural}"
    one = f"{many}/{{name}}"
    paths: Schema = {many: _path(resource, version, many, operation), one: _path(resource, version, one, operation)}
    if resource.kind.has_status and not resource.kind.is_read_only:
        status = {
            method: value
            for method, value in _path(resource, version, one, operation).items()
            if method in ("get", "put", "patch", "parameters")
        }
        paths[f"{one}/status"] = status
    return paths


_ON_MANY = {"get": ("list", _LIST_PARAMETERS), "post": ("post", _WRITE_PARAMETERS)}
_ON_ONE = {
    "get": ("get", _READ_PARAMETERS),
    "put": ("put", _WRITE_PARAMETERS),
    "patch": ("patch", (*_WRITE_PARAMETERS, "force")),
    "delete": ("delete", ("dryRun", "gracePeriodSeconds", "propagationPolicy")),
}


def _path(resource: Resource, version: str, path: str, operation: Any) -> Schema:
    methods = _ON_ONE if path.endswith("{name}") else _ON_MANY
    if "create" not in resource.verbs:
        methods = {"get": methods["get"]}
    return {
        method: operation(resource, version, f"{action}{resource.kind.kind}", action, parameters)
        for method, (action, parameters) in methods.items()
    }


def _operation(resource: Resource, version: str, name: str, action: str) -> Schema:
    return {
        "operationId": f"{name}{resource.kind.group.replace('.', '')}{version}",
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _type_of(resource, version),
    }


def _operation_v2(resource: Resource, version: str, name: str, action: str, parameters: tuple[str, ...]) -> Schema:
    return {
        **_operation(resource, version, name, action),
        "consumes": list(_PATCHES) if action == "patch" else ["application/json"],
        "produces": ["application/json"],
        "parameters": [{"name": parameter, "in": "query", "type": "string"} for parameter in parameters],
        "responses": {"200": {"description": "OK"}},
    }


def _operation_v3(resource: Resource, version: str, name: str, action: str, parameters: tuple[str, ...]) -> Schema:
    reference = {"schema": {"$ref": f"#/components/schemas/{_name(resource, version)}"}}
    operation = {
        **_operation(resource, version, name, action),
        "parameters": [{"name": item, "in": "query", "schema": {"type": "string"}} for item in parameters],
        "responses": {"200": {"description": "OK", "content": {"application/json": reference}}},
    }
    if action in ("post", "put"):
        operation["requestBody"] = {"required": True, "content": {"application/json": reference}}
    elif action == "patch":
        content = {kind: {"schema": {"type": "object"}} for kind in _PATCHES}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


_V3_ONLY = ("nullable", "anyOf", "oneOf", "not")


def _for_v2(schema: Schema) -> Schema:
    """What OpenAPI 2 cannot say is left open, because clients refuse what a narrower schema does not allow: members
    beyond the known ones, a null, a number or a text."""
    if schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-int-or-string"):
        kept = ("description", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string")
        return {key: value for key, value in schema.items() if key in kept}
    result = {key: value for key, value in schema.items() if key not in _V3_ONLY}
    if "properties" in schema:
        result["properties"] = {key: _for_v2(value) for key, value in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            result[key] = _for_v2(schema[key])
    return result
