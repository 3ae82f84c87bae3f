"""Bodies in pieces as frames, the worker's end, with credit given by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from fairlead.dataplane.net.frame_server import FrameServer
from fairlead.dataplane.net.server import Limits
from fairlead.dataplane.spec import UnixSocket
from fairlead.protocols.exchange import Head, Outgoing, Reply, Request, Response, ServerReply
from fairlead.protocols.frames import (
    WINDOW_BYTES,
    Frame,
    FrameDecoder,
    Kind,
    data_prefix,
    encode_cancel,
    encode_credit,
    encode_end,
    encode_open,
    encode_request_head,
    request_prefix,
)
from support.gateways import until

pytestmark = pytest.mark.anyio


class Peer:
    """The gateway's end, by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self._decoder = FrameDecoder()
        self._frames: list[Frame] = []

    def open(self, id: int, path: str) -> None:
        self.writer.write(encode_open(id, encode_request_head("POST", path, b"", [])))

    def piece(self, id: int, data: bytes) -> None:
        self.writer.write(data_prefix(id, len(data)) + data)

    async def receive(self) -> Frame:
        while not self._frames:
            data = await asyncio.wait_for(self._reader.read(65536), 10)
            assert data
            self._frames = self._decoder.feed(data)
        return self._frames.pop(0)

    async def bytes_until_silence(self) -> int:
        """How much comes without any credit being given."""
        size = 0
        try:
            while True:
                frame = await asyncio.wait_for(self.receive(), 0.05)
                assert frame.kind == Kind.DATA
                size += len(frame.body)
        except TimeoutError:
            return size


class Handler:
    """Keeps what it gets; streams for `/stream` paths."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.replies: list[ServerReply] = []
        self.gone = 0

    def __call__(self, request: Request, reply: Reply) -> None:
        self.requests.append(request)
        self.replies.append(cast(ServerReply, reply))
        self.replies[-1].on_gone = self._left

    def _left(self) -> None:
        self.gone += 1

    async def begin(self) -> Outgoing:
        await until(lambda: bool(self.replies))
        return self.replies[-1].begin(200, b"A: b\r\n")


def in_pieces(head: Head) -> bool:
    return head.path.startswith("/stream")


@asynccontextmanager
async def talking_to(handler: Handler, tmp_path: Path, limits: Limits | None = None) -> AsyncIterator[Peer]:
    server = FrameServer(handler, streams=in_pieces, limits=limits)
    path = tmp_path / "frames.sock"
    await server.listen(UnixSocket(str(path)))
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()
        await server.drain(1)


async def test_an_answer_in_pieces_has_a_beginning_and_an_end_with_trailers(tmp_path: Path) -> None:
    handler = Handler()
    async with talking_to(handler, tmp_path) as peer:
        peer.open(7, "/stream")
        out = await handler.begin()
        out.send(b"one")
        out.send(b"two")
        out.end(b"grpc-status: 0\r\n")
        frames = [await peer.receive() for _ in range(4)]

    assert frames == [
        Frame(Kind.BEGIN, 7, 200, b"A: b\r\n", b""),
        Frame(Kind.DATA, 7, 0, b"", b"one"),
        Frame(Kind.DATA, 7, 0, b"", b"two"),
        Frame(Kind.END, 7, 0, b"grpc-status: 0\r\n", b""),
    ]


@pytest.mark.slow
async def test_no_more_is_sent_than_there_is_credit_for(tmp_path: Path) -> None:
    handler = Handler()
    async with talking_to(handler, tmp_path) as peer:
        peer.open(7, "/stream")
        out = await handler.begin()
        freed = asyncio.Event()
        out.when_free = freed.set
        assert (await peer.receive()).kind == Kind.BEGIN
        out.send(b"x" * (2 * WINDOW_BYTES))
        out.send(b"y" * 10)

        assert out.is_full
        assert await peer.bytes_until_silence() == WINDOW_BYTES
        assert not freed.is_set()
        peer.writer.write(encode_credit(7, WINDOW_BYTES))
        assert await peer.bytes_until_silence() == WINDOW_BYTES
        peer.writer.write(encode_credit(7, 100))
        assert await peer.bytes_until_silence() == 10
        assert freed.is_set()
        assert not out.is_full


async def test_credit_is_given_for_what_the_handler_took_and_not_while_it_pauses(tmp_path: Path) -> None:
    handler = Handler()
    taken: list[bytes] = []
    async with talking_to(handler, tmp_path) as peer:
        peer.open(7, "/stream")
        await until(lambda: bool(handler.requests))
        incoming = handler.requests[0].incoming
        assert incoming is not None
        incoming.listen(taken.append, lambda: taken.append(b"end"))
        incoming.pause()
        peer.piece(7, b"x" * WINDOW_BYTES)
        await until(lambda: bool(taken))
        peer.open(8, "/stream")
        await until(lambda: len(handler.replies) == 2)
        handler.replies[1](Response(204, b"", b""))
        assert (await peer.receive()).kind == Kind.RESPONSE  # and no credit came before it
        incoming.resume()
        credit = await peer.receive()
        peer.writer.write(encode_end(7))
        await until(lambda: taken[-1] == b"end")

    assert credit == Frame(Kind.CREDIT, 7, 0, b"", WINDOW_BYTES.to_bytes(4, "big"))


async def test_a_body_is_collected_for_a_handler_that_does_not_want_pieces(tmp_path: Path) -> None:
    handler = Handler()
    async with talking_to(handler, tmp_path) as peer:
        peer.open(7, "/plain")
        peer.piece(7, b"ab")
        peer.piece(7, b"cd")
        peer.writer.write(encode_end(7))
        await until(lambda: bool(handler.requests))

    assert handler.requests[0].body == b"abcd"
    assert handler.requests[0].incoming is None


async def test_a_whole_request_is_given_as_one_piece_to_a_handler_that_wants_them(tmp_path: Path) -> None:
    handler = Handler()
    taken: list[bytes] = []
    async with talking_to(handler, tmp_path) as peer:
        head = encode_request_head("POST", "/stream", b"", [])
        peer.writer.write(request_prefix(1, head, b"abcd") + head + b"abcd")
        await until(lambda: bool(handler.requests))
        incoming = handler.requests[0].incoming
        assert incoming is not None
        incoming.listen(taken.append, lambda: taken.append(b"end"))

    assert taken == [b"abcd", b"end"]


async def test_collected_pieces_over_the_limit_are_refused(tmp_path: Path) -> None:
    handler = Handler()
    async with talking_to(handler, tmp_path, Limits(body_bytes=3)) as peer:
        peer.open(7, "/plain")
        peer.piece(7, b"ab")
        peer.piece(7, b"cd")
        peer.writer.write(encode_end(7))
        answer = await peer.receive()

    assert (answer.kind, answer.status) == (Kind.RESPONSE, 413)
    assert not handler.requests


async def test_a_cancel_in_the_middle_reaches_the_handler_once_and_nothing_more_is_sent(tmp_path: Path) -> None:
    handler = Handler()
    async with talking_to(handler, tmp_path) as peer:
        peer.open(7, "/stream")
        out = await handler.begin()
        assert (await peer.receive()).kind == Kind.BEGIN
        peer.writer.write(encode_cancel(7) + encode_cancel(7))
        await until(lambda: handler.gone > 0)
        out.send(b"late")
        out.end()
        peer.open(8, "/stream")
        await until(lambda: len(handler.replies) == 2)
        handler.replies[1](Response(204, b"", b""))
        following = await peer.receive()

    assert handler.gone == 1
    assert following.id == 8


async def test_an_answer_that_will_not_be_finished_is_reset(tmp_path: Path) -> None:
    handler = Handler()
    async with talking_to(handler, tmp_path) as peer:
        peer.open(7, "/stream")
        (await handler.begin()).abort()
        frames = [await peer.receive(), await peer.receive()]

    assert [frame.kind for frame in frames] == [Kind.BEGIN, Kind.RESET]


async def test_an_answer_before_the_end_of_the_body_ends_both(tmp_path: Path) -> None:
    handler = Handler()
    taken: list[bytes] = []
    async with talking_to(handler, tmp_path) as peer:
        peer.open(7, "/stream")
        await until(lambda: bool(handler.requests))
        incoming = handler.requests[0].incoming
        assert incoming is not None
        incoming.listen(taken.append, lambda: taken.append(b"end"))
        handler.replies[0](Response(200, b"", b"early"))
        peer.piece(7, b"ignored")
        peer.writer.write(encode_end(7))
        peer.open(8, "/stream")
        await until(lambda: len(handler.requests) == 2)

    assert taken == []


async def test_draining_waits_for_an_answer_in_pieces(tmp_path: Path) -> None:
    handler = Handler()
    server = FrameServer(handler, streams=in_pieces)
    path = tmp_path / "frames.sock"
    await server.listen(UnixSocket(str(path)))
    peer = Peer(*await asyncio.open_unix_connection(path))
    peer.open(7, "/stream")
    out = await handler.begin()
    draining = asyncio.ensure_future(server.drain(10))
    assert (await peer.receive()).kind == Kind.BEGIN
    assert (await peer.receive()).kind == Kind.GOAWAY
    out.end()
    assert (await peer.receive()).kind == Kind.END
    peer.writer.close()
    await draining
