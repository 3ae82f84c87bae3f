"""Which groups, versions and kinds there are, in both ways that clients ask; and as much OpenAPI as kubectl needs to
see that the server validates fields and can do without writing.
"""

from typing import Any

from support.cluster.kinds import Kinds, Resource

Document = dict[str, Any]

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
REVIEWS = {
    ("authorization.k8s.io", "selfsubjectaccessreviews"): "SelfSubjectAccessReview",
    ("authorization.k8s.io", "selfsubjectrulesreviews"): "SelfSubjectRulesReview",
    ("authorization.k8s.io", "subjectaccessreviews"): "SubjectAccessReview",
    ("authentication.k8s.io", "selfsubjectreviews"): "SelfSubjectReview",
    ("authentication.k8s.io", "tokenreviews"): "TokenReview",
}
_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation", "force")


def groups(kinds: Kinds) -> dict[str, list[str]]:
    """Every named group with its versions."""
    found = {group: versions for group, versions in kinds.groups().items() if group}
    return found | {group: ["v1"] for group, _ in REVIEWS}


def group(kinds: Kinds, name: str) -> Document | None:
    """`/apis/<group>`."""
    if name not in (known := groups(kinds)):
        return None
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in known[name]]
    body = {"name": name, "versions": versions, "preferredVersion": versions[0]}
    return {"kind": "APIGroup", "apiVersion": "v1", **body}


def group_list(kinds: Kinds) -> Document:
    """`/apis`."""
    found = [group(kinds, name) or {} for name in groups(kinds)]
    bare = [{key: value for key, value in item.items() if key not in ("kind", "apiVersion")} for item in found]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": bare}


def core_versions(host: str) -> Document:
    """`/api`."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": host}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def resource_list(kinds: Kinds, of_group: str, version: str) -> Document | None:
    """`/api/v1` and `/apis/<group>/<version>`."""
    entries = [
        entry
        for resource in kinds
        if resource.group == of_group and version in resource.versions
        for entry in _entries(resource)
    ]
    entries += [
        {"name": plural, "singularName": "", "namespaced": False, "kind": kind, "verbs": ["create"]}
        for (review_group, plural), kind in REVIEWS.items()
        if review_group == of_group
    ]
    if not entries:
        return None
    about = f"{of_group}/{version}" if of_group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": about, "resources": entries}


def _below(resource: Resource) -> list[Document]:
    verbs = ["get", "patch", "update"]
    found: list[Document] = []
    if resource.has_status:
        found.append({"name": "status", "kind": resource.kind, "group": "", "version": "", "verbs": verbs})
    if resource.scale:
        found.append({"name": "scale", "kind": "Scale", "group": "autoscaling", "version": "v1", "verbs": verbs})
    return found


def _entries(resource: Resource) -> list[Document]:
    shared = {"namespaced": resource.is_namespaced}
    entry: Document = {"name": resource.plural, "singularName": resource.singular, **shared, "kind": resource.kind}
    entry["verbs"] = _VERBS
    entry |= {"shortNames": list(resource.short_names)} if resource.short_names else {}
    entry |= {"categories": list(resource.categories)} if resource.categories else {}
    below = [
        {"name": f"{resource.plural}/{item['name']}", "singularName": "", **shared}
        | {key: item[key] for key in ("group", "version", "kind", "verbs") if item[key]}
        for item in _below(resource)
    ]
    return [entry, *below]


def aggregated(kinds: Kinds, version: str, *, core: bool) -> Document:
    """Everything under `/api` or `/apis` at once."""
    wanted = {"": ["v1"]} if core else groups(kinds)
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None},
            "versions": [
                {"version": item, "freshness": "Current", "resources": _aggregated(kinds, name, item)}
                for item in versions
            ],
        }
        for name, versions in wanted.items()
    ]
    api_version = f"apidiscovery.k8s.io/{version}"
    return {"kind": "APIGroupDiscoveryList", "apiVersion": api_version, "metadata": {}, "items": items}


def _aggregated(kinds: Kinds, of_group: str, version: str) -> list[Document]:
    place = {"group": of_group, "version": version}
    found = [
        _aggregated_kind(resource, place)
        for resource in kinds
        if resource.group == of_group and version in resource.versions
    ]
    for (review_group, plural), kind in REVIEWS.items():
        if review_group == of_group:
            about = {"resource": plural, "responseKind": {**place, "kind": kind}, "scope": "Cluster"}
            found.append({**about, "singularResource": kind.lower(), "verbs": ["create"]})
    return found


def _aggregated_kind(resource: Resource, place: Document) -> Document:
    entry: Document = {
        "resource": resource.plural,
        "responseKind": {**place, "kind": resource.kind},
        "scope": "Namespaced" if resource.is_namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": _VERBS,
    }
    entry |= {"shortNames": list(resource.short_names)} if resource.short_names else {}
    entry |= {"categories": list(resource.categories)} if resource.categories else {}
    below = []
    for item in _below(resource):
        at = {"group": item["group"], "version": item["version"]} if item["group"] else place
        below.append(
            {"subresource": item["name"], "responseKind": {**at, "kind": item["kind"]}, "verbs": item["verbs"]}
        )
    return entry | ({"subresources": below} if below else {})


def _place(of_group: str, version: str) -> str:
    return f"apis/{of_group}/{version}" if of_group else f"api/{version}"


def openapi_index(kinds: Kinds) -> Document:
    """`/openapi/v3`."""
    places = [_place(name, version) for name, versions in kinds.groups().items() for version in versions]
    return {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}"} for place in places}}


def openapi(kinds: Kinds, place: str, *, is_v2: bool = False) -> Document:
    """The operations of one group and version (of all, for version 2), without schemas."""
    paths: Document = {}
    for resource in kinds:
        for version in resource.versions:
            if is_v2 or _place(resource.group, version) == place:
                paths[_path(resource, version)] = _operations(resource, version, is_v2=is_v2)
    info = {"title": "Kubernetes", "version": "v1"}
    return (
        {"swagger": "2.0", "info": info, "paths": paths, "definitions": {}}
        if is_v2
        else {
            "openapi": "3.0.0",
            "info": info,
            "paths": paths,
            "components": {"schemas": {}},
        }
    )


def _path(resource: Resource, version: str) -> str:
    inner = "namespaces/{namespace}/" if resource.is_namespaced else ""
    return f"/{_place(resource.group, version)}/{inner}{resource.plural}/{{name}}"


def _operations(resource: Resource, version: str, *, is_v2: bool) -> Document:
    about = {"group": resource.group, "kind": resource.kind, "version": version}
    typed: Document = {"type": "string"} if is_v2 else {"schema": {"type": "string"}}
    parameters = [{"name": name, "in": "query", **typed} for name in _PARAMETERS]
    operation = {
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": about,
        "parameters": parameters,
        "responses": {"200": {"description": "OK"}},
    }
    return {"patch": {**operation, "operationId": f"patch{resource.group}{version}{resource.kind}"}}
