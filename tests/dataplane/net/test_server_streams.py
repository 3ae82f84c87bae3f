"""Bodies in pieces over HTTP/1.1, both ways."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from fairlead.dataplane.net.server import HttpServer
from fairlead.dataplane.spec import TcpSocket
from fairlead.protocols.exchange import Handler, Head, Outgoing, Reply, Request, Response, ServerReply
from support.gateways import until
from support.loops import BOTH_LOOPS, LOOP_NAMES

pytestmark = pytest.mark.anyio


@pytest.fixture(params=BOTH_LOOPS, ids=LOOP_NAMES)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


def in_pieces(head: Head) -> bool:
    return head.path.startswith("/stream")


@asynccontextmanager
async def talking_to(handler: Handler) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    server = HttpServer(handler, streams=in_pieces)
    port = await server.listen(TcpSocket("127.0.0.1", 0))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await server.drain(0)


async def read_until(reader: asyncio.StreamReader, end: bytes) -> bytes:
    return await asyncio.wait_for(reader.readuntil(end), 10)


class Begun:
    """A handler that begins an answer for each request and leaves the rest to the test."""

    def __init__(self) -> None:
        self.streams: dict[str, Outgoing] = {}
        self.replies: dict[str, Reply] = {}
        self.gone: list[str] = []

    def __call__(self, request: Request, reply: Reply) -> None:
        answer = cast(ServerReply, reply)
        answer.on_gone = lambda: self.gone.append(request.path)
        self.replies[request.path] = reply
        if not request.path.startswith("/whole"):
            self.streams[request.path] = answer.begin(200, b"Content-Type: text/plain\r\n")

    async def has(self, path: str) -> Outgoing:
        await until(lambda: path in self.streams)
        return self.streams[path]


class Echo:
    """Answers a streamed body with its pieces, as they come."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.request: Request | None = None

    def __call__(self, request: Request, reply: Reply) -> None:
        self.request = request
        assert request.incoming is not None
        out = cast(ServerReply, reply).begin(200, b"")

        def take(piece: bytes) -> None:
            self.pieces.append(piece)
            out.send(piece)

        request.incoming.listen(take, out.end)


def get(path: str, version: str = "1.1") -> bytes:
    return f"GET {path} HTTP/{version}\r\nHost: a\r\n\r\n".encode()


def chunked(path: str, extra: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n{extra}\r\n".encode()


async def test_pieces_of_an_answer_leave_as_chunks_when_they_are_given() -> None:
    begun = Begun()
    async with talking_to(begun) as (reader, writer):
        writer.write(get("/"))
        out = await begun.has("/")
        head = await read_until(reader, b"\r\n\r\n")
        out.send(b"one")
        first = await read_until(reader, b"\r\none\r\n")
        out.send(b"twenty-two")
        out.end()
        rest = await read_until(reader, b"0\r\n\r\n")
        writer.write(get("/again"))
        (await begun.has("/again")).end()
        again = await read_until(reader, b"0\r\n\r\n")

    assert b"Transfer-Encoding: chunked\r\n" in head
    assert b"Content-Length" not in head
    assert first == b"3\r\none\r\n"
    assert rest == b"a\r\ntwenty-two\r\n0\r\n\r\n"
    assert again.startswith(b"HTTP/1.1 200")


async def test_an_old_client_gets_everything_up_to_the_end_of_the_connection() -> None:
    begun = Begun()
    async with talking_to(begun) as (reader, writer):
        writer.write(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        out = await begun.has("/")
        out.send(b"one")
        out.send(b"two")
        out.end()
        everything = await asyncio.wait_for(reader.read(), 10)

    head, _, body = everything.partition(b"\r\n\r\n")
    assert b"Connection: close" in head
    assert b"Transfer-Encoding" not in head
    assert body == b"onetwo"


async def test_a_head_request_gets_no_body() -> None:
    begun = Begun()
    async with talking_to(begun) as (reader, writer):
        writer.write(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + get("/next"))
        out = await begun.has("/")
        out.send(b"never sent")
        out.end()
        first = await read_until(reader, b"\r\n\r\n")
        (await begun.has("/next")).end()
        second = await read_until(reader, b"0\r\n\r\n")

    assert b"never" not in first
    assert second.startswith(b"HTTP/1.1 200")


async def test_streams_leave_in_the_order_of_their_requests_and_those_that_wait_are_full() -> None:
    begun = Begun()
    freed: list[bool] = []
    async with talking_to(begun) as (reader, writer):
        writer.write(get("/1") + get("/2") + get("/whole") + get("/3"))
        third = await begun.has("/3")
        second, first = begun.streams["/2"], begun.streams["/1"]
        second.when_free = lambda: freed.append(second.is_full)
        assert (first.is_full, second.is_full) == (False, True)
        second.send(b"second")
        third.send(b"third")
        third.end()
        begun.replies["/whole"](Response(200, b"", b"whole"))
        first.send(b"first")
        first.end()
        await until(lambda: bool(freed))
        second.end()
        bodies = await read_until(reader, b"5\r\nthird\r\n0\r\n\r\n")

    places = [bodies.index(body) for body in (b"first", b"second", b"whole", b"third")]
    assert places == sorted(places)
    assert freed == [False]


async def test_a_client_that_does_not_read_makes_the_answer_full_until_it_does() -> None:
    begun = Begun()
    async with talking_to(begun) as (reader, writer):
        writer.write(get("/"))
        out = await begun.has("/")
        freed = asyncio.Event()
        out.when_free = freed.set
        sent = 0
        while not out.is_full:
            out.send(b"x" * 65536)
            sent += 65536
            await asyncio.sleep(0)
            assert sent < 256 * 1024 * 1024
        assert not freed.is_set()
        while not freed.is_set():
            assert await reader.read(65536)
        out.end()
        tail = b""
        while not tail.endswith(b"x\r\n0\r\n\r\n"):
            tail = tail[-8:] + await asyncio.wait_for(reader.read(65536), 10)


async def test_an_answer_that_cannot_be_finished_cuts_the_connection() -> None:
    begun = Begun()
    async with talking_to(begun) as (reader, writer):
        writer.write(get("/"))
        out = await begun.has("/")
        out.send(b"half")
        await read_until(reader, b"half\r\n")
        out.abort()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await read_until(reader, b"0\r\n\r\n")


async def test_a_client_that_leaves_in_the_middle_is_told_to_the_handler_once() -> None:
    begun = Begun()
    async with talking_to(begun) as (reader, writer):
        writer.write(get("/"))
        out = await begun.has("/")
        await read_until(reader, b"\r\n\r\n")
        writer.transport.abort()
        out.send(b"nobody reads this")
        await until(lambda: bool(begun.gone))
        out.send(b"nor this")
        out.end()

    assert begun.gone == ["/"]


async def test_a_body_comes_in_pieces_before_it_is_whole() -> None:
    echo = Echo()
    async with talking_to(echo) as (reader, writer):
        writer.write(chunked("/stream") + b"3\r\nabc\r\n")
        first = await read_until(reader, b"abc\r\n")
        writer.write(b"2\r\nde\r\n0\r\n\r\n" + chunked("/stream") + b"1\r\nz\r\n0\r\n\r\n")
        rest = await read_until(reader, b"z\r\n0\r\n\r\n")

    assert first.endswith(b"3\r\nabc\r\n")
    assert rest.startswith(b"2\r\nde\r\n0\r\n\r\nHTTP/1.1 200")
    assert echo.request is not None
    assert echo.request.body == b""


@pytest.mark.parametrize("body", [b"", b"four"])
async def test_a_body_of_known_length_comes_in_pieces_too(body: bytes) -> None:
    echo = Echo()
    async with talking_to(echo) as (reader, writer):
        writer.write(f"POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await read_until(reader, b"0\r\n\r\n")

    assert b"".join(echo.pieces) == body


async def test_a_handler_that_pauses_makes_the_client_wait() -> None:
    taken: list[bytes] = []
    requests: list[Request] = []

    def slow(request: Request, reply: Reply) -> None:
        assert request.incoming is not None
        incoming = request.incoming
        requests.append(request)

        def take(piece: bytes) -> None:
            taken.append(piece)
            incoming.pause()

        incoming.listen(take, lambda: reply(Response(200, b"", b"%d" % sum(map(len, taken)))))

    size = 64 * 1024 * 1024
    async with talking_to(slow) as (reader, writer):
        writer.write(f"POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode())
        await until(lambda: bool(requests))
        incoming = requests[0].incoming
        assert incoming is not None
        body = asyncio.ensure_future(_write_all(writer, size))
        await until(lambda: bool(taken))
        seen = -1
        while seen != sum(map(len, taken)):
            seen = sum(map(len, taken))
            await asyncio.sleep(0.05)
        assert seen < 4 * 1024 * 1024
        while not body.done() or sum(map(len, taken)) < size:
            incoming.resume()
            await asyncio.sleep(0)
        answer = await read_until(reader, b"%d" % size)

    assert answer.startswith(b"HTTP/1.1 200")


async def _write_all(writer: asyncio.StreamWriter, size: int) -> None:
    for _ in range(size // 65536):
        writer.write(b"y" * 65536)
        await writer.drain()


async def test_an_answer_before_the_end_of_a_body_is_the_last_of_its_connection() -> None:
    def refuse(_: Request, reply: Reply) -> None:
        reply(Response(403, b"", b"no"))

    async with talking_to(refuse) as (reader, writer):
        writer.write(chunked("/stream") + b"3\r\nabc\r\n")
        everything = await asyncio.wait_for(reader.read(), 10)

    assert b"Connection: close" in everything
    assert everything.endswith(b"no")


async def test_a_body_that_turns_out_malformed_is_refused_and_its_handler_told() -> None:
    gone: list[bool] = []
    pieces: list[bytes] = []

    def listen(request: Request, reply: Reply) -> None:
        cast(ServerReply, reply).on_gone = lambda: gone.append(True)
        assert request.incoming is not None
        request.incoming.listen(pieces.append, lambda: reply(Response(200, b"", b"")))

    async with talking_to(listen) as (reader, writer):
        writer.write(chunked("/stream") + b"3\r\nabc\r\n")
        await until(lambda: bool(pieces))
        writer.write(b"nonsense\r\n")
        everything = await asyncio.wait_for(reader.read(), 10)

    assert everything.startswith(b"HTTP/1.1 400")
    assert gone == [True]


@pytest.mark.parametrize("leave", [asyncio.StreamWriter.write_eof, lambda writer: writer.transport.abort()])
async def test_a_client_that_leaves_in_the_middle_of_its_body_is_gone(
    leave: Callable[[asyncio.StreamWriter], None],
) -> None:
    gone: list[bool] = []
    pieces: list[bytes] = []

    def listen(request: Request, reply: Reply) -> None:
        cast(ServerReply, reply).on_gone = lambda: gone.append(True)
        assert request.incoming is not None
        request.incoming.listen(pieces.append, lambda: reply(Response(200, b"", b"")))

    async with talking_to(listen) as (_, writer):
        writer.write(chunked("/stream") + b"3\r\nabc\r\n")
        await until(lambda: bool(pieces))
        leave(writer)
        await until(lambda: bool(gone))

    assert pieces == [b"abc"]


async def test_a_body_that_is_malformed_after_its_answer_left_ends_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def at_once(request: Request, reply: Reply) -> None:
        reply(Response(200, b"", b"done"))

    async with talking_to(at_once) as (reader, writer):
        writer.write(chunked("/stream") + b"nonsense\r\n")
        came = await asyncio.wait_for(reader.read(), 10)

    assert came.endswith(b"\r\n\r\ndone")
    assert came.count(b"HTTP/1.1") == 1
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked() -> None:
    def collect(request: Request, reply: Reply) -> None:
        assert request.incoming is not None
        pieces: list[bytes] = []
        request.incoming.listen(pieces.append, lambda: reply(Response(200, b"", b"".join(pieces))))

    async with talking_to(collect) as (reader, writer):
        writer.write(chunked("/stream", "Expect: 100-continue\r\n"))
        assert await read_until(reader, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"3\r\nabc\r\n0\r\n\r\n")
        answer = await read_until(reader, b"abc")

    assert answer.startswith(b"HTTP/1.1 200")


async def test_a_handler_that_fails_after_it_began_cuts_its_answer(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Request, reply: Reply) -> None:
        cast(ServerReply, reply).begin(200, b"").send(b"half")
        raise RuntimeError("after the first piece")

    async with talking_to(fail) as (reader, writer):
        writer.write(get("/"))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await read_until(reader, b"0\r\n\r\n")

    assert "after the first piece" in caplog.text
