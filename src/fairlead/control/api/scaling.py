"""The `scale` subresource: one number of an object as autoscaling/v1 Scale, read and written without the rest."""

from typing import Any

from starlette.responses import Response

from fairlead.control import faults
from fairlead.control.api import jsonpath, patching, validation
from fairlead.control.api.answers import json_response
from fairlead.control.api.calls import Call, parse_document, parse_json, unsupported
from fairlead.control.api.schemas import SCALE
from fairlead.control.api.writing import Writing
from fairlead.control.ledger import Document
from fairlead.control.store import Store
from fairlead.errors import BadRequest

_MERGES = (
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
_JSON = "application/json-patch+json"


class Scaling:
    """Writes go through the same rules as any update of the object."""

    def __init__(self, store: Store, writing: Writing) -> None:
        self._store = store
        self._writing = writing

    async def get(self, call: Call) -> Response:
        """The present numbers."""
        stored = await self._store.get(call.resource.storage, call.namespace, call.address.name)
        return json_response(_scale_of(call, stored), pretty=call.is_pretty)

    async def update(self, call: Call) -> Response:
        """Replace the wish."""
        sent = parse_document(await call.body(), call.media)
        return await self._write(call, lambda _scale: sent)

    async def patch(self, call: Call) -> Response:
        """Patch the Scale object and take its wish."""
        kind = call.media.type
        if kind not in (*_MERGES, _JSON):
            raise unsupported(_JSON, *_MERGES)
        patch = parse_document(await call.body(), call.media) if kind == _MERGES[-1] else parse_json(await call.body())
        if kind == _JSON:
            return await self._write(call, lambda scale: patching.json_patch(scale, patch))
        return await self._write(call, lambda scale: patching.merge_patch(scale, patch))

    async def _write(self, call: Call, change: Any) -> Response:
        def edit(old: Document) -> Document:
            scale = change(_scale_of(call, old))
            new = _with_path(old, call.resource.kind.scale_path, _wish_of(call, scale))
            version = (scale.get("metadata") or {}).get("resourceVersion") or ""
            new["metadata"] = {**new["metadata"], "resourceVersion": version}
            return self._writing.rescaled(call, old, new)

        stored = await self._store.change(
            call.resource.storage, call.namespace, call.address.name, edit, dry_run=call.is_dry_run
        )
        return json_response(_scale_of(call, stored), pretty=call.is_pretty)


def _wish_of(call: Call, scale: Any) -> int:
    if not isinstance(scale, dict):
        raise BadRequest("the body of the request is not a Scale object")
    findings = validation.examine(SCALE, scale)
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    problems = list(findings.problems)
    if not problems and replicas < 0:
        text = f"Invalid value: {replicas}: must be greater than or equal to 0"
        problems.append(faults.problem("spec.replicas", text, value=str(replicas)))
    if problems:
        raise faults.invalid(call.resource.kind, call.address.name, problems)
    return int(replicas)


def _scale_of(call: Call, stored: Document) -> Document:
    kind, metadata = call.resource.kind, stored["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"replicas": _number(stored, kind.scale_path)},
        "status": {"replicas": _number(stored, kind.scale_status_path)},
    }


def _number(document: Document, path: str) -> int:
    found = jsonpath.find(document, path) if path else []
    return int(found[0]) if found and isinstance(found[0], int) else 0


def _with_path(document: Document, path: str, value: int) -> Document:
    """A copy with the number at a path of plain fields, made where it is missing."""
    first, *rest = path.strip(".").split(".")

    def put(node: Any, name: str, below: list[str]) -> dict[str, Any]:
        node = node if isinstance(node, dict) else {}
        return {**node, name: put(node.get(name), below[0], below[1:]) if below else value}

    return put(document, first, rest)
