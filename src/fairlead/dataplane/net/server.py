"""HTTP on sockets for the worker and the gateway: one loop, no framework. A server's book of clients is here, and one
sweep over them; `opening` tells what a client speaks, `h1_connection` and `h2_server` speak it.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from fairlead.dataplane.net.h1_connection import Connection
from fairlead.dataplane.net.h2_answers import AnswerMemory
from fairlead.dataplane.net.h2_deadlines import Deadlines
from fairlead.dataplane.net.h2_heads import CallMemory
from fairlead.dataplane.net.h2_server import H2Connection
from fairlead.dataplane.net.listening import open_listener
from fairlead.dataplane.net.opening import ALPN, Client, Opening
from fairlead.dataplane.spec import Listen, UnixSocket
from fairlead.protocols.exchange import Response, ServerHandler, Streams
from fairlead.protocols.http1 import HeadMemory, Limits
from fairlead.protocols.http1_response import JSON, StatusLines

__all__ = ["HttpServer", "Limits", "Refusal", "error_response"]

log = logging.getLogger(__name__)

Refusal = Callable[[int, str], Response]
"""How a server words its own errors: a status and a sentence become an answer."""

_DRAIN_IDLE_S = 0.25


def error_response(status: int, message: str) -> Response:
    """The wording of servers that were given no other."""
    return Response(status, JSON, orjson.dumps({"error": message}))


class HttpServer:
    """Serves `handler` on any number of sockets, all on the loop that `listen` runs on. Requests that `streams` names
    get to it as soon as their heads are here, with bodies in pieces."""

    def __init__(
        self,
        handler: ServerHandler,
        *,
        limits: Limits | None = None,
        refuse: Refusal = error_response,
        streams: Streams | None = None,
    ) -> None:
        self.handler = handler
        self.streams = streams
        self.limits = limits if limits is not None else Limits()
        self.refuse = refuse
        self.memory = HeadMemory()
        self.lines = StatusLines()
        self.calls = CallMemory(streams)
        self.answers = AnswerMemory()
        self.deadlines = Deadlines()
        self.is_draining = False
        self._connections: set[Client] = set()
        self._listeners: list[asyncio.Server] = []
        self._paths: list[Path] = []
        self._loop: asyncio.AbstractEventLoop
        self._sweep_handle: asyncio.TimerHandle | None = None
        self._is_empty = asyncio.Event()
        ours = self.limits
        times_s = (ours.header_timeout_s, ours.body_timeout_s, ours.idle_timeout_s, ours.write_timeout_s)
        self._sweep_s = min(1.0, min(*times_s, ours.half_closed_timeout_s) / 4)

    async def listen(self, where: Listen, *, tls: ssl.SSLContext | None = None) -> int:
        """Accept connections there; gives the TCP port that was bound, 0 for a Unix socket.

        Raises `ConfigError` when the address cannot be bound."""
        self._loop = asyncio.get_running_loop()
        if tls is not None:
            tls.set_alpn_protocols(ALPN)
        listener, port = await open_listener(self._loop, self._open, where, tls=tls)
        self._listeners.append(listener)
        if isinstance(where, UnixSocket):
            self._paths.append(Path(where.path))
        return port

    def _open(self) -> Opening:
        limits = self.limits
        return Opening(
            self,
            make_http1=lambda: Connection(self),
            make_http2=lambda: H2Connection(self),
            idle_s=limits.idle_timeout_s,
            begun_s=limits.header_timeout_s,
        )

    async def drain(self, grace_s: float) -> None:
        """Stop accepting, answer what is held, close; what is not answered within the grace is cut.

        Connections without a request stay a moment longer, because a client may have sent one that is on its way;
        its answer says `Connection: close`."""
        for listener in self._listeners:
            listener.close()
        for path in self._paths:
            path.unlink(missing_ok=True)
        self.is_draining = True
        if not self._connections:
            return
        self._is_empty.clear()
        idle = self._loop.call_later(min(_DRAIN_IDLE_S, grace_s), self._close_idle)
        try:
            async with asyncio.timeout(grace_s):
                await self._is_empty.wait()
        except TimeoutError:
            if self._connections:  # the last one may have left at that very moment
                log.warning("%d connections were cut after a grace of %g s", len(self._connections), grace_s)
            for connection in list(self._connections):
                connection.abort()
        finally:
            idle.cancel()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def now(self) -> float:
        """The clock of the timeouts."""
        return self._loop.time()

    def enter(self, connection: Client) -> None:
        """A client connected. Without clients no timer runs."""
        self._connections.add(connection)
        if self._sweep_handle is None:
            self._sweep()

    def leave(self, connection: Client) -> None:
        """A client is gone."""
        self._connections.discard(connection)
        if not self._connections:
            self._is_empty.set()

    def _close_idle(self) -> None:
        for connection in list(self._connections):
            connection.close_if_idle()

    def _sweep(self) -> None:
        self.lines.set_clock(time.time())
        if not self._connections:
            self._sweep_handle = None
            return
        self._sweep_handle = self._loop.call_later(self._sweep_s, self._sweep)
        now = self._loop.time()
        for connection in list(self._connections):
            connection.check(now)
