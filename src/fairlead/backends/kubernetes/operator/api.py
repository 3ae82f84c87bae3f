"""Calls of the Kubernetes API, as JSON in and out: paced, counted, and with failures in our own words.

It goes through lightkube's connection and not through its models, because a model knows the fields of its own day, and
what users wrote must come back as it went in.
"""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import orjson

from fairlead.backends.kubernetes.operator.limiting import Bucket
from fairlead.backends.kubernetes.operator.metering import Meter
from fairlead.backends.kubernetes.operator.ownership import MANAGER
from fairlead.backends.kubernetes.operator.resources import ObjectKey, ResourceType
from fairlead.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    FairleadError,
    Forbidden,
    Gone,
    InvalidManifest,
    MethodNotAllowed,
    NotFound,
    Retryable,
    TooLarge,
    Unauthorized,
)

_log = logging.getLogger(__name__)

Json = dict[str, Any]

_PAGE = 500
_PATIENCE = 3
_APPLY = "application/apply-patch+yaml"
_JSON_PATCH = "application/json-patch+json"
_JSON = "application/json"

_REFUSALS: Mapping[int, type[FairleadError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    409: Conflict,
    410: Gone,
    413: TooLarge,
}


@dataclass(slots=True)
class Api:
    """`bucket` paces, `meter` counts. Raises errors of ours: `Retryable` when the server is away or busy."""

    client: httpx2.AsyncClient
    bucket: Bucket
    meter: Meter

    async def get(self, kind: ResourceType, namespace: str, name: str) -> Json | None:
        """One object, as it is now."""
        try:
            return await self._call("get", "GET", kind.path(namespace, name))
        except NotFound:
            return None

    async def list(
        self, kind: ResourceType, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> tuple[list[Json], str]:
        """All objects, and the version of the list. They have a kind of their own, which lists leave out."""
        found: list[Json] = []
        version = ""
        async for page in self._pages(kind.path(namespace), labels, fields):
            version = page["metadata"].get("resourceVersion", "")
            for doc in page.get("items") or ():
                found.append({"apiVersion": kind.api_version, "kind": kind.kind, **doc})
        return found, version

    async def apply(self, kind: ResourceType, doc: Mapping[str, Any], *, manager: str = MANAGER) -> Json:
        """Server-side apply. Forced: the fields that we write on our own objects are ours."""
        metadata = doc["metadata"]
        path = kind.path(metadata.get("namespace", ""), metadata["name"])
        params = {"fieldManager": manager, "force": "true"}
        return await self._call("apply", "PATCH", path, doc, params=params, content_type=_APPLY)

    async def version(self, kind: ResourceType, namespace: str = "") -> str:
        """From where a watch tells everything that is to come."""
        page = await self._call("list", "GET", kind.path(namespace), params={"limit": "1"})
        return str(page["metadata"].get("resourceVersion", ""))

    async def create(self, kind: ResourceType, doc: Mapping[str, Any], *, manager: str = MANAGER) -> Json:
        """A new object."""
        path = kind.path(doc["metadata"].get("namespace", ""))
        return await self._call("create", "POST", path, doc, params={"fieldManager": manager})

    async def update(
        self, kind: ResourceType, doc: Mapping[str, Any], *, subresource: str = "", manager: str = MANAGER
    ) -> Json:
        """Replace an object, or a part of it, unless it changed since it was read."""
        metadata = doc["metadata"]
        path = kind.path(metadata.get("namespace", ""), metadata["name"], subresource=subresource)
        return await self._call("update", "PUT", path, doc, params={"fieldManager": manager})

    async def patch(self, kind: ResourceType, key: ObjectKey, operations: Sequence[Mapping[str, Any]]) -> Json:
        """A JSON patch."""
        path = kind.path(key.namespace, key.name)
        params = {"fieldManager": MANAGER}
        return await self._call("patch", "PATCH", path, list(operations), params=params, content_type=_JSON_PATCH)

    async def delete(self, kind: ResourceType, key: ObjectKey, *, uid: str, leaves_pods: bool = False) -> None:
        """Delete the object of this uid and no other of its name; one that is gone is as good. With `leaves_pods`
        what it made stays."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Orphan" if leaves_pods else "Background",
        }
        try:
            await self._call("delete", "DELETE", kind.path(key.namespace, key.name), body)
        except (NotFound, Conflict):
            return

    async def read(self, path: str) -> Json:
        """Anything else, such as what the server offers."""
        return await self._call("get", "GET", path)

    async def _pages(self, path: str, labels: str, fields: str) -> AsyncIterator[Json]:
        params = {"limit": str(_PAGE)}
        params |= {"labelSelector": labels} if labels else {}
        params |= {"fieldSelector": fields} if fields else {}
        while True:
            page = await self._call("list", "GET", path, params=params)
            yield page
            token = page["metadata"].get("continue")
            if not token:
                return
            params["continue"] = token

    async def _call(
        self,
        verb: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        content_type: str = _JSON,
    ) -> Json:
        content = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": content_type} if content is not None else {}
        for attempt in range(1, _PATIENCE + 1):
            await self.bucket.wait()
            try:
                answer = await self.client.request(method, path, content=content, params=params, headers=headers)
            except httpx2.HTTPError as error:
                self.meter.called(verb, "unreachable")
                raise Retryable(f"the API server does not answer: {str(error) or type(error).__name__}") from error
            self.meter.called(verb, str(answer.status_code))
            if answer.status_code < 300:
                return _read(answer)
            after_s = _after_s(answer)
            if answer.status_code != 429 or after_s is None or attempt == _PATIENCE:
                break
            _log.debug("the API server asks for %s s of rest", after_s)
            await self.bucket.sleep(after_s)
        raise refusal(answer.status_code, answer.content, after_s=after_s)


def refusal(status: int, content: bytes, *, after_s: float | None = None) -> FairleadError:
    """An answer that is not a success, in our words."""
    told = _told(content)
    message = str(told.get("message") or f"the API server answered {status}")
    if status == 429 or status >= 500:
        return Retryable(message, after_s=after_s)
    if status == 409 and told.get("reason") == "AlreadyExists":
        return AlreadyExists(message)
    if status == 422:
        return InvalidManifest((), message=message)
    return _REFUSALS.get(status, FairleadError)(message)


def _read(answer: httpx2.Response) -> Json:
    try:
        found = orjson.loads(answer.content)
    except orjson.JSONDecodeError as error:
        raise Retryable("the API server's answer is not JSON") from error
    if not isinstance(found, dict):
        raise Retryable("the API server's answer is not an object")
    return found


def _told(content: bytes) -> Json:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _after_s(answer: httpx2.Response) -> float | None:
    try:
        return max(0.0, float(answer.headers.get("Retry-After", "")))
    except ValueError:
        return None
