"""Ports that nobody listens on now."""

import random
import socket
from contextlib import ExitStack, suppress

_FIRST, _LAST = 10_000, 32_767
"""Below the ports that Linux hands out by itself: one of those may be anybody's again before it is used."""


def free_ports(count: int) -> list[int]:
    """Different TCP ports of the loopback address. All are held until all are found."""
    with ExitStack() as held:
        found: list[int] = []
        while len(found) < count:
            port = random.randint(_FIRST, _LAST)
            with suppress(OSError):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                found.append(port)
        return found


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]
