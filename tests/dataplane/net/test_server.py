"""The HTTP server over real sockets: order, limits, slow clients, draining, failures."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fairlead.dataplane.net.h1_connection import Answer
from fairlead.dataplane.net.server import HttpServer, Limits
from fairlead.dataplane.spec import TcpSocket, UnixSocket
from fairlead.errors import ConfigError, NotReady
from fairlead.protocols.exchange import Handler, Reply, Request, Response
from support.loops import BOTH_LOOPS, LOOP_NAMES
from support.wire import Wire, get, post, wire_to

pytestmark = pytest.mark.anyio


@pytest.fixture(params=BOTH_LOOPS, ids=LOOP_NAMES)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


def echo(request: Request, reply: Reply) -> None:
    reply(Response(200, b"X-Path: %b\r\n" % request.path.encode(), request.body))


@asynccontextmanager
async def serving(handler: Handler = echo, limits: Limits | None = None) -> AsyncIterator[tuple[HttpServer, int]]:
    server = HttpServer(handler, limits=limits)
    port = await server.listen(TcpSocket("127.0.0.1", 0))
    try:
        yield server, port
    finally:
        await server.drain(0)


class Holding:
    """A handler that keeps requests until the test answers them."""

    def __init__(self) -> None:
        self.held: dict[str, Reply] = {}
        self._came = asyncio.Condition()

    def __call__(self, request: Request, reply: Reply) -> None:
        self.held[request.path] = reply
        asyncio.ensure_future(self._tell())  # noqa: RUF006 (awaited through the condition)

    async def _tell(self) -> None:
        async with self._came:
            self._came.notify_all()

    async def has(self, count: int) -> None:
        async with self._came:
            await self._came.wait_for(lambda: len(self.held) >= count)

    def answer(self, path: str, body: bytes = b"") -> None:
        self.held.pop(path)(Response(200, b"", body or path.encode()))


async def test_one_connection_carries_many_requests() -> None:
    async with serving() as (_, port), wire_to(port) as wire:
        answers = [await wire.ask(post(f"/{number}", b"x" * number)) for number in range(20)]

    assert [answer.headers["x-path"] for answer in answers] == [f"/{number}" for number in range(20)]
    assert [len(answer.body) for answer in answers] == list(range(20))


async def test_pipelined_requests_are_answered_in_order_though_handlers_finish_out_of_order() -> None:
    holding = Holding()
    async with serving(holding) as (_, port), wire_to(port) as wire:
        await wire.send(b"".join(get(f"/{number}") for number in range(4)))
        await holding.has(4)
        for number in (3, 1, 0, 2):
            holding.answer(f"/{number}")

        answers = [await wire.receive() for _ in range(4)]

    assert [answer.body for answer in answers] == [b"/0", b"/1", b"/2", b"/3"]


async def test_more_requests_than_may_be_pending_are_answered_in_the_end() -> None:
    holding = Holding()
    async with serving(holding) as (_, port), wire_to(port) as wire:
        sending = asyncio.ensure_future(
            wire.send(b"".join(get(f"/{number}", "A: " + "a" * 4000) for number in range(500)))
        )
        received = []
        for number in range(500):
            await holding.has(1)
            while f"/{number}" not in holding.held:
                await holding.has(len(holding.held) + 1)
            holding.answer(f"/{number}")
            received.append((await wire.receive()).body)
        await sending

    assert received == [f"/{number}".encode() for number in range(500)]


async def test_an_answer_given_twice_is_sent_once() -> None:
    def twice(request: Request, reply: Reply) -> None:
        reply(Response(200, b"", b"first"))
        reply(Response(200, b"", b"second"))

    async with serving(twice) as (_, port), wire_to(port) as wire:
        first = await wire.ask(get("/"))
        again = await wire.ask(get("/"))

    assert (first.body, again.body) == (b"first", b"first")


async def test_chunked_bodies_reach_the_handler_whole() -> None:
    async with serving() as (_, port), wire_to(port) as wire:
        head = b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = await wire.ask(head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    assert answer.body == b"abcde"


async def test_a_large_body_goes_both_ways() -> None:
    body = bytes(range(256)) * 40_000
    async with serving() as (_, port), wire_to(port) as wire:
        sending = asyncio.ensure_future(wire.send(post("/big", body)))
        answer = await wire.receive()
        await sending

    assert answer.body == body


async def test_head_gets_the_length_and_no_body() -> None:
    def page(request: Request, reply: Reply) -> None:
        reply(Response(200, b"", b"12345"))

    async with serving(page) as (_, port), wire_to(port) as wire:
        await wire.send(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
        head = await wire.receive(has_body=False)
        after = await wire.ask(get("/"))

    assert (head.headers["content-length"], after.body) == ("5", b"12345")


async def test_http_1_0_clients_stay_only_when_they_ask_to() -> None:
    async with serving() as (_, port), wire_to(port) as wire:
        stays = await wire.ask(b"GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        leaves = await wire.ask(b"GET /2 HTTP/1.0\r\n\r\n")
        rest = await wire.rest()

    assert (stays.headers["connection"], leaves.headers["connection"], rest) == ("keep-alive", "close", b"")


async def test_a_client_that_expects_continue_is_told_to_go_on_when_it_is_its_turn() -> None:
    holding = Holding()
    head = b"POST /second HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    async with serving(holding) as (_, port), wire_to(port) as wire:
        await wire.send(get("/first") + head)
        await holding.has(1)
        holding.answer("/first")
        first = await wire.receive()
        invitation = await wire.reader.readuntil(b"\r\n\r\n")
        await wire.send(b"ab")
        await holding.has(1)
        holding.answer("/second")
        second = await wire.receive()

    assert (first.body, invitation, second.body) == (b"/first", b"HTTP/1.1 100 Continue\r\n\r\n", b"/second")


async def test_a_body_over_the_limit_is_refused_before_it_is_invited() -> None:
    head = b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n"
    async with serving(limits=Limits(body_bytes=10)) as (_, port), wire_to(port) as wire:
        answer = await wire.ask(head)

    assert (answer.status, answer.headers["connection"]) == (413, "close")


async def test_an_answer_to_a_refused_upload_arrives_although_the_client_goes_on_sending() -> None:
    async with serving(limits=Limits(body_bytes=10)) as (_, port), wire_to(port) as wire:
        await wire.send(post("/", b"x" * 3_000_000))
        answer = await wire.receive()

    assert (answer.status, answer.phrase) == (413, "Request Entity Too Large")


@pytest.mark.parametrize(
    ("wire_bytes", "status"),
    [
        (b"\x16\x03\x01\x02\x00", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"a" * 20_000, 414),
        (b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"b" * 70_000, 431),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ],
)
async def test_what_cannot_be_trusted_is_refused_after_what_came_before_it(wire_bytes: bytes, status: int) -> None:
    async with serving() as (_, port), wire_to(port) as wire:
        await wire.send(get("/before") + wire_bytes)
        before, refusal = await wire.receive(), await wire.receive()
        rest = await wire.rest()

    assert (before.status, refusal.status, refusal.headers["connection"], rest) == (200, status, "close", b"")


@pytest.mark.slow
@pytest.mark.parametrize("start", [b"GET / HTT", b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab"])
async def test_a_request_that_does_not_end_in_time_gets_408(start: bytes) -> None:
    limits = Limits(header_timeout_s=0.2, body_timeout_s=0.2)
    async with serving(limits=limits) as (_, port), wire_to(port) as wire:
        answer = await wire.ask(start)
        rest = await wire.rest()

    assert (answer.status, answer.phrase, rest) == (408, "Request Timeout", b"")


@pytest.mark.slow
async def test_a_client_that_drips_a_head_is_cut_though_it_never_pauses() -> None:
    async with serving(limits=Limits(header_timeout_s=0.2)) as (_, port), wire_to(port) as wire:
        await wire.send(b"GET / HTTP/1.1\r\nHost: h\r\n")

        async def drip() -> None:
            while True:
                await wire.send(b"A: b\r\n")
                await asyncio.wait([answer], timeout=0.02)

        answer = asyncio.ensure_future(wire.receive())
        dripping = asyncio.ensure_future(drip())
        status = (await answer).status
        dripping.cancel()

    assert status == 408


@pytest.mark.slow
async def test_an_idle_client_is_hung_up_on_without_a_word() -> None:
    async with serving(limits=Limits(idle_timeout_s=0.2)) as (_, port), wire_to(port) as wire:
        answer = await wire.ask(get("/"))
        rest = await wire.rest()

    assert (answer.status, rest) == (200, b"")


@pytest.mark.slow
async def test_a_client_that_does_not_read_its_answers_is_cut() -> None:
    def much(request: Request, reply: Reply) -> None:
        reply(Response(200, b"", bytes(30_000_000)))

    async with serving(much, Limits(write_timeout_s=0.2)) as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(get("/"))
        await reader.read(1)
        await gone(lambda: server.connections == 0)
        writer.close()


async def gone(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_the_handler_learns_that_its_client_went_away() -> None:
    told = asyncio.Event()

    def wait_for_ever(request: Request, reply: Reply) -> None:
        assert isinstance(reply, Answer)
        reply.on_gone = told.set

    async with serving(wait_for_ever, Limits(half_closed_timeout_s=0.1)) as (_, port):
        async with wire_to(port) as wire:
            await wire.send(get("/"))
        await asyncio.wait_for(told.wait(), 5)


async def test_a_client_that_closes_its_side_still_gets_its_answers() -> None:
    holding = Holding()
    async with serving(holding) as (_, port), wire_to(port) as wire:
        await wire.send(get("/1") + get("/2"))
        wire.writer.write_eof()
        await holding.has(2)
        holding.answer("/2")
        holding.answer("/1")
        rest = await wire.rest()

    assert rest.count(b"HTTP/1.1 200 OK") == 2
    assert b"/2" in rest


async def test_a_handler_that_fails_gives_500_and_the_log_has_the_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def broken(request: Request, reply: Reply) -> None:
        raise ZeroDivisionError("secret detail")

    async with serving(broken) as (_, port), wire_to(port) as wire:
        with caplog.at_level(logging.ERROR):
            answer = await wire.ask(get("/"))
        again = await wire.ask(get("/"))

    assert (answer.status, answer.headers["content-type"], again.status) == (500, "application/json", 500)
    assert b"secret" not in answer.body
    assert "ZeroDivisionError" in caplog.text


async def test_an_error_of_ours_keeps_its_status() -> None:
    def not_yet(request: Request, reply: Reply) -> None:
        raise NotReady("still loading")

    async with serving(not_yet) as (_, port), wire_to(port) as wire:
        answer = await wire.ask(get("/"))

    assert (answer.status, answer.body) == (503, b'{"error":"still loading"}')


async def test_draining_answers_what_is_held_and_closes_the_rest() -> None:
    holding = Holding()
    async with serving(holding) as (server, port), wire_to(port) as busy, wire_to(port) as idle:
        await busy.send(get("/held"))
        await idle.send(get("/warm"))
        await holding.has(2)
        holding.answer("/warm")
        await idle.receive()

        draining = asyncio.ensure_future(server.drain(5))
        silence = await idle.rest()
        holding.answer("/held")
        answer = await busy.receive()
        busy.writer.close()
        await draining

    assert silence == b""
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_draining_under_load_drops_no_request() -> None:
    """Clients send again and again until they are told to leave; every request they sent is answered."""

    async def client(wire: Wire, results: list[int]) -> None:
        while True:
            answer = await wire.ask(post("/", b"x"))
            results.append(answer.status)
            if answer.headers.get("connection") == "close":
                return

    results: list[int] = []
    async with serving() as (server, port):
        async with asyncio.timeout(20), wire_to(port) as a, wire_to(port) as b, wire_to(port) as c, wire_to(port) as d:
            clients = [asyncio.ensure_future(client(wire, results)) for wire in (a, b, c, d)]
            await gone(lambda: len(results) > 50)
            draining = asyncio.ensure_future(server.drain(10))
            await asyncio.gather(*clients)
        await draining

    assert set(results) == {200}


async def test_a_request_that_outlives_the_grace_is_cut() -> None:
    holding = Holding()
    async with serving(holding) as (server, port), wire_to(port) as wire:
        await wire.send(get("/"))
        await holding.has(1)

        await server.drain(0.05)
        rest = await wire.rest()

    assert rest == b""


async def test_a_unix_socket_is_served_for_its_owner_only_and_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    server = HttpServer(echo)
    await server.listen(UnixSocket(str(path)))
    mode = path.stat().st_mode & 0o777
    reader, writer = await asyncio.open_unix_connection(path)
    answer = await Wire(reader, writer).ask(get("/unix"))
    writer.close()
    await server.drain(1)

    assert (mode, answer.headers["x-path"], path.exists()) == (0o600, "/unix", False)


async def test_a_socket_left_by_a_killed_process_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    first, second = HttpServer(echo), HttpServer(echo)
    await first.listen(UnixSocket(str(path)))

    await second.listen(UnixSocket(str(path)))
    reader, writer = await asyncio.open_unix_connection(path)
    answer = await Wire(reader, writer).ask(get("/"))
    writer.close()
    await second.drain(1)
    await first.drain(0)

    assert answer.status == 200


async def test_a_port_in_use_is_said_in_one_sentence() -> None:
    async with serving() as (_, port):
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port} is in use by another program"):
            await HttpServer(echo).listen(TcpSocket("127.0.0.1", port))
