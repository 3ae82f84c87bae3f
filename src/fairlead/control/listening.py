"""A port of an ASGI application: bound by us, so that one in use is a clear line, and served until a signal comes."""

import asyncio
import signal
import socket
import ssl
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from fairlead.control.direct import DirectProtocol
from fairlead.errors import ConfigError

_GRACE_S = 5
_BACKLOG = 2048


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
            http=DirectProtocol,
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
