"""The scale subresource."""

from typing import Any

import orjson

from fairlead.control.api import patching
from support.cluster.calls import Call, patch_type
from support.cluster.kinds import Scale
from support.cluster.refusals import bad_request, not_found
from support.cluster.state import State
from support.cluster.writing import Writing

Document = dict[str, Any]


class Scaling:
    """Reads and writes the number of replicas through `Scale` objects."""

    def __init__(self, state: State, writing: Writing) -> None:
        self._state = state
        self._writing = writing

    async def perform(self, call: Call) -> tuple[Document, int, list[str]]:
        """GET, PUT and PATCH."""
        found = self._state.storage.get(call.resource.key, call.namespace, call.name)
        scale = call.resource.scale
        if found is None or scale is None:
            raise not_found(call.resource.group, call.resource.plural, call.name)
        shown = _scale(found, scale)
        if call.verb == "get":
            return shown, 200, []
        wanted = self._wanted(call, shown)
        replicas = (wanted.get("spec") or {}).get("replicas", 0)
        if not isinstance(replicas, int) or replicas < 0:
            raise bad_request("spec.replicas must be a number that is not negative")
        written = await self._write(call, scale, replicas)
        return _scale(written, scale), 200, []

    def _wanted(self, call: Call, shown: Document) -> Document:
        if call.verb == "update":
            body: Document = call.document()
            return body
        kind = patch_type(call)
        changed = (
            patching.json_patch(shown, call.document())
            if kind == "json"
            else patching.merge_patch(shown, call.document())
        )
        return dict(changed)

    async def _write(self, call: Call, scale: Scale, replicas: int) -> Document:
        patch: Any = replicas
        for name in reversed(scale.replicas.strip(".").split(".")):
            patch = {name: patch}
        inner = Call(
            method="PATCH",
            resource=call.resource,
            version=call.version,
            namespace=call.namespace,
            name=call.name,
            subresource="scale",
            params=call.params,
            content_type="application/merge-patch+json",
            user_agent=call.user_agent,
            user=call.user,
            groups=call.groups,
            body=orjson.dumps(patch),
        )
        return (await self._writing.patch(inner)).document


def _at(document: Document, path: str) -> Any:
    value: Any = document
    for name in path.strip(".").split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _scale(document: Document, scale: Scale) -> Document:
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    metadata = {key: document["metadata"][key] for key in kept if key in document["metadata"]}
    status: Document = {"replicas": _at(document, scale.status_replicas) or 0}
    selector = _at(document, scale.selector) if scale.selector else _selector(document)
    if selector:
        status["selector"] = selector
    spec = {"replicas": _at(document, scale.replicas) or 0}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def _selector(document: Document) -> str:
    labels = ((document.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
