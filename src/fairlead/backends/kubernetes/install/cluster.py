"""The few calls that installing needs, with every object as the document it is. Unlike the operator's, an apply here
may be told to leave alone what somebody else has changed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from fairlead.backends.kubernetes.operator.api import refusal
from fairlead.errors import Conflict, NotFound, Retryable

Json = dict[str, Any]
MANAGER = "fairlead-install"
_IRREGULAR = {"NetworkPolicy": "networkpolicies"}


def path_of(doc: Mapping[str, Any]) -> str:
    """Where an object is. One of a namespace says which."""
    metadata = doc["metadata"]
    place = f"/namespaces/{metadata['namespace']}" if metadata.get("namespace") else ""
    return f"{_root(doc['apiVersion'])}{place}/{plural_of(doc['kind'])}/{metadata['name']}"


def plural_of(kind: str) -> str:
    """The plural of a kind in paths; all that installations have are regular but for those listed."""
    return _IRREGULAR.get(kind, f"{kind.lower()}s")


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def label_of(doc: Mapping[str, Any]) -> str:
    """An object in messages, as kubectl prints it."""
    group = doc["apiVersion"].rpartition("/")[0]
    kind = f"{doc['kind'].lower()}.{group}" if group else doc["kind"].lower()
    return f"{kind}/{doc['metadata']['name']}"


@dataclass(frozen=True, slots=True)
class Cluster:
    """`client` has the API server's address and our identity."""

    client: httpx2.AsyncClient

    async def get(self, path: str) -> Json | None:
        """An object or a list; `None` for what is not there."""
        try:
            return await self._call("GET", path)
        except NotFound:
            return None

    async def apply(self, doc: Mapping[str, Any], *, manager: str = MANAGER, is_forced: bool = True) -> str:
        """Server-side apply; `created`, `configured` or `unchanged`. Without force raises `Conflict` where somebody
        else has set a field to something else."""
        path = path_of(doc)
        before = await self.get(path)
        params = {"fieldManager": manager, "force": "true" if is_forced else "false"}
        after = await self._call("PATCH", path, doc, params=params, sort="application/apply-patch+yaml")
        if before is None:
            return "created"
        return "unchanged" if _essence(before) == _essence(after) else "configured"

    async def patch(self, path: str, operations: list[Json]) -> Json:
        """A JSON patch."""
        return await self._call("PATCH", path, operations, sort="application/json-patch+json")

    async def delete(self, path: str) -> bool:
        """Whether it was there. What it owns goes with it."""
        try:
            await self._call("DELETE", path, {"kind": "DeleteOptions", "propagationPolicy": "Background"})
        except NotFound:
            return False
        except Conflict:
            # It is being deleted already.
            return True
        return True

    async def _call(
        self, method: str, path: str, body: Any = None, *, params: Mapping[str, str] | None = None, sort: str = ""
    ) -> Json:
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": sort or "application/json"} if content is not None else {}
        try:
            answer = await self.client.request(method, path, content=content, params=params, headers=headers)
        except httpx2.HTTPError as error:
            raise Retryable(f"the API server does not answer: {error or type(error).__name__}") from error
        if answer.status_code >= 300:
            raise refusal(answer.status_code, answer.content)
        found: Json = json.loads(answer.content)
        return found


def _essence(doc: Json) -> Json:
    """An object without what changes by itself: a status may be written between two looks."""
    ignored = ("resourceVersion", "managedFields")
    metadata = {key: value for key, value in doc["metadata"].items() if key not in ignored}
    return {**{key: value for key, value in doc.items() if key != "status"}, "metadata": metadata}
