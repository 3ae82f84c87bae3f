"""A plain HTTP client for any Kubernetes API: requests as they are on the wire, answers with code and headers."""

import ssl
import tempfile
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import yaml

Document = dict[str, Any]

JSON, MERGE, STRATEGIC, OPERATIONS, APPLY = (
    "application/json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/json-patch+json",
    "application/apply-patch+yaml",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    code: int
    body: Any
    warnings: tuple[str, ...] = ()
    retry_after: str = ""

    @property
    def version(self) -> str:
        return str(self.body["metadata"]["resourceVersion"])


class Api:
    """Requests to one server."""

    def __init__(self, url: str, http: aiohttp.ClientSession, headers: dict[str, str] | None = None) -> None:
        self.url = url
        self.http = http
        self._headers = headers or {}

    async def call(self, method: str, path: str, body: Any = None, *, media: str = JSON, **params: str) -> Answer:
        """One request."""
        headers = self._headers | ({"Content-Type": media} if body is not None else {})
        data = None if body is None else orjson.dumps(body)
        async with self.http.request(method, self.url + path, data=data, headers=headers, params=params) as answer:
            text = await answer.read()
            return Answer(
                answer.status,
                orjson.loads(text) if text.startswith(b"{") else text.decode(),
                tuple(answer.headers.getall("Warning", [])),
                answer.headers.get("Retry-After", ""),
            )

    async def get(self, path: str, **params: str) -> Answer:
        return await self.call("GET", path, **params)

    async def create(self, path: str, body: Document, **params: str) -> Answer:
        return await self.call("POST", path, body, **params)

    async def replace(self, path: str, body: Document, **params: str) -> Answer:
        return await self.call("PUT", path, body, **params)

    async def merge(self, path: str, body: Document, **params: str) -> Answer:
        return await self.call("PATCH", path, body, media=MERGE, **params)

    async def apply(self, path: str, body: Document, manager: str = "one", **params: str) -> Answer:
        return await self.call("PATCH", path, body, media=APPLY, fieldManager=manager, **params)

    async def delete(self, path: str, body: Document | None = None, **params: str) -> Answer:
        return await self.call("DELETE", path, body, **params)

    @asynccontextmanager
    async def watch(self, path: str, **params: str) -> AsyncIterator["Events"]:
        """Follow a collection until the block ends."""
        asked = {"watch": "true", **params}
        async with self.http.get(self.url + path, headers=self._headers, params=asked) as answer:
            yield Events(answer)


class Events:
    """The events of a watch, one at a time."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.code = answer.status
        self._answer = answer

    async def next(self) -> tuple[str, Document]:
        """The next event's type and object; raises `EOFError` when the server has ended the watch."""
        line = await self._answer.content.readline()
        if not line:
            raise EOFError
        event = orjson.loads(line)
        return event["type"], event["object"]


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[Api]:
    """A client of the server that a kubeconfig names: with a token or a client certificate."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0].get("user") or {}
    headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    connector = aiohttp.TCPConnector(ssl=_context(cluster, user)) if cluster["server"].startswith("https") else None
    async with aiohttp.ClientSession(connector=connector) as http:
        yield Api(cluster["server"].rstrip("/"), http, headers)


def _context(cluster: Document, user: Document) -> ssl.SSLContext:
    authority = cluster.get("certificate-authority-data")
    context = ssl.create_default_context(
        cafile=cluster.get("certificate-authority"), cadata=b64decode(authority).decode() if authority else None
    )
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if "client-certificate-data" in user:
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder, "client-certificate"), Path(folder, "client-key")
            for path in (certificate, key):
                path.write_bytes(b64decode(user[f"{path.name}-data"]))
            context.load_cert_chain(certificate, key)
    elif "client-certificate" in user:
        context.load_cert_chain(user["client-certificate"], user["client-key"])
    return context
