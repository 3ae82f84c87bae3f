"""Asking another service from a unit's own code: a transformer its predictor, an explainer the model it explains.

The service is one of ours, which the back-end leads to through a socket where host names mean what they mean in a
cluster, or any other at its address. The calls here block, on whichever thread the unit runs on; connections are kept
and shared between threads. `upstream_calls` has those of coroutines.
"""

import http.client
import re
import socket
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from fairlead.errors import FairleadError, NotReady, UnitFailed
from fairlead.protocols import jsontext
from fairlead.runtimes.failures import Refused

ALWAYS = ("x-request-id", "x-b3-traceid", "authorization", "traceparent", "tracestate")
"""The headers that always travel on: those of KServe's SDK, and the W3C's for traces."""
_NEVER = frozenset(("host", "content-length", "content-type", "content-encoding", "connection", "transfer-encoding"))
_MOST_IDLE = 16


class Answer(NamedTuple):
    """What the service said. `retry_after` is that header, as it came."""

    status: int
    body: bytes
    retry_after: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to ask and how. `socket` is the way to our own services, empty for the network. `retries` are for
    connections that fail. `headers` are regular expressions of those that travel on besides `ALWAYS`."""

    host: str
    socket: str = ""
    is_tls: bool = False
    timeout_s: float = 600.0
    retries: int = 0
    headers: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """Scheme and host."""
        return f"{'https' if self.is_tls else 'http'}://{self.host}"


class Caller:
    """Asks one place."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._host, slash, prefix = place.host.partition("/")
        self._prefix = f"/{prefix.rstrip('/')}" if slash else ""
        self._idle: deque[http.client.HTTPConnection] = deque(maxlen=_MOST_IDLE)

    def post_json(self, path: str, value: Any, headers: Mapping[str, str]) -> Any:
        """The JSON that it answers to JSON. Raises `Refused` with its status and words when it refuses, `NotReady` when
        it cannot be reached and `UnitFailed` when it answers something else."""
        body = jsontext.compact(value)
        answer = self.post(path, body, {**travelling(headers, self.place.headers), "Content-Type": "application/json"})
        return read_json(self.place, path, answer.status, answer.retry_after, answer.body)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """One call. Raises `NotReady` when the service cannot be reached."""
        for attempt in range(self.place.retries + 1):
            try:
                return self._post(f"{self._prefix}{path}", body, headers)
            except (OSError, http.client.HTTPException) as error:
                if attempt == self.place.retries:
                    raise unreachable(self.place, error) from error
        raise AssertionError("a call is answered or raises")

    def close(self) -> None:
        """Let go of the connections."""
        while self._idle:
            self._idle.pop().close()

    def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            kept = self._idle.pop()
        except IndexError:
            return self._ask(self._connected(), path, body, headers)
        try:
            return self._ask(kept, path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionError):
            # It was closed between two calls. Whatever was sent into it was not taken.
            return self._ask(self._connected(), path, body, headers)

    def _ask(
        self, connection: http.client.HTTPConnection, path: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        try:
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            after = answer.headers.get("Retry-After")
            whole = Answer(answer.status, answer.read(), after.encode() if after else None)
        except BaseException:
            connection.close()
            raise
        if not answer.will_close and len(self._idle) < _MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.close()
        return whole

    def _connected(self) -> http.client.HTTPConnection:
        place = self.place
        if place.socket:
            return _UnixConnection(self._host, place.socket, timeout_s=place.timeout_s)
        kind = http.client.HTTPSConnection if place.is_tls else http.client.HTTPConnection
        return kind(self._host, timeout=place.timeout_s)


def travelling(headers: Mapping[str, str], patterns: Iterable[str]) -> dict[str, str]:
    """The headers of a request that go on to the service: a pattern may match any part of a name."""
    wanted = [re.compile(pattern) for pattern in patterns]
    return {
        name: value
        for name, value in headers.items()
        if (lower := name.lower()) in ALWAYS
        or (wanted and lower not in _NEVER and any(pattern.search(name) is not None for pattern in wanted))
    }


def read_json(place: Place, path: str, status: int, retry_after: bytes | None, body: bytes) -> Any:
    """The JSON of an answer. Raises `Refused` with its status and words when it refuses, saying when to try again if
    the service does, and `UnitFailed` when it is something else."""
    if status != 200:
        refused = Refused(_words(status, body), http=status, reason="UpstreamRefused")
        refused.after_s = float(retry_after) if retry_after is not None and retry_after.isdigit() else None
        raise refused
    try:
        return jsontext.loads(body)
    except ValueError:
        raise UnitFailed(f"{place.url}{path} answered what is not JSON") from None


def unreachable(place: Place, error: Exception) -> FairleadError:
    """What a call becomes that got no answer."""
    if isinstance(error, TimeoutError):
        said = f"{place.url} did not answer within {place.timeout_s:g} s"
        return Refused(said, http=504, reason="UpstreamTimeout")
    words = "All connection attempts failed" if isinstance(error, OSError) else str(error)
    return NotReady(f"ConnectError : {words} ({place.host}: {error})")


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, to a host of this name."""

    def __init__(self, host: str, path: str, *, timeout_s: float) -> None:
        super().__init__(host, timeout=timeout_s)
        self._path, self._timeout_s = path, timeout_s

    def connect(self) -> None:
        """Connect to the socket instead of the host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._timeout_s)
        self.sock.connect(self._path)


def _words(status: int, body: bytes) -> str:
    """What the service said of its refusal, in the shapes that are about."""
    usual = http.client.responses.get(status, f"status {status}")
    try:
        told = jsontext.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace").strip() or usual
    if isinstance(told, dict):
        for key in ("error", "detail", "message"):
            if isinstance(told.get(key), str):
                return str(told[key])
    return usual
