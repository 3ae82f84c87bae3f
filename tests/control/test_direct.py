"""Large bodies past the parser: what a client sends and gets is the same as without, whatever comes before, after or in
the middle."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

from fairlead.control import direct
from fairlead.control.direct import DirectProtocol
from fairlead.registry.api.direct import Direct, find

PIECE = 256 * 1024
LARGE = os.urandom(5 * 1024 * 1024 + 7)
Handler = Callable[[Direct, Receive, Send], Awaitable[None]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    """Runs a test on each kind of loop."""

    def run(test: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(asyncio.wait_for(test, 60))

    return run


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    """A server of one application; its port."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found = find(scope)
        assert found is not None
        await handler(found, receive, send)

    server = uvicorn.Server(uvicorn.Config(app, port=0, http=DirectProtocol, log_level="critical", lifespan="off"))
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.001)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer(send: Send, body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def counting(found: Direct, _receive: Receive, send: Send) -> None:
    """Answers with the sum of what it is sent."""
    pieces = [bytes(piece) async for piece in found.pieces(PIECE)]
    assert all(len(piece) <= PIECE or piece == pieces[0] for piece in pieces)
    await answer(send, b"%d" % sum(b"".join(pieces)))


def head(length: int, *more: bytes) -> bytes:
    return b"\r\n".join([b"PUT / HTTP/1.1", b"host: x", b"content-length: %d" % length, *more]) + b"\r\n\r\n"


async def answered(reader: asyncio.StreamReader) -> bytes:
    """The body of the next answer, whose status is good."""
    lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    assert b" 200 " in lines[0], lines
    (length,) = [int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length")]
    return await reader.readexactly(length)


def test_requests_follow_each_other_on_a_connection(run: Callable[..., None]) -> None:
    async def test() -> None:
        async with serving(counting) as port, connected(port) as (reader, writer):
            for body in (LARGE, b"", b"small", LARGE[::-1], b"x" * PIECE):
                writer.write(head(len(body)) + body)
                assert int(await answered(reader)) == sum(body)

    run(test())


def test_requests_may_be_sent_before_the_first_is_answered(run: Callable[..., None]) -> None:
    async def test() -> None:
        async with serving(counting) as port, connected(port) as (reader, writer):
            bodies = (b"one", LARGE, b"two", LARGE[:100_000])
            writer.write(b"".join(head(len(body)) + body for body in bodies))
            assert [int(await answered(reader)) for _ in bodies] == [sum(body) for body in bodies]

    run(test())


def test_a_body_of_unknown_length_comes_in_crumbs(run: Callable[..., None]) -> None:
    async def test() -> None:
        async with serving(counting) as port, connected(port) as (reader, writer):
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (LARGE[:70_000], b"end")) + b"0\r\n\r\n"
            for _ in range(2):
                writer.write(b"PUT / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + chunks)
                assert int(await answered(reader)) == sum(LARGE[:70_000]) + sum(b"end")

    run(test())


def test_who_waits_to_be_asked_for_the_body_is_asked(run: Callable[..., None]) -> None:
    async def test() -> None:
        async with serving(counting) as port, connected(port) as (reader, writer):
            writer.write(head(len(LARGE), b"expect: 100-continue"))
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(LARGE)
            assert int(await answered(reader)) == sum(LARGE)

    run(test())


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_what_nobody_wanted_of_a_body_is_passed_over(run: Callable[..., None], taken: int) -> None:
    async def picky(found: Direct, _receive: Receive, send: Send) -> None:
        pieces = found.pieces(PIECE)
        for _ in range(taken):
            await anext(pieces)
        await answer(send, b"enough")

    async def test() -> None:
        async with serving(picky) as port, connected(port) as (reader, writer):
            for _ in range(3):
                writer.write(head(len(LARGE)) + LARGE)
                assert await answered(reader) == b"enough"

    run(test())


def test_a_client_that_leaves_in_the_middle_is_noticed(run: Callable[..., None]) -> None:
    async def test() -> None:
        noticed = asyncio.Event()

        async def losing(found: Direct, _receive: Receive, _send: Send) -> None:
            with pytest.raises(ConnectionError):
                _ = [piece async for piece in found.pieces(PIECE)]
            noticed.set()

        async with serving(losing) as port:
            async with connected(port) as (_, writer):
                writer.write(head(len(LARGE)) + LARGE[:-1])
                await writer.drain()
            await noticed.wait()

    run(test())


def test_a_slow_client_is_heard_before_a_piece_is_full(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "_GATHERED_FOR_S", 0.0)

    async def test() -> None:
        came: asyncio.Queue[bytes] = asyncio.Queue()

        async def listening(found: Direct, _receive: Receive, send: Send) -> None:
            async for piece in found.pieces(PIECE):
                await came.put(bytes(piece))
            await answer(send, b"all")

        async with serving(listening) as port, connected(port) as (reader, writer):
            writer.write(head(6))
            for part in (b"ab", b"cd", b"ef"):
                writer.write(part)
                assert await came.get() == part
            assert await answered(reader) == b"all"

    run(test())


def pouring(path: Path, poured: list[bool]) -> Handler:
    """Answers with the bytes of a file but its first and last."""

    async def pour(found: Direct, _receive: Receive, send: Send) -> None:
        with path.open("rb") as file:
            size = path.stat().st_size - 2
            length = [(b"content-length", b"%d" % size)]
            await send({"type": "http.response.start", "status": 200, "headers": length})
            poured.append(await found.pour(file.fileno(), 1, size))
            await send({"type": "http.response.body"})

    return pour


def test_a_part_of_a_file_is_poured(run: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(LARGE)

    async def test() -> None:
        poured: list[bool] = []
        async with serving(pouring(tmp_path / "file", poured)) as port, connected(port) as (reader, writer):
            for _ in range(3):
                writer.write(head(0))
                assert await answered(reader) == LARGE[1:-1]
        assert poured == [True, True, True]

    run(test())


def test_a_client_that_leaves_while_a_file_is_poured_is_noticed(run: Callable[..., None], tmp_path: Path) -> None:
    # More than all buffers on the way hold.
    with (tmp_path / "file").open("wb") as file:
        file.truncate(256 * 1024 * 1024)

    async def test() -> None:
        poured: list[bool] = []
        async with serving(pouring(tmp_path / "file", poured)) as port:
            async with connected(port) as (reader, writer):
                writer.write(head(0))
                await reader.readuntil(b"\r\n\r\n")
            while not poured:
                await asyncio.sleep(0.001)
        assert poured == [False]

    run(test())


def test_no_more_is_poured_than_was_announced(run: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(LARGE)

    async def test() -> None:
        raised = asyncio.Event()

        async def greedy(found: Direct, _receive: Receive, send: Send) -> None:
            with (tmp_path / "file").open("rb") as file:
                await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
                with pytest.raises(RuntimeError, match="longer than its Content-Length"):
                    await found.pour(file.fileno(), 0, 4)
                raised.set()

        async with serving(greedy) as port, connected(port) as (_, writer):
            writer.write(head(0))
            await raised.wait()

    run(test())
