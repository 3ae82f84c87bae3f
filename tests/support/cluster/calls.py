"""A request in Kubernetes' words: the place it is about, its options and its body."""

from dataclasses import dataclass, field
from typing import Any

import orjson
import yaml

from fairlead.control.api import kube_proto
from fairlead.errors import FairleadError
from support.cluster.kinds import Kinds, Resource
from support.cluster.refusals import Refusal, bad_request, no_such_place

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request for a resource."""

    method: str
    resource: Resource
    version: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    params: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    accept: str = ""
    user_agent: str = ""
    user: str = "system:admin"
    groups: tuple[str, ...] = ("system:masters", "system:authenticated")
    body: bytes = b""

    @property
    def verb(self) -> str:
        """As RBAC, audit logs and our own log of requests call it."""
        if self.method == "GET":
            if self.flag("watch"):
                return "watch"
            return "get" if self.name else "list"
        if self.method == "DELETE":
            return "delete" if self.name else "deletecollection"
        if self.method == "PATCH":
            return "apply" if "apply-patch" in self.content_type else "patch"
        return {"POST": "create", "PUT": "update"}[self.method]

    @property
    def api_version(self) -> str:
        return self.resource.api_version(self.version)

    @property
    def manager(self) -> str:
        """Who owns what this call writes."""
        return self.params.get("fieldManager") or self.user_agent.partition("/")[0] or "unknown"

    @property
    def is_dry_run(self) -> bool:
        return self.params.get("dryRun") == "All"

    def flag(self, name: str) -> bool:
        """A parameter that is on or off."""
        return self.params.get(name, "").lower() in ("true", "1", "t")

    def number(self, name: str) -> int:
        """A parameter that is a number; 0 if it is not there."""
        text = self.params.get(name) or "0"
        if not text.isdigit():
            raise bad_request(f'strconv.ParseUint: parsing "{text}": invalid syntax')
        return int(text)

    def document(self) -> Any:
        """The body, decoded."""
        try:
            if self.content_type == kube_proto.MEDIA_TYPE:
                return kube_proto.decode(self.body)
            # JSON is YAML, and forty times as quick to read as JSON.
            if "yaml" in self.content_type and not self.body.lstrip().startswith(b"{"):
                return yaml.load(self.body, Loader=yaml.CSafeLoader)
            return orjson.loads(self.body)
        except (ValueError, yaml.YAMLError, FairleadError) as error:
            raise bad_request(
                f"the object provided is unrecognized (must be of type {self.resource.kind}): {error}"
            ) from error


def address(kinds: Kinds, path: str) -> dict[str, Any]:
    """What a path is about: the resource, version, namespace, name and subresource of a `Call`."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise no_such_place()
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and not (not group and rest[2] in ("status", "finalize")):
        namespace, rest = rest[1], rest[2:]
    resource = kinds.find(group, version, rest[0])
    if resource is None or len(rest) > 3 or (namespace and not resource.is_namespaced):
        raise no_such_place()
    name, subresource = (*rest[1:], "", "")[:2]
    if name and resource.is_namespaced and not namespace:
        raise no_such_place()
    return {
        "resource": resource,
        "version": version,
        "namespace": namespace,
        "name": name,
        "subresource": subresource,
    }


PATCHES = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}


def patch_type(call: Call) -> str:
    """Which of the four patches a call sends."""
    media = call.content_type.partition(";")[0].strip()
    known = PATCHES.get(media)
    if known is None or (known == "strategic" and call.resource.is_custom):
        accepted = [name for name, kind in PATCHES.items() if not (kind == "strategic" and call.resource.is_custom)]
        text = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
        raise Refusal(415, "UnsupportedMediaType", text)
    return known
