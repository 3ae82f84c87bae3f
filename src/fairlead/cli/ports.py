"""Ports an instance is about to use: whether they are free, or which ones are."""

import errno
import socket
from collections.abc import Mapping
from contextlib import ExitStack

from fairlead.errors import ConfigError, Conflict


class PortInUse(Conflict):
    """Somebody else listens there; the message says how to choose another."""

    reason = "PortInUse"


def settle(host: str, wanted: dict[str, int]) -> dict[str, int]:
    """The same ports with every 0 replaced by a free one. Raises `PortInUse` for the first that is taken.

    `wanted` is by flag name. All are held until all are found, so no two are the same. Between this and the
    listener's own bind somebody may take one; then that process says so itself.
    """
    settled: dict[str, int] = {}
    _refuse_twice(wanted)
    with ExitStack() as held:
        for flag, port in wanted.items():
            listener = held.enter_context(_socket(host))
            try:
                listener.bind((host, port))
            except OSError as problem:
                raise _explain(problem, host, port, flag) from problem
            settled[flag] = int(listener.getsockname()[1])
    return settled


def _refuse_twice(wanted: Mapping[str, int]) -> None:
    """SO_REUSEADDR lets us bind one port twice; the listeners could not."""
    flags: dict[int, str] = {}
    for flag, port in wanted.items():
        if port and port in flags:
            raise ConfigError(f"{flags[port]} and {flag} are both {port}; give each its own, or 0 for a free one")
        flags[port] = flag


def _socket(host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    # As the real listeners do: without it a port is "in use" for a minute after a restart.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return listener


def _variable(flag: str) -> str:
    return "FAIRLEAD" + flag.removeprefix("-").replace("-", "_").upper()


def _explain(problem: OSError, host: str, port: int, flag: str) -> Exception:
    if problem.errno == errno.EADDRINUSE:
        way_out = f"choose another with {flag} or {_variable(flag)}"
        return PortInUse(f"port {port} on {host} is in use by another program; {way_out}")
    if problem.errno == errno.EACCES:
        return PortInUse(f"port {port} needs more rights than this user has; choose one above 1023 with {flag}")
    return ConfigError(f"cannot listen on {host} port {port}: {problem.strerror or problem}; see --host")
