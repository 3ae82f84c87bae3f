"""Requests as frames over a real Unix socket."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fairlead.dataplane.net.frame_server import FrameAnswer, FrameServer
from fairlead.dataplane.net.server import Limits
from fairlead.dataplane.spec import UnixSocket
from fairlead.errors import NotReady
from fairlead.protocols.exchange import Reply, Request, Response
from fairlead.protocols.frames import (
    Frame,
    FrameDecoder,
    Kind,
    encode_cancel,
    encode_request_head,
    request_prefix,
)
from support.loops import BOTH_LOOPS, LOOP_NAMES

pytestmark = pytest.mark.anyio


@pytest.fixture(params=BOTH_LOOPS, ids=LOOP_NAMES)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


class Peer:
    """The gateway's end, by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self._decoder = FrameDecoder()
        self._frames: list[Frame] = []

    def ask(self, id: int, path: str = "/", body: bytes = b"") -> None:
        head = encode_request_head("POST", path, b"", [(b"a", b"b")])
        self.writer.write(request_prefix(id, head, body) + head + body)

    async def receive(self) -> Frame | None:
        while not self._frames:
            data = await asyncio.wait_for(self._reader.read(65536), 10)
            if not data:
                return None
            self._frames = self._decoder.feed(data)
        return self._frames.pop(0)


@asynccontextmanager
async def peer_of(server: FrameServer, tmp_path: Path) -> AsyncIterator[Peer]:
    path = tmp_path / "frames.sock"
    if not path.exists():
        await server.listen(UnixSocket(str(path)))
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()


def echo(request: Request, reply: Reply) -> None:
    reply(Response(200, b"X: %b\r\n" % request.path.encode(), request.body))


async def test_requests_get_their_answers_by_id_in_any_order(tmp_path: Path) -> None:
    held: dict[str, Reply] = {}

    def hold(request: Request, reply: Reply) -> None:
        held[request.path] = reply
        if len(held) == 3:
            for path in ("/3", "/1", "/2"):
                held[path](Response(200, b"", path.encode()))

    server = FrameServer(hold)
    async with peer_of(server, tmp_path) as peer:
        for id in (1, 2, 3):
            peer.ask(id, f"/{id}")
        frames = [await peer.receive() for _ in range(3)]
    await server.drain(1)

    assert [(frame.id, frame.body) for frame in frames if frame] == [(3, b"/3"), (1, b"/1"), (2, b"/2")]


async def test_a_large_body_goes_both_ways(tmp_path: Path) -> None:
    server = FrameServer(echo)
    body = bytes(range(256)) * 20_000
    async with peer_of(server, tmp_path) as peer:
        peer.ask(7, "/big", body)
        frame = await peer.receive()
    await server.drain(1)

    assert frame == Frame(Kind.RESPONSE, 7, 200, b"X: /big\r\n", body)


async def test_a_body_over_the_limit_is_refused_and_the_connection_lives_on(tmp_path: Path) -> None:
    server = FrameServer(echo, limits=Limits(body_bytes=10))
    async with peer_of(server, tmp_path) as peer:
        peer.ask(1, body=b"x" * 11)
        peer.ask(2, body=b"x" * 10)
        frames = [await peer.receive(), await peer.receive()]
    await server.drain(1)

    assert [frame.status for frame in frames if frame] == [413, 200]


async def test_a_cancelled_request_is_told_so_and_its_answer_is_not_sent(tmp_path: Path) -> None:
    gone = asyncio.Event()
    replies: list[Reply] = []

    def hold(request: Request, reply: Reply) -> None:
        if request.path == "/echo":
            echo(request, reply)
            return
        assert isinstance(reply, FrameAnswer)
        reply.on_gone = gone.set
        replies.append(reply)

    server = FrameServer(hold)
    async with peer_of(server, tmp_path) as peer:
        peer.ask(1)
        peer.writer.write(encode_cancel(1))
        await asyncio.wait_for(gone.wait(), 5)
        replies[0](Response(200, b"", b"late"))
        peer.ask(2, "/echo")
        frame = await peer.receive()
    await server.drain(1)

    assert frame is not None
    assert frame.id == 2


async def test_a_gateway_that_hangs_up_cancels_what_it_asked(tmp_path: Path) -> None:
    gone, held = asyncio.Event(), asyncio.Event()

    def hold(request: Request, reply: Reply) -> None:
        assert isinstance(reply, FrameAnswer)
        reply.on_gone = gone.set
        held.set()

    server = FrameServer(hold)
    async with peer_of(server, tmp_path) as peer:
        peer.ask(1)
        await held.wait()
    await asyncio.wait_for(gone.wait(), 5)
    await server.drain(1)


async def test_failures_of_the_handler_become_answers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fail(request: Request, reply: Reply) -> None:
        raise NotReady("loading") if request.path == "/ours" else ZeroDivisionError("secret")

    server = FrameServer(fail)
    async with peer_of(server, tmp_path) as peer:
        with caplog.at_level(logging.ERROR):
            peer.ask(1, "/ours")
            peer.ask(2, "/bug")
            frames = [await peer.receive(), await peer.receive()]
    await server.drain(1)

    assert [(frame.status, b"secret" in frame.body) for frame in frames if frame] == [(503, False), (500, False)]
    assert "ZeroDivisionError" in caplog.text


async def test_draining_says_goaway_and_still_answers_what_was_on_its_way(tmp_path: Path) -> None:
    held: list[Reply] = []

    def hold(request: Request, reply: Reply) -> None:
        held.append(reply) if request.path == "/slow" else echo(request, reply)

    server = FrameServer(hold)
    async with peer_of(server, tmp_path) as peer:
        peer.ask(1, "/slow")
        peer.ask(2, "/quick")
        quick = await peer.receive()
        draining = asyncio.ensure_future(server.drain(10))
        goaway = await peer.receive()
        peer.ask(3, "/crossed")
        crossed = await peer.receive()
        held[0](Response(200, b"", b"done"))
        slow = await peer.receive()
        peer.writer.close()
        await draining

    frames = [frame for frame in (quick, goaway, crossed, slow) if frame is not None]
    assert [(frame.kind, frame.id) for frame in frames] == [(2, 2), (4, 0), (2, 3), (2, 1)]


async def test_bytes_that_are_no_frames_end_the_connection_only(tmp_path: Path) -> None:
    server = FrameServer(echo)
    async with peer_of(server, tmp_path) as bad, peer_of(server, tmp_path) as good:
        bad.writer.write(b"\0\0\0\1" + b"\0" * 4 + b"\1\0\0\0" + b"\0\0\0\2")
        good.ask(1)
        frame = await good.receive()
        ended = await bad.receive()
    await server.drain(1)

    assert frame is not None
    assert ended is None
