"""The end of a connection."""

import asyncio
import socket
import struct

import pytest

from fairlead.dataplane.net.hanging_up import hang_up

pytestmark = pytest.mark.anyio


class Client(asyncio.Protocol):
    def __init__(self) -> None:
        self.lost = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


async def connected() -> tuple[asyncio.Transport, Client, socket.socket]:
    """A server's end of a connection, and the client's own socket."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    ours.setblocking(False)
    transport, protocol = await loop.create_connection(Client, sock=ours)
    return transport, protocol, client


async def test_what_is_due_arrives_before_the_end() -> None:
    transport, _, client = await connected()
    transport.write(b"the answer")

    hang_up(transport)

    assert await asyncio.to_thread(client.recv, 100) == b"the answer"
    assert await asyncio.to_thread(client.recv, 100) == b""
    client.close()
    transport.abort()


async def test_a_client_that_has_reset_the_connection_is_no_failure() -> None:
    transport, protocol, client = await connected()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()

    hang_up(transport)

    await asyncio.wait_for(protocol.lost.wait(), 5)
