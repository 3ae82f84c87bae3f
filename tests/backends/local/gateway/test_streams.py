"""Bodies in pieces through the gateway, over HTTP/1.1: order, back-pressure, cuts, deadlines, counts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from fairlead.plan.routing import Pool
from fairlead.protocols.exchange import Outgoing, Reply, Request, Response, ServerReply
from support.gateways import Bench, bench, pool, service, until
from support.wire import get, post, wire_to

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

PATH = "/seldon/ns/m/x"


class Streaming:
    """A worker's handler that begins each answer and leaves the rest to the test."""

    def __init__(self) -> None:
        self.streams: list[Outgoing] = []
        self.gone = 0

    def __call__(self, request: Request, reply: Reply) -> None:
        answer = cast(ServerReply, reply)
        answer.on_gone = self._left
        self.streams.append(answer.begin(200, b"Content-Type: text/event-stream\r\n"))

    def _left(self) -> None:
        self.gone += 1

    async def next(self) -> Outgoing:
        await until(lambda: bool(self.streams))
        return self.streams.pop(0)


@asynccontextmanager
async def serving(handler: Streaming, timeout_s: float | None = None) -> AsyncIterator[Bench]:
    async with bench() as made:
        worker = await made.worker("w", handler)
        await made.serve(service("m", {"main": pool(worker)}, timeout_s=timeout_s))
        yield made


def codes(made: Bench) -> dict[int | str, int]:
    (serving,) = made.gateway.switchboard.servings.values()
    return serving.meter.codes


async def test_an_answer_passes_through_piece_by_piece_and_is_counted_at_its_end() -> None:
    handler = Streaming()
    async with serving(handler) as made, wire_to(made.port) as wire:
        await wire.send(get(PATH))
        out = await handler.next()
        out.send(b"data: 1\n\n")
        first = await wire.reader.readuntil(b"data: 1\n\n\r\n")
        assert codes(made) == {}
        out.send(b"data: 2\n\n")
        out.end()
        rest = await wire.reader.readuntil(b"0\r\n\r\n")
        again = await wire.ask(get("/-/healthy"))

        assert codes(made) == {200: 1}
    assert b"text/event-stream" in first
    assert rest == b"9\r\ndata: 2\n\n\r\n0\r\n\r\n"
    assert again.status == 200


@pytest.mark.slow
async def test_a_client_that_does_not_read_holds_the_worker_back() -> None:
    handler = Streaming()
    async with serving(handler) as made, wire_to(made.port) as wire:
        await wire.send(get(PATH))
        out = await handler.next()
        sent = 0
        while not out.is_full:  # until the buffers of two sockets and the window are full and stay so
            while not out.is_full:
                out.send(b"x" * 65536)
                sent += 65536
                assert sent < 64 * 1024 * 1024
            await asyncio.sleep(0.1)
        freed = asyncio.Event()
        out.when_free = freed.set
        while not freed.is_set():
            assert await asyncio.wait_for(wire.reader.read(65536), 5)
        out.end()
        tail = b""
        while not tail.endswith(b"x\r\n0\r\n\r\n"):
            tail = tail[-8:] + await asyncio.wait_for(wire.reader.read(65536), 5)


async def test_a_client_that_leaves_cancels_the_answer() -> None:
    handler = Streaming()
    async with serving(handler) as made:
        async with wire_to(made.port) as wire:
            await wire.send(get(PATH))
            out = await handler.next()
            await wire.reader.readuntil(b"\r\n\r\n")
            wire.writer.transport.abort()

            def has_heard() -> bool:
                out.send(b"to nobody")
                return handler.gone == 1

            await until(has_heard)

        assert codes(made) == {499: 1}


async def test_a_worker_that_dies_in_the_middle_cuts_the_answer() -> None:
    handler = Streaming()
    async with serving(handler) as made, wire_to(made.port) as wire:
        await wire.send(get(PATH))
        (await handler.next()).send(b"half")
        await wire.reader.readuntil(b"half\r\n")
        await made.workers[0].die()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await wire.reader.readuntil(b"0\r\n\r\n")

        assert codes(made) == {502: 1}


async def test_an_answer_that_its_worker_breaks_off_is_cut() -> None:
    handler = Streaming()
    async with serving(handler) as made, wire_to(made.port) as wire:
        await wire.send(get(PATH))
        out = await handler.next()
        out.send(b"half")
        await wire.reader.readuntil(b"half\r\n")
        out.abort()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await wire.reader.readuntil(b"0\r\n\r\n")

        assert codes(made) == {502: 1}


async def test_a_deadline_cuts_an_answer_that_is_not_over() -> None:
    handler = Streaming()
    async with serving(handler, timeout_s=0.1) as made, wire_to(made.port) as wire:
        await wire.send(get(PATH))
        (await handler.next()).send(b"half")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await wire.reader.readuntil(b"0\r\n\r\n")
        await until(lambda: handler.gone == 1)

        assert codes(made) == {504: 1}


async def test_requests_beyond_what_a_replica_may_hold_wait_and_beyond_that_are_refused_at_once() -> None:
    async with bench() as made:
        worker = await made.worker("w")
        worker.holds = True
        wanted = pool(worker, queue_limit=1)
        limited = Pool(endpoints=wanted.endpoints, wait_s=5, queue_limit=1, replica_limit=2)
        await made.serve(service("m", {"main": limited}))
        async with wire_to(made.port) as one, wire_to(made.port) as two, wire_to(made.port) as three:
            for number, wire in enumerate((one, two)):
                await wire.send(post(PATH, b"x"))
                await until(lambda: len(worker.held) == number + 1)  # noqa: B023 (awaited here)
            await three.send(post(PATH, b"x"))
            load = next(iter(made.gateway.switchboard.servings.values())).pool
            await until(lambda: load.load.waiting == 1)
            async with wire_to(made.port) as four:
                refused = await four.ask(post(PATH, b"x"))
            worker.held.pop(0)(Response(200, b"", b"first"))
            first = await one.receive()
            await until(lambda: len(worker.held) == 2)
            worker.release()
            answers = [await two.receive(), await three.receive()]

    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert first.body == b"first"
    assert [answer.status for answer in answers] == [200, 200]


async def test_a_lower_limit_holds_for_replicas_that_are_connected_and_a_higher_one_frees_who_waits() -> None:
    async with bench() as made:
        worker = await made.worker("w")
        worker.holds = True
        wanted = pool(worker)
        await made.serve(service("m", {"main": Pool(endpoints=wanted.endpoints, wait_s=5, replica_limit=1)}))
        async with wire_to(made.port) as one, wire_to(made.port) as two:
            await one.send(post(PATH, b"x"))
            await until(lambda: len(worker.held) == 1)
            await two.send(post(PATH, b"x"))
            load = next(iter(made.gateway.switchboard.servings.values())).pool
            await until(lambda: load.load.waiting == 1)
            await made.serve(service("m", {"main": Pool(endpoints=wanted.endpoints, wait_s=5, replica_limit=2)}))
            await until(lambda: len(worker.held) == 2)
            worker.release()
            answers = [await one.receive(), await two.receive()]

    assert [answer.status for answer in answers] == [200, 200]
