"""Opening the sockets that our servers accept on, with errors a person can act on."""

import asyncio
import errno
import os
import socket
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

from fairlead.dataplane.spec import Listen, UnixSocket
from fairlead.errors import ConfigError

# Many clients may connect in the same moment, for instance after a restart; the kernel cuts this to its own limit.
_BACKLOG = 4096


async def open_listener(
    loop: asyncio.AbstractEventLoop,
    protocol: Callable[[], asyncio.BaseProtocol],
    where: Listen,
    *,
    tls: ssl.SSLContext | None = None,
) -> tuple[asyncio.Server, int]:
    """A listening server and its TCP port (0 for a Unix socket, which only its owner may connect to)."""
    if isinstance(where, UnixSocket):
        return await loop.create_unix_server(protocol, sock=bind_unix(where.path), backlog=_BACKLOG, ssl=tls), 0
    try:
        server = await loop.create_server(protocol, where.host, where.port, backlog=_BACKLOG, ssl=tls)
    except OSError as error:
        raise ConfigError(_refusal(where.host, where.port, error)) from error
    port: int = server.sockets[0].getsockname()[1]
    return server, port


def bind_unix(path: str) -> socket.socket:
    """A socket bound there, in place of one that a killed process left."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(Path(path))
        before = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(before)
    except OSError as error:
        listener.close()
        raise ConfigError(f"cannot listen on the socket {path}: {error.strerror or error}") from error
    return listener


def _remove_stale(path: Path) -> None:
    """A socket left by a process that was killed would refuse the bind."""
    try:
        if stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
    except FileNotFoundError:
        return


def _refusal(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{host}:{port} is in use by another program; choose another port or stop that program"
    if error.errno == errno.EACCES:
        return f"{host}:{port} needs privileges this user does not have; ports from 1024 up do not"
    return f"cannot listen on {host}:{port}: {error.strerror or error}"
