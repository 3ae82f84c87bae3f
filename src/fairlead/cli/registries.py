"""Talks to a registry: the one of this machine's instance, or the one that `--registry` or the environment names.

Uploads and downloads are streams of known length on connections of their own; everything else is small JSON.
"""

import http.client
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from cyclopts import Parameter

from fairlead.cli import kubeconfig
from fairlead.cli.client import ApiError, Client, Unreachable
from fairlead.cli.connection import home_at
from fairlead.cli.exits import UsageError
from fairlead.cli.instance import find_running
from fairlead.cli.kubeconfig import Target
from fairlead.registry.owning import owner_token
from fairlead.storage.registry import TOKEN, URL

_CHUNK_BYTES = 1024 * 1024
# A transfer moves or it is dead; how long the whole takes is nobody's business.
_SILENCE_S = 300.0
Sent = Callable[[int], None]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RegistryConnection:
    """Which registry to talk to."""

    home: Annotated[Path | None, Parameter(env_var="FAIRLEAD_HOME")] = None
    """Where the installation keeps its things (default: ~/.fairlead)."""
    registry: str = ""
    """Address of another registry (default: $FAIRLEAD_REGISTRY_URL, else this machine's). Its token is read from
    $FAIRLEAD_REGISTRY_TOKEN."""

    def open(self) -> "Registry":
        if url := self.registry or os.environ.get(URL, ""):
            if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
                raise UsageError(f"{url!r} is no http(s) address of a registry")
            return Registry(Target(server=url.rstrip("/"), token=os.environ.get(TOKEN, "")))
        return Registry(self._own())

    def _own(self) -> Target:
        home = home_at(self.home)
        if find_running(home) is None:
            raise Unreachable(
                f"Fairlead is not running in {home.root}; `fairlead up` starts it, "
                "and --registry names a registry elsewhere"
            )
        target = kubeconfig.read(home.kubeconfig)
        return target if target.token else Target(server=target.server, ca=target.ca, token=_owners(home.registry))


def _owners(folder: Path) -> str:
    try:
        return owner_token((folder / "secret_key").read_bytes().strip())
    except OSError as error:
        raise Unreachable(f"{folder}: the registry of this home cannot be used: {error.strerror}") from error


class Registry(Client):
    """The registry's API over one connection, and streams beside it."""

    def item(self, kind: str, name: str, version: str = "") -> str:
        """The path of a repository, or of a version in it."""
        path = f"/api/v1/{kind}_repositories/{quote(name, safe='')}"
        return f"{path}/{kind}s/{quote(version, safe='')}" if version else path

    def find(self, path: str) -> Any:
        """What is there, `None` when nothing is."""
        try:
            return self.get(path)
        except ApiError as refusal:
            if refusal.http == http.HTTPStatus.NOT_FOUND or "record not found" in str(refusal):
                return None
            raise

    def upload(self, path: str, chunks: Iterator[bytes], size: int, sent: Sent) -> None:
        """Send an archive through the API."""
        self._put(self._stream(), self._url(path, None), chunks, size, sent, self._headers("application/json"))

    def put_part(self, url: str, part: bytes) -> str:
        """Send one part to the address that the registry signed for it; gives its ETag."""
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=_SILENCE_S)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        answer = self._put(connection, target, iter([part]), len(part), lambda _count: None, {})
        return answer.get("ETag", "")

    @contextmanager
    def download(self, path: str) -> Iterator[http.client.HTTPResponse]:
        """The archive as it comes; its length and digest are in the headers."""
        connection = self._stream()
        try:
            answer = self._send(connection, "GET", self._url(path, None), None, self._headers("*/*"))
            if answer.status >= 400:
                raise _refused(answer.status, answer.read(65536))
            yield answer
        except (http.client.HTTPException, TimeoutError, ConnectionError) as problem:
            raise self._unreachable(problem) from problem
        finally:
            connection.close()

    def _stream(self) -> http.client.HTTPConnection:
        return self._connect(_SILENCE_S)

    def _headers(self, accept: str) -> dict[str, str]:
        headers = {"Accept": accept, "User-Agent": "fairlead-cli"}
        if self.target.token:
            headers["X-YATAI-API-TOKEN"] = self.target.token
        return headers

    def _put(
        self,
        connection: http.client.HTTPConnection,
        url: str,
        chunks: Iterator[bytes],
        size: int,
        sent: Sent,
        headers: Mapping[str, str],
    ) -> http.client.HTTPMessage:
        try:
            connection.request(
                "PUT", url, body=_counted(chunks, sent), headers={**headers, "Content-Length": str(size)}
            )
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as problem:
            raise self._interrupted(connection, problem) from problem
        finally:
            connection.close()
        if answer.status >= 400:
            raise _refused(answer.status, content)
        return answer.headers

    def _interrupted(self, connection: http.client.HTTPConnection, problem: Exception) -> Exception:
        """Who refuses an upload may answer and close before all of it was sent; the answer says more than the pipe."""
        try:
            answer = connection.response_class(connection.sock)
            answer.begin()
            content = answer.read(65536)
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            return self._unreachable(problem)
        return _refused(answer.status, content)


def _counted(chunks: Iterator[bytes], sent: Sent) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        sent(len(chunk))


def _refused(code: int, content: bytes) -> ApiError:
    try:
        said = json.loads(content)
        message = str(said.get("error") or said.get("message") or "")
    except (ValueError, AttributeError):
        message = content.decode(errors="replace").strip()[:500]
    return ApiError(message or http.client.responses.get(code, f"HTTP {code}"), code=code, reason="", details={})
