"""A small client of the Kubernetes-shaped API: JSON requests, watches and log streams over one connection each.

It knows paths, verbs and the shape of errors, and nothing of kinds. Blocking, and made of the standard library
alone, because the command line does one thing at a time and its start-up time is felt.
"""

import http.client
import json
import re
import ssl
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from fairlead.cli.kubeconfig import Target
from fairlead.cli.trust import trusting
from fairlead.errors import FairleadError, Retryable

APPLY_PATCH = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

# A request other than a watch answers from memory or SQLite; one that takes longer is stuck.
_REQUEST_TIMEOUT_S = 60.0


class ApiError(FairleadError):
    """The server's refusal, in its own words."""

    def __init__(self, message: str, *, code: int, reason: str, details: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.http = code
        self.reason = reason
        self.details = details


class Unreachable(Retryable):
    """Nothing answers where the API should be."""


class _NamedTls(http.client.HTTPSConnection):
    """TLS that checks the certificate against `name`: behind a tunnel it is not the host that was dialled."""

    def __init__(self, host: str, port: int | None, *, timeout_s: float | None, context: ssl.SSLContext, name: str):
        super().__init__(host, port, timeout=timeout_s, context=context)
        self._tls = context
        self._name = name

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


class Client:
    """Talks to one API server. Not safe to share between threads. `warn` gets what the server warns of."""

    def __init__(self, target: Target, *, warn: Callable[[str], None] = lambda _text: None) -> None:
        self.target = target
        self._warn = warn
        parts = urllib.parse.urlsplit(target.server)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._prefix = parts.path.rstrip("/")
        self._tls = _tls_context(target) if parts.scheme == "https" else None
        self._kept: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "application/json") -> Any:
        return self.request("GET", path, query=query, accept=accept)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Any:
        """The decoded JSON answer. Raises `ApiError` for a refusal and `Unreachable` when nothing answers."""
        return self.request_with_code(method, path, query=query, body=body, content_type=content_type, accept=accept)[1]

    def request_with_code(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> tuple[int, Any]:
        """The HTTP status beside the decoded answer, for those who tell "created" from "changed"."""
        payload = None if body is None else json.dumps(body).encode()
        headers = self._headers(accept)
        if payload is not None:
            headers["Content-Type"] = content_type
        answer = self._exchange(method, self._url(path, query), payload, headers)
        content = answer.read()
        for warning in answer.headers.get_all("Warning", []):
            self._warn(_warning_text(warning))
        if answer.status >= 400:
            raise _refusal(answer.status, content)
        return answer.status, json.loads(content) if content else None

    def text(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """A body that is no JSON, such as a log."""
        answer = self._exchange("GET", self._url(path, query), None, self._headers("*/*"))
        content = answer.read()
        if answer.status >= 400:
            raise _refusal(answer.status, content)
        return content

    def lines(
        self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "*/*", idle_s: float | None = None
    ) -> Iterator[bytes]:
        """Lines of a body as they come, on a connection of their own. Ends when the server ends it; raises
        `TimeoutError` when nothing comes for `idle_s`."""
        with closing(self._connect(idle_s)) as connection:
            answer = self._send(connection, "GET", self._url(path, query), None, self._headers(accept))
            if answer.status >= 400:
                raise _refusal(answer.status, answer.read())
            try:
                yield from iter(answer.readline, b"")
            except TimeoutError:
                raise
            except (http.client.HTTPException, OSError) as problem:
                raise self._unreachable(problem) from problem

    def watch(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        accept: str = "application/json",
        idle_s: float | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Events of a watch: `{"type": …, "object": …}`. An ERROR event is raised as `ApiError`."""
        for line in self.lines(path, {**(query or {}), "watch": "true"}, accept=accept, idle_s=idle_s):
            if not line.strip():
                continue
            event = json.loads(line)
            if event.get("type") == "ERROR":
                status = event.get("object") or {}
                raise _refusal(int(status.get("code") or 500), json.dumps(status).encode())
            yield event

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _url(self, path: str, query: Mapping[str, str] | None) -> str:
        asked = urllib.parse.urlencode({key: value for key, value in (query or {}).items() if value})
        return f"{self._prefix}{path}" + (f"?{asked}" if asked else "")

    def _headers(self, accept: str) -> dict[str, str]:
        headers = {"Accept": accept, "User-Agent": "fairlead-cli"}
        if self.target.token:
            headers["Authorization"] = f"Bearer {self.target.token}"
        return headers

    def _connect(self, timeout_s: float | None) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)
        name = self.target.tls_name or self._host
        return _NamedTls(self._host, self._port, timeout_s=timeout_s, context=self._tls, name=name)

    def connect_beside(self, host: str, port: int | None, *, timeout_s: float) -> http.client.HTTPSConnection:
        """A connection to another port of the same instance, which has the same certificate."""
        name = self.target.tls_name or host
        return _NamedTls(host, port, timeout_s=timeout_s, context=_tls_context(self.target), name=name)

    def _exchange(
        self, method: str, url: str, payload: bytes | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        """On the kept connection when there is one. The server may have closed it meanwhile, so what is safe to say
        twice is said again on a new one, and what is not starts on a new one."""
        if self._kept is not None and method in ("GET", "PATCH"):
            try:
                return self._send(self._kept, method, url, payload, headers)
            except Unreachable:
                pass
        self.close()
        self._kept = self._connect(_REQUEST_TIMEOUT_S)
        return self._send(self._kept, method, url, payload, headers)

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        url: str,
        payload: bytes | None,
        headers: dict[str, str],
    ) -> http.client.HTTPResponse:
        try:
            connection.request(method, url, body=payload, headers=headers)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as problem:
            connection.close()
            raise self._unreachable(problem) from problem

    def _unreachable(self, problem: Exception) -> Unreachable:
        why = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
        return Unreachable(f"{self.target.server}: {why}")


def _warning_text(header: str) -> str:
    """The words of a Warning header: `299 - "words"` with quotes escaped (RFC 7234 section 5.5)."""
    found = re.fullmatch(r'\d{3} \S+ "(.*)"', header)
    return re.sub(r"\\(.)", r"\1", found[1]) if found else header


def _refusal(code: int, content: bytes) -> ApiError:
    """A `Status` object when the server sent one, else the beginning of what it did send."""
    try:
        status = json.loads(content)
        # The registry's routes say `error` where Kubernetes says `message`.
        message = str(status["message"] if "message" in status else status["error"])
    except (ValueError, KeyError, TypeError):
        text = content.decode(errors="replace").strip()[:500]
        return ApiError(text or http.client.responses.get(code, f"HTTP {code}"), code=code, reason="", details={})
    details = status.get("details")
    return ApiError(
        message,
        code=int(status.get("code") or code),
        reason=str(status.get("reason") or ""),
        details=details if isinstance(details, dict) else {},
    )


def _tls_context(target: Target) -> ssl.SSLContext:
    context = trusting(target.ca) if target.ca else ssl.create_default_context()
    if target.is_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if target.client_certificate:
        # The ssl module takes a certificate chain from a file only; this one is ours alone and gone at once.
        with tempfile.TemporaryDirectory(prefix="fairlead-") as folder:
            pair = Path(folder) / "client.pem"
            pair.write_bytes(target.client_certificate + b"\n" + target.client_key)
            context.load_cert_chain(pair)
    return context
