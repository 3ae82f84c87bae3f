"""Which groups, versions and kinds there are, in both ways that clients ask: one list per version, or everything at
once (aggregated discovery).
"""

from typing import Any

from fairlead.control.api.access import REVIEWS
from fairlead.control.api.negotiation import parse_accept
from fairlead.control.api.resources import Resource, Resources
from fairlead.dialects.base import Kind

_AGGREGATED = ("v2", "v2beta1")


def aggregated_version(accept: str) -> str:
    """The version of aggregated discovery that a client prefers to plain lists; empty for plain lists."""
    for media in parse_accept(accept):
        if media.parameter("as") == "APIGroupDiscoveryList" and media.parameter("v") in _AGGREGATED:
            return media.parameter("v")
        if not media.parameters and media.type in ("application/json", "*/*"):
            return ""
    return ""


class Discovery:
    """Built once: what is served does not change while the server runs."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._groups = {group: versions for group, versions in resources.groups.items() if group}
        for kind in REVIEWS:
            self._groups.setdefault(kind.group, list(kind.versions))

    def core_versions(self, host: str) -> dict[str, Any]:
        """`/api`."""
        addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": host}]
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}

    def group_list(self) -> dict[str, Any]:
        """`/apis`."""
        groups = [self._group(name) for name in self._groups]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}

    def group(self, name: str) -> dict[str, Any] | None:
        """`/apis/<group>`."""
        return {"kind": "APIGroup", "apiVersion": "v1", **self._group(name)} if name in self._groups else None

    def _group(self, name: str) -> dict[str, Any]:
        versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in self._groups[name]]
        return {"name": name, "versions": versions, "preferredVersion": versions[0]}

    def resource_list(self, group: str, version: str) -> dict[str, Any] | None:
        """`/api/v1` and `/apis/<group>/<version>`."""
        if version not in (["v1"] if not group else self._groups.get(group, ())):
            return None
        entries = [entry for resource in self._resources.of(group, version) for entry in _entries(resource)]
        entries += [_review(kind) for kind in REVIEWS if kind.group == group]
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": entries,
        }

    def aggregated(self, version: str, *, core: bool) -> dict[str, Any]:
        """Everything under `/api` or `/apis` at once."""
        groups = {"": ["v1"]} if core else self._groups
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"apidiscovery.k8s.io/{version}",
            "metadata": {},
            "items": [self._aggregated_group(group, versions) for group, versions in groups.items()],
        }

    def _aggregated_group(self, group: str, versions: list[str]) -> dict[str, Any]:
        listed = []
        for version in versions:
            resources = [_aggregated(resource, version) for resource in self._resources.of(group, version)]
            resources += [_aggregated_review(kind) for kind in REVIEWS if kind.group == group]
            listed.append({"version": version, "freshness": "Current", "resources": resources})
        return {"metadata": {"name": group, "creationTimestamp": None}, "versions": listed}


def _subresources(resource: Resource) -> list[tuple[str, str, str, list[str]]]:
    """Name, group and version of the kind (empty for the resource's own), kind, verbs."""
    found = []
    if resource.kind.has_status and not resource.kind.is_read_only and not resource.stored:
        found.append(("status", "", resource.kind.kind, ["get", "patch", "update"]))
    if resource.kind.scale_path:
        found.append(("scale", "autoscaling/v1", "Scale", ["get", "patch", "update"]))
    if resource.has_log:
        found.append(("log", "", resource.kind.kind, ["get"]))
    return found


def _entries(resource: Resource) -> list[dict[str, Any]]:
    kind = resource.kind
    entry: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.is_namespaced,
        "kind": kind.kind,
        "verbs": sorted(resource.verbs),
        "storageVersionHash": "",
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    below = []
    for name, group_version, kind_name, verbs in _subresources(resource):
        group, _, of_version = group_version.partition("/")
        below.append(
            {
                "name": f"{kind.plural}/{name}",
                "singularName": "",
                "namespaced": kind.is_namespaced,
                **({"group": group, "version": of_version} if group else {}),
                "kind": kind_name,
                "verbs": verbs,
            }
        )
    return [entry, *below]


def _review(kind: Kind) -> dict[str, Any]:
    return {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.is_namespaced,
        "kind": kind.kind,
        "verbs": ["create"],
    }


def _aggregated(resource: Resource, version: str) -> dict[str, Any]:
    kind = resource.kind
    own = {"group": kind.group, "version": version}
    below = []
    for name, group_version, kind_name, verbs in _subresources(resource):
        group, _, of_version = group_version.partition("/")
        place = {"group": group, "version": of_version} if group else own
        below.append({"subresource": name, "responseKind": {**place, "kind": kind_name}, "verbs": verbs})
    return {
        "resource": kind.plural,
        "responseKind": {**own, "kind": kind.kind},
        "scope": "Namespaced" if kind.is_namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": sorted(resource.verbs),
        **({"shortNames": list(kind.short_names)} if kind.short_names else {}),
        **({"categories": list(kind.categories)} if kind.categories else {}),
        **({"subresources": below} if below else {}),
    }


def _aggregated_review(kind: Kind) -> dict[str, Any]:
    return {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.versions[0], "kind": kind.kind},
        "scope": "Namespaced" if kind.is_namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": ["create"],
    }
