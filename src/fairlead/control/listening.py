"""A port of an ASGI application: bound by us, so that one in use is a clear line, and served until a signal comes."""

import asyncio
import signal
import socket
import ssl
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fairlead.errors import ConfigError

_GRACE_S = 5
_BACKLOG = 2048
# uvicorn stops reading at 64 KiB, which is less than one read: a large body then costs a turn of the loop for each, and
# on a busy machine a wait for each turn.
_BODY_AHEAD_BYTES = 1024 * 1024


class Listener:
    """A socket that listens, and the application behind it. `before_stop` ends answers that would go on for ever."""

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        *,
        what: str,
        tls: ssl.SSLContext | None = None,
        before_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self._before_stop = before_stop
        self._socket = _bind(host, port, what)
        options = uvicorn.Config(
            app,
            http=_LargeBodies,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=_GRACE_S,
        )
        options.load()
        options.ssl = tls
        self._server = uvicorn.Server(options)

    @property
    def port(self) -> int:
        """The port, also when any was asked for."""
        return int(self._socket.getsockname()[1])

    async def serve_until_stopped(self) -> None:
        """Answer until SIGTERM or SIGINT, and what was begun to its end."""
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        # uvicorn's own handling of signals would race with ours.
        serving = loop.create_task(self._server._serve(sockets=[self._socket]))
        stopped = loop.create_task(stopping.wait())
        await asyncio.wait([serving, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        self._before_stop()
        self._server.should_exit = True
        await serving


class _LargeBodies(HttpToolsProtocol):
    """uvicorn's protocol, reading further ahead of whoever takes the body."""

    def on_body(self, body: bytes) -> None:
        """As inherited, but for the limit."""
        super().on_body(body)
        if self.flow.read_paused and len(self.cycle.body) <= _BODY_AHEAD_BYTES:
            self.flow.resume_reading()


def _bind(host: str, port: int, what: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # From here on nobody is refused who is told the address; they wait until it is served.
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(f"{what} cannot listen on {host} port {port}: {error.strerror}") from error
    listener.set_inheritable(False)
    return listener
