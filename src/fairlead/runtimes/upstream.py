"""Asking another service from a unit's own code: a transformer its predictor, an explainer the model it explains.

The service is one of ours, which the back-end leads to through a socket where host names mean what they mean in a
cluster, or any other at its address. Calls block, on whichever thread the unit runs on; connections are kept and shared
between threads.
"""

import http.client
import json
import re
import socket
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from fairlead.errors import FairleadError, NotReady, UnitFailed
from fairlead.runtimes.failures import Refused

ALWAYS = ("x-request-id", "x-b3-traceid", "authorization", "traceparent", "tracestate")
"""The headers that always travel on: those of KServe's SDK, and the W3C's for traces."""
_NEVER = frozenset(("host", "content-length", "content-type", "content-encoding", "connection", "transfer-encoding"))
_MOST_IDLE = 16


class Answer(NamedTuple):
    """What the service said."""

    status: int
    reason: str
    body: bytes


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
        body = json.dumps(value).encode()
        answer = self.post(path, body, {**travelling(headers, self.place.headers), "Content-Type": "application/json"})
        if answer.status != 200:
            raise Refused(_words(answer), http=answer.status, reason="UpstreamRefused")
        try:
            return json.loads(answer.body)
        except ValueError:
            raise UnitFailed(f"{self.place.url}{path} answered what is not JSON") from None

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """One call. Raises `NotReady` when the service cannot be reached."""
        for attempt in range(self.place.retries + 1):
            try:
                return self._post(f"{self._prefix}{path}", body, headers)
            except (OSError, http.client.HTTPException) as error:
                if attempt == self.place.retries:
                    raise self._unreachable(error) from error
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
            whole = Answer(answer.status, answer.reason, answer.read())
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

    def _unreachable(self, error: Exception) -> FairleadError:
        if isinstance(error, TimeoutError):
            return Refused(
                f"{self.place.url} did not answer within {self.place.timeout_s:g} s", http=504, reason="UpstreamTimeout"
            )
        words = "All connection attempts failed" if isinstance(error, OSError) else str(error)
        return NotReady(f"ConnectError : {words} ({self.place.host}: {error})")


class Callers:
    """One caller for each place, kept for as long as the process lives."""

    def __init__(self) -> None:
        self._callers: dict[Place, Caller] = {}
        self._making = threading.Lock()

    def of(self, place: Place) -> Caller:
        """The caller of a place."""
        found = self._callers.get(place)
        if found is None:
            with self._making:
                found = self._callers.setdefault(place, Caller(place))
        return found


def travelling(headers: Mapping[str, str], patterns: Iterable[str]) -> dict[str, str]:
    """The headers of a request that go on to the service: a pattern may match any part of a name."""
    wanted = [re.compile(pattern) for pattern in patterns]
    return {
        name: value
        for name, value in headers.items()
        if name.lower() in ALWAYS
        or (name.lower() not in _NEVER and any(pattern.search(name) is not None for pattern in wanted))
    }


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


def _words(answer: Answer) -> str:
    """What the service said of its refusal, in the shapes that are about."""
    try:
        told = json.loads(answer.body)
    except ValueError:
        return answer.body.decode("utf-8", "replace").strip() or answer.reason
    if isinstance(told, dict):
        for key in ("error", "detail", "message"):
            if isinstance(told.get(key), str):
                return str(told[key])
    return answer.reason
