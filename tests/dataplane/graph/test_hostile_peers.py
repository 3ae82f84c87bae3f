"""What becomes of a call when its peer misbehaves: which calls are sent a second time, and which answers are taken."""

import asyncio
import contextlib
import socket
import struct
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import pytest
from bench.ports import free_ports

from fairlead.dataplane.graph.driving import as_future
from fairlead.dataplane.graph.remote import Answer, Peer, PeerFailed
from fairlead.errors import GrpcCode
from support.table_peer import listening, read_head

pytestmark = pytest.mark.anyio

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def ask(peer: Peer, verb: str = "POST", timeout_s: float | None = 5) -> Answer:
    async def step() -> Answer:
        return await peer.call(verb, "/predict", [], b"{}" if verb == "POST" else b"", timeout_s=timeout_s)

    return await as_future(step())


class Misbehaving:
    """A peer that answers the first request of each connection well and does `then` at the next."""

    def __init__(self, then: Callable[[Writer], Awaitable[None] | None]) -> None:
        self.asked = 0
        self.connections = 0
        self.closed = asyncio.Event()
        self._then = then

    def listening(self) -> AbstractAsyncContextManager[int]:
        return listening(self._talk)

    async def _talk(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        await self._take(reader)
        writer.write(GOOD)
        if await self._take(reader):
            waiting = self._then(writer)
            if waiting is not None:
                await waiting
        self.closed.set()

    async def _take(self, reader: Reader) -> bool:
        head = await read_head(reader)
        if not head:
            return False
        await reader.readexactly(2 if head.startswith("POST") else 0)
        self.asked += 1
        return True


def hang_up(_writer: Writer) -> None:
    """The connection ends without an answer."""


def reset(writer: Writer) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def half(writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort")


@pytest.mark.parametrize("then", [hang_up, reset, half])
async def test_a_post_that_went_out_is_never_sent_again(then: Callable[[Writer], None]) -> None:
    peer = Misbehaving(then)
    async with peer.listening() as port:
        asked = Peer("127.0.0.1", port, limit_bytes=1000)
        await ask(asked)
        with pytest.raises(PeerFailed, match="EOF") as failed:
            await ask(asked)
        asked.close()

    assert (peer.asked, peer.connections) == (2, 1)
    assert failed.value.grpc is GrpcCode.UNAVAILABLE


@pytest.mark.parametrize("then", [hang_up, reset])
async def test_a_get_on_a_kept_connection_is_asked_again_until_something_was_answered(
    then: Callable[[Writer], None],
) -> None:
    peer = Misbehaving(then)
    async with peer.listening() as port:
        asked = Peer("127.0.0.1", port, limit_bytes=1000)
        await ask(asked)
        assert (await ask(asked, "GET")).status == 200
        asked.close()

    assert (peer.asked, peer.connections) == (3, 2)


async def test_half_an_answer_to_a_get_is_its_end() -> None:
    peer = Misbehaving(half)
    async with peer.listening() as port:
        asked = Peer("127.0.0.1", port, limit_bytes=1000)
        await ask(asked)
        with pytest.raises(PeerFailed, match="EOF"):
            await ask(asked, "GET")
        asked.close()

    assert peer.asked == 2


async def test_a_connection_the_peer_closed_while_it_was_idle_costs_nothing() -> None:
    """Nobody turns the loop between the end and the next call: the kernel alone knows of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked = Peer("127.0.0.1", server.getsockname()[1], limit_bytes=1000)
        loop = asyncio.get_running_loop()

        def answer() -> socket.socket:
            connection, _ = server.accept()
            assert connection.recv(1000)
            connection.sendall(GOOD)
            return connection

        for _ in range(3):
            serving = loop.run_in_executor(None, answer)
            assert (await ask(asked)).status == 200
            (await serving).close()
        asked.close()


async def test_an_answer_that_nobody_asked_for_is_not_the_answer_to_the_next_question() -> None:
    async def doubled(reader: Reader, writer: Writer) -> None:
        while await read_head(reader):
            await reader.readexactly(2)
            writer.write(GOOD + b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfor other")

    async with listening(doubled) as port:
        asked = Peer("127.0.0.1", port, limit_bytes=1000)
        answers = [(await ask(asked)).body for _ in range(4)]
        asked.close()

    assert answers == [b"{}"] * 4


async def test_an_answer_of_no_stated_length_ends_with_its_connection() -> None:
    async def old(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{}")

    async with listening(old) as port:
        asked = Peer("127.0.0.1", port, limit_bytes=1000)
        assert [(await ask(asked)).body for _ in range(2)] == [b"{}"] * 2
        asked.close()


async def test_a_slow_peer_is_given_up_and_its_late_answer_goes_nowhere() -> None:
    go_on = asyncio.Event()

    async def late(writer: Writer) -> None:
        await go_on.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")

    peer = Misbehaving(late)
    async with peer.listening() as port:
        asked = Peer("127.0.0.1", port, limit_bytes=1000)
        await ask(asked)
        with pytest.raises(PeerFailed, match="context deadline exceeded") as failed:
            await ask(asked, timeout_s=0.02)
        go_on.set()
        assert (await ask(asked)).body == b"{}"
        asked.close()

    assert failed.value.grpc is GrpcCode.DEADLINE_EXCEEDED
    assert (peer.asked, peer.connections) == (3, 2)


async def test_a_peer_that_starts_again_is_waited_for_a_moment() -> None:
    [port] = free_ports(1)
    gone = asyncio.Event()
    asked = Peer("127.0.0.1", port, limit_bytes=1000)
    answer = asyncio.ensure_future(ask(asked))
    await asyncio.sleep(0)  # the first attempt is on its way and finds nobody

    async def talk(reader: Reader, writer: Writer) -> None:
        await read_head(reader)
        writer.write(GOOD)
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        gone.set()

    server = await asyncio.start_server(talk, "127.0.0.1", port)
    try:
        assert (await answer).status == 200
    finally:
        asked.close()
        await gone.wait()
        server.close()
