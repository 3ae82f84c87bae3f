"""The agent's answer to whether the pod is ready: what the server beside it says when it is probed as its own manifest
asks.

With an agent in the pod, Kubernetes probes the agent and marks these requests with a header; every other request goes
on to the server.
"""

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.dataplane.graph.checking import Check, connecting
from fairlead.dataplane.graph.driving import drive
from fairlead.dataplane.graph.executor import Executor
from fairlead.dataplane.graph.remote import Peer, PeerFailed
from fairlead.errors import ConfigError
from fairlead.protocols.exchange import Request, Response, ServerHandler, ServerReply

PROBE = "SERVING_READINESS_PROBE"
_HEADER, _ASKED = b"k-network-probe", b"queue"
_ANSWER_BYTES = 1024 * 1024
_LOCAL = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How the server is asked. Without a `path` its port is to take a connection."""

    port: int
    path: str = ""
    is_tls: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    timeout_s: float = field(default=1.0)


def probe_of(text: str, component_port: int) -> Probe:
    """The server's own readiness probe, in Kubernetes' words; its port, where it has none that can be asked from here.
    Raises `ConfigError`."""
    try:
        value = json.loads(text or "{}")
    except ValueError as error:
        raise ConfigError(f"{PROBE} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{PROBE} is no object")
    timeout_s = float(value.get("timeoutSeconds") or 1)
    asked = value.get("httpGet")
    if isinstance(asked, dict):
        headers = ((str(one.get("name")), str(one.get("value", ""))) for one in asked.get("httpHeaders") or ())
        return Probe(
            port=_port(asked, component_port),
            path=str(asked.get("path") or "/"),
            is_tls=str(asked.get("scheme", "")).upper() == "HTTPS",
            headers=tuple(headers),
            timeout_s=timeout_s,
        )
    socket = value.get("tcpSocket")
    return Probe(port=_port(socket, component_port) if isinstance(socket, dict) else component_port)


def check_of(probe: Probe) -> Check:
    """How to ask. What it makes belongs to the loop that is running."""
    if not probe.path:
        return connecting(_LOCAL, probe.port)
    peer = Peer(_LOCAL, probe.port, limit_bytes=_ANSWER_BYTES, tls=_unverified() if probe.is_tls else None)
    headers = [(name.encode(), value.encode()) for name, value in probe.headers]

    async def check() -> bool:
        try:
            answer = await peer.call("GET", probe.path, headers, b"", timeout_s=probe.timeout_s)
        except PeerFailed:
            return False
        return 200 <= answer.status < 400

    return check


def before(probe: Probe, is_complete: Callable[[], bool]) -> Callable[[ServerHandler, Executor], ServerHandler]:
    """Puts the answer to probes before everything else. `is_complete` says that what the server needs is here."""

    def around(surface: ServerHandler, _executor: Executor) -> ServerHandler:
        check = check_of(probe)

        def handler(request: Request, reply: ServerReply) -> None:
            if request.header(_HEADER) != _ASKED:
                surface(request, reply)
            elif not is_complete():
                reply(Response(503, b"", b"models are being fetched"))
            else:
                drive(check(), lambda is_ready, _error: reply(_answer(is_ready=bool(is_ready))))

        return handler

    return around


def _answer(*, is_ready: bool) -> Response:
    return Response(200, b"", _ASKED) if is_ready else Response(503, b"", b"the server is not ready")


def _port(asked: Mapping[str, Any], component_port: int) -> int:
    """A number; the name of a port is the component's."""
    port = asked.get("port")
    if isinstance(port, int) and port:
        return port
    return int(port) if isinstance(port, str) and port.isdecimal() and int(port) else component_port


def _unverified() -> ssl.SSLContext:
    """As the kubelet asks: it knows no authority for a pod's certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
