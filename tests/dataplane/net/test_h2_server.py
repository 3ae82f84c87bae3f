"""HTTP/2 on the server's port: real gRPC clients, curl, and frames made by hand."""

import asyncio
import contextlib
import random
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from fairlead.dataplane.net.server import HttpServer, Limits
from fairlead.dataplane.spec import TcpSocket
from fairlead.errors import GrpcCode, NotFound
from fairlead.protocols.exchange import Handler, Outgoing, Request, Response, ServerReply
from fairlead.protocols.grpc import (
    MessageReader,
    frame_message,
    grpc_response,
    read_message,
    read_metadata,
    status_lines,
)
from support import h2_frames as by_hand
from support.certificates import make_certificate
from support.grpc_channels import channel_to
from support.h2_frames import CALL, PREFACE, block, call, frame, window
from support.h2_wire import h2_wire_to
from support.loops import BOTH_LOOPS, LOOP_NAMES
from support.wire import get, post, wire_to

pytestmark = pytest.mark.anyio
LIMIT = 16 << 20


@pytest.fixture(params=BOTH_LOOPS, ids=LOOP_NAMES)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


def echo(request: Request, reply: ServerReply) -> None:
    if not request.header(b"content-type").startswith(b"application/grpc"):
        reply(Response(200, b"X-Path: %b\r\n" % request.path.encode(), request.body))
        return
    reply(grpc_response(read_message(request.body, limit_bytes=LIMIT)))


@asynccontextmanager
async def serving(
    handler: Callable[[Request, ServerReply], None] = echo,
    limits: Limits | None = None,
    *,
    streams: bool = False,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[tuple[HttpServer, int]]:
    plain: Handler = handler  # type: ignore[assignment]  # replies of servers are ServerReply
    server = HttpServer(plain, limits=limits, streams=(lambda head: True) if streams else None)
    port = await server.listen(TcpSocket("127.0.0.1", 0), tls=tls)
    try:
        yield server, port
    finally:
        await server.drain(0)


class Holding:
    """A handler that keeps calls until the test answers them, and notes who went away."""

    def __init__(self) -> None:
        self.held: list[tuple[Request, ServerReply]] = []
        self.gone = 0
        self._changed = asyncio.Event()

    def __call__(self, request: Request, reply: ServerReply) -> None:
        reply.on_gone = self._leave
        self.held.append((request, reply))
        self._changed.set()

    def _leave(self) -> None:
        self.gone += 1
        self._changed.set()

    async def until(self, *, held: int = 0, gone: int = 0) -> None:
        while len(self.held) < held or self.gone < gone:
            self._changed.clear()
            await self._changed.wait()

    def answer_all(self) -> None:
        for request, reply in self.held:
            echo(request, reply)
        self.held.clear()


async def turns() -> None:
    """Let the server, which runs on this loop, read what was sent."""
    for _ in range(5):
        await asyncio.sleep(0)


async def ask(port: int, message: bytes, **given: Any) -> Any:
    """One unary call by the real client."""

    def blocking() -> Any:
        with channel_to(port) as channel:
            return channel.unary_unary("/test.Echo/Unary")(message, timeout=20, **given)

    return await asyncio.to_thread(blocking)


# Unary calls.


async def test_a_real_client_calls_and_its_metadata_arrives() -> None:
    seen: list[Any] = []

    def note(request: Request, reply: ServerReply) -> None:
        seen.append((request.method, request.path, dict(read_metadata(request.headers)), request.header(b"host")))
        reply(grpc_response(read_message(request.body, limit_bytes=LIMIT), b"x-seen: yes\r\nx-seen-bin: AAE\r\n"))

    async with serving(note) as (_, port):

        def blocking() -> Any:
            with channel_to(port) as channel:
                metadata = [("seldon", "iris"), ("key-bin", b"\0\xff")]
                return channel.unary_unary("/test.Echo/Unary").with_call(b"abc", timeout=20, metadata=metadata)

        message, outcome = await asyncio.to_thread(blocking)

    method, path, metadata, host = seen[0]
    assert (message, method, path, host) == (b"abc", "POST", "/test.Echo/Unary", b"127.0.0.1:%d" % port)
    assert (metadata[b"seldon"], metadata[b"key-bin"]) == (b"iris", b"\0\xff")
    assert {("x-seen", "yes"), ("x-seen-bin", b"\0\1")} <= set(outcome.initial_metadata())
    assert outcome.code() is grpc.StatusCode.OK


@pytest.mark.slow
async def test_messages_of_8_mib_go_both_ways() -> None:
    message = bytes(range(256)) * 32768
    async with serving() as (_, port):
        assert await ask(port, message) == message
        assert await ask(port, b"") == b""


@pytest.mark.slow
async def test_a_thousand_calls_are_open_at_once_on_one_connection() -> None:
    holding = Holding()
    async with serving(holding) as (server, port):

        def blocking() -> list[bytes]:
            with channel_to(port) as channel:
                unary = channel.unary_unary("/test.Echo/Unary")
                futures = [unary.future(b"%d" % number, timeout=60) for number in range(1000)]
                return [future.result() for future in futures]

        asking = asyncio.ensure_future(asyncio.to_thread(blocking))
        await holding.until(held=1000)
        connections = server.connections
        holding.answer_all()
        answers = await asking

    assert connections == 1
    assert answers == [b"%d" % number for number in range(1000)]


async def test_calls_that_come_together_are_answered_in_one_piece() -> None:
    async with serving() as (_, port), h2_wire_to(port) as wire:
        await wire.settle()
        await wire.send(*(call(2 * number + 1, frame_message(b"%d" % number)) for number in range(20)))
        await wire.more()
        answers = [await wire.answer(2 * number + 1) for number in range(20)]

    assert [answer.body for answer in answers] == [frame_message(b"%d" % number) for number in range(20)]
    assert {answer.outcome for answer in answers} == {"0"}


async def test_repeated_heads_are_one_object_so_that_notes_stay() -> None:
    heads = []

    def note(request: Request, reply: ServerReply) -> None:
        heads.append(request.head)
        echo(request, reply)

    async with serving(note) as (_, port):
        for _ in range(2):
            async with h2_wire_to(port) as wire:
                await wire.send(call(1), call(3))
                await wire.answer(3)

    assert heads[0] is heads[1]
    assert heads[2] is heads[3]


async def test_errors_of_handlers_become_outcomes(caplog: pytest.LogCaptureFixture) -> None:
    def failing(request: Request, reply: ServerReply) -> None:
        raise NotFound("no model ‘x’") if request.path.endswith("Known") else RuntimeError("secret")

    outcomes = []
    async with serving(failing) as (_, port):
        for name in ("Known", "Unknown"):

            def blocking(path: str = f"/test.Echo/{name}") -> Any:
                with channel_to(port) as channel:
                    return channel.unary_unary(path)(b"", timeout=20)

            with pytest.raises(grpc.RpcError) as caught:
                await asyncio.to_thread(blocking)
            outcomes.append(caught.value)

    assert (outcomes[0].code(), outcomes[0].details()) == (grpc.StatusCode.NOT_FOUND, "no model ‘x’")
    assert outcomes[1].code() is grpc.StatusCode.INTERNAL
    assert "secret" not in outcomes[1].details()
    assert "secret" in caplog.text


async def test_a_message_over_the_limit_exhausts_resources_and_the_connection_stays() -> None:
    async with serving(limits=Limits(body_bytes=1000)) as (_, port):

        def blocking() -> tuple[Any, bytes]:
            with channel_to(port) as channel:
                unary = channel.unary_unary("/test.Echo/Unary")
                with pytest.raises(grpc.RpcError) as caught:
                    unary(bytes(500_000), timeout=20)
                return caught.value, unary(b"small", timeout=20)

        error, answer = await asyncio.to_thread(blocking)

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "1000 bytes" in error.details()
    assert answer == b"small"


async def test_the_deadline_is_enforced_here_too_and_the_handler_hears_of_it() -> None:
    holding = Holding()
    async with serving(holding) as (_, port), h2_wire_to(port) as wire:
        await wire.send(call(1, frame_message(b""), [*CALL, ("grpc-timeout", "60S")]))
        await wire.send(call(3, frame_message(b""), [*CALL, ("grpc-timeout", "50m")]))
        late = await wire.answer(3)
        holding.answer_all()
        other = await wire.answer(1)

    assert (late.headers[":status"], late.outcome) == ("200", str(GrpcCode.DEADLINE_EXCEEDED.value))
    assert (holding.gone, other.outcome) == (1, "0")


async def test_a_deadline_that_is_over_already_is_exceeded() -> None:
    async with serving(Holding()) as (_, port), h2_wire_to(port) as wire:
        await wire.send(call(1, frame_message(b""), [*CALL, ("grpc-timeout", "0S")]))
        answer = await wire.answer(1)

    assert answer.outcome == "4"


async def test_cancelled_calls_and_lost_connections_tell_the_handler() -> None:
    holding = Holding()
    async with serving(holding) as (_, port):
        with channel_to(port) as channel:
            future = channel.unary_unary("/test.Echo/Unary").future(b"", timeout=60)
            await holding.until(held=1)
            future.cancel()
            await holding.until(gone=1)
        async with h2_wire_to(port) as wire:
            await wire.send(call(1, frame_message(b"")))
            await holding.until(held=2)
            wire.writer.transport.abort()
            await holding.until(gone=2)
        holding.answer_all()

    assert holding.gone == 2


# Streams.


def chat(request: Request, reply: ServerReply) -> None:
    """Answers each message with its size, and the end with the sum."""
    reader = MessageReader(limit_bytes=LIMIT)
    outgoing = reply.begin(200, b"content-type: application/grpc\r\n")
    total = 0

    def hear(data: bytes) -> None:
        nonlocal total
        for message in reader.feed(data):
            total += len(message)
            outgoing.send(frame_message(b"%d" % len(message)))

    def end() -> None:
        outgoing.send(frame_message(b"total %d" % total))
        outgoing.end(status_lines(GrpcCode.OK))

    assert request.incoming is not None
    request.incoming.listen(hear, end)


async def test_bidirectional_streams_answer_each_message_before_the_next_comes() -> None:
    async with serving(chat, streams=True) as (_, port):

        def blocking() -> list[bytes]:
            import queue

            asked: queue.Queue[bytes | None] = queue.Queue()
            heard = []
            with channel_to(port) as channel:
                answers = channel.stream_stream("/test.Echo/Chat")(iter(asked.get, None), timeout=20)
                for size in (0, 3, 500_000):
                    asked.put(bytes(size))
                    heard.append(next(answers))
                asked.put(None)
                return [*heard, *answers]

        assert await asyncio.to_thread(blocking) == [b"0", b"3", b"500000", b"total 500003"]


async def test_a_stream_without_messages_ends() -> None:
    async with serving(chat, streams=True) as (_, port), h2_wire_to(port) as wire:
        await wire.send(frame(by_hand.HEADERS, 5, 1, block(CALL)))
        answer = await wire.answer(1)

    assert (answer.body, answer.outcome) == (frame_message(b"total 0"), "0")


async def test_an_answer_in_pieces_waits_for_a_slow_reader() -> None:
    begun: list[Outgoing] = []
    is_free = asyncio.Event()

    def pour(request: Request, reply: ServerReply) -> None:
        outgoing = reply.begin(200, b"content-type: application/grpc\r\n")
        begun.append(outgoing)
        outgoing.when_free = is_free.set
        sent = 0
        while not outgoing.is_full:
            outgoing.send(bytes(10_000))
            sent += 10_000
        assert sent < 300_000

    async with serving(pour) as (_, port), h2_wire_to(port) as wire:
        await wire.send(call(1))
        await wire.settle()
        early = is_free.is_set()
        await wire.send(window(0, 1 << 20), window(1, 1 << 20))
        await is_free.wait()
        begun[0].send(b"last")
        begun[0].end(status_lines(GrpcCode.OK))
        while (await wire.wait(by_hand.DATA, 1)).payload != b"last":
            pass
        ended = await wire.answer(1)

    assert (early, begun[0].is_full, ended.outcome) == (False, False, "0")


class Pouring:
    """A handler that answers with many messages, as fast as its client takes them."""

    def __init__(self, count: int, size: int) -> None:
        self.left = count
        self._message = frame_message(bytes(size))
        self.waits = 0

    def __call__(self, request: Request, reply: ServerReply) -> None:
        outgoing = reply.begin(200, b"content-type: application/grpc\r\n")
        outgoing.when_free = lambda: self._pour(outgoing)
        self._pour(outgoing)

    def _pour(self, outgoing: Outgoing) -> None:
        while self.left and not outgoing.is_full:
            self.left -= 1
            outgoing.send(self._message)
        if self.left:
            self.waits += 1
        else:
            outgoing.end(status_lines(GrpcCode.OK))


@pytest.mark.slow
async def test_a_real_client_reads_a_long_stream_at_its_own_pace() -> None:
    pouring = Pouring(300, 100_000)
    async with serving(pouring) as (_, port):

        def blocking() -> int:
            with channel_to(port) as channel:
                answers = channel.unary_stream("/test.Echo/Pour")(b"", timeout=60)
                return sum(len(message) for message in answers)

        total = await asyncio.to_thread(blocking)

    assert total == 300 * 100_000
    assert pouring.waits


async def test_an_answer_in_pieces_waits_for_the_socket_when_windows_are_endless() -> None:
    pouring = Pouring(10_000, 100_000)
    async with serving(pouring) as (_, port), h2_wire_to(port) as wire:
        await wire.send(window(0, 1 << 30), by_hand.settings(initial_window_size=1 << 30), call(1))
        while not pouring.waits:
            await asyncio.sleep(0)
        assert pouring.left > 9_000


@pytest.mark.slow
async def test_large_calls_side_by_side_all_come_through() -> None:
    messages = [bytes([number]) * 700_000 for number in range(40)]
    async with serving() as (_, port):

        def blocking() -> list[bytes]:
            with channel_to(port) as channel:
                unary = channel.unary_unary("/test.Echo/Unary")
                futures = [unary.future(message, timeout=60) for message in messages]
                return [future.result() for future in futures]

        answers = await asyncio.to_thread(blocking)

    assert answers == messages


async def test_a_handler_that_pauses_lets_the_sender_wait_when_its_window_is_used_up() -> None:
    requests: list[Request] = []

    def slow(request: Request, reply: ServerReply) -> None:
        requests.append(request)

    pieces: list[bytes] = []
    ended = asyncio.Event()
    async with serving(slow, streams=True) as (_, port), h2_wire_to(port) as wire:
        await wire.send(frame(by_hand.HEADERS, 4, 1, block(CALL)))
        await wire.settle()
        incoming = requests[0].incoming
        assert incoming is not None
        incoming.listen(pieces.append, ended.set)
        incoming.pause()
        await wire.send(*(frame(by_hand.DATA, 0, 1, bytes(60_000)) for _ in range(17)))
        await wire.settle()
        updates = [seen for seen in wire.frames if seen.kind == by_hand.WINDOW_UPDATE and seen.stream == 1]
        incoming.resume()
        update = await wire.wait(by_hand.WINDOW_UPDATE, 1)
        await wire.send(frame(by_hand.DATA, 1, 1, b"end"))
        await ended.wait()

    assert (updates, update.number) == ([], 17 * 60_000)
    assert len(b"".join(pieces)) == 17 * 60_000 + 3


async def test_what_came_before_somebody_listens_is_kept() -> None:
    requests: list[tuple[Request, ServerReply]] = []

    def later(request: Request, reply: ServerReply) -> None:
        requests.append((request, reply))

    async with serving(later, streams=True) as (_, port), h2_wire_to(port) as wire:
        await wire.send(call(1, b"early"))
        await wire.settle()
        heard: list[bytes] = []
        request, reply = requests[0]
        assert request.incoming is not None
        request.incoming.listen(heard.append, lambda: reply(Response(200, b"", b"".join(heard))))
        answer = await wire.answer(1)

    assert (heard, answer.body) == ([b"early"], b"early")


async def test_an_answer_before_the_end_of_the_request_ends_the_stream_without_an_error() -> None:
    def hasty(request: Request, reply: ServerReply) -> None:
        reply(grpc_response(b"enough"))

    async with serving(hasty, streams=True) as (_, port), h2_wire_to(port) as wire:
        await wire.send(frame(by_hand.HEADERS, 4, 1, block(CALL)))
        reset = await wire.wait(by_hand.RST_STREAM, 1)
        await wire.send(frame(by_hand.DATA, 1, 1, b"late"), call(3))
        other = await wire.answer(3)

    assert (reset.number, other.outcome) == (0, "0")


async def test_a_streamed_answer_that_fails_is_cut() -> None:
    def half(request: Request, reply: ServerReply) -> None:
        reply.begin(200, b"").send(b"half")
        raise NotFound("the other half")

    async with serving(half) as (_, port), h2_wire_to(port) as wire:
        await wire.send(call(1))
        answer = await wire.answer(1)

    assert (answer.body, answer.reset) == (b"half", 2)


async def test_a_deadline_ends_a_streamed_answer_with_its_outcome() -> None:
    holding: list[Outgoing] = []

    def endless(request: Request, reply: ServerReply) -> None:
        holding.append(reply.begin(200, b"content-type: application/grpc\r\n"))
        holding[0].send(b"one")

    async with serving(endless) as (_, port), h2_wire_to(port) as wire:
        await wire.send(call(1, b"", [*CALL, ("grpc-timeout", "50m")]))
        answer = await wire.answer(1)
        holding[0].send(b"late")
        holding[0].end()

    assert (answer.body, answer.outcome) == (b"one", "4")


# Plain requests.


@pytest.mark.slow
async def test_curl_speaks_http2_to_it_without_tls() -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("not run: there is no curl here")

    async def run(port: int, *args: str, stdin: bytes = b"") -> bytes:
        url = f"http://127.0.0.1:{port}/live?a=b"
        argv = [curl, "-sS", "--http2-prior-knowledge", "-w", " %{http_version} %{http_code}", *args, url]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe)
        return (await process.communicate(stdin))[0]

    async with serving() as (_, port):
        body = bytes(range(256)) * 8000
        assert await run(port) == b" 2 200"
        assert await run(port, "--data-binary", "@-", stdin=body) == body + b" 2 200"
        headers = await run(port, "-I")

    assert headers.endswith(b" 2 200")
    assert b"x-path: /live\r\n" in headers
    assert b"content-length: 0\r\n" in headers


async def test_plain_requests_get_length_and_date_and_codes_without_bodies_have_none() -> None:
    def codes(request: Request, reply: ServerReply) -> None:
        reply(Response(204 if request.path == "/none" else 200, b"", b"body"))

    def plain(path: str, method: str = "GET") -> list[tuple[str, str]]:
        return [(":method", method), (":scheme", "http"), (":path", path), (":authority", "h")]

    async with serving(codes) as (_, port), h2_wire_to(port) as wire:
        for index, head in enumerate([plain("/"), plain("/none"), plain("/", "HEAD")]):
            await wire.send(frame(by_hand.HEADERS, 5, 2 * index + 1, block(head)))
        some, none, head_only = [await wire.answer(id) for id in (1, 3, 5)]

    assert (some.headers["content-length"], some.body) == ("4", b"body")
    assert some.headers["date"].endswith("GMT")
    assert (none.headers[":status"], none.body, "content-length" in none.headers) == ("204", b"", False)
    assert (head_only.headers["content-length"], head_only.body) == ("4", b"")


async def test_both_versions_share_a_port_and_the_preface_may_come_in_pieces() -> None:
    async with serving() as (_, port):
        async with wire_to(port) as old:
            first = await old.ask(get("/one"))
            second = await old.ask(post("/two", b"abc"))
        async with h2_wire_to(port, greeting=PREFACE[:5]) as new:
            await turns()
            await new.send(PREFACE[5:] + by_hand.settings(), call(1))
            third = await new.answer(1)
        async with wire_to(port) as other:
            await other.send(b"P")
            await turns()
            fourth = await other.ask(post("/four", b"x")[1:])

    assert [one.headers["x-path"] for one in (first, second, fourth)] == ["/one", "/two", "/four"]
    assert third.outcome == "3", "an empty body holds no message"


async def test_a_client_that_expects_to_be_invited_is() -> None:
    head = [(":method", "POST"), (":scheme", "http"), (":path", "/"), ("expect", "100-continue")]
    async with serving() as (_, port), h2_wire_to(port) as wire:
        await wire.send(frame(by_hand.HEADERS, 4, 1, block(head)))
        invited = await wire.wait(by_hand.HEADERS, 1)
        await wire.send(frame(by_hand.DATA, 1, 1, b"body"))
        answer = await wire.answer(1)

    assert not invited.flags & by_hand.END_STREAM
    assert (answer.body, answer.trailers[":status"]) == (b"body", "200")


GET = [(":method", "GET"), (":scheme", "http"), (":path", "/")]


@pytest.mark.parametrize(
    "headers",
    [
        GET[1:],
        GET[:2],
        [*GET, GET[0]],
        [("accept", "*/*"), *GET],
        [*GET, (":status", "200")],
        [*GET[:2], (":path", "nowhere")],
        [*GET, ("X-Upper", "a")],
        [*GET, ("connection", "close")],
        [*GET, ("transfer-encoding", "chunked")],
        [*GET, ("te", "gzip")],
        [*GET, ("a", "b\r\nc: d")],
        [*GET, ("a", " padded")],
        [*GET, ("content-length", "1x")],
        [*GET, ("content-length", "5")],
        [(":method", "CONNECT"), (":authority", "h")],
    ],
)
async def test_malformed_requests_are_reset_and_others_go_on(headers: list[tuple[str, str]]) -> None:
    async with serving() as (_, port), h2_wire_to(port) as wire:
        await wire.send(call(1, b"four", headers), frame(by_hand.HEADERS, 5, 3, block(GET)))
        bad, good = await wire.answer(1), await wire.answer(3)

    assert (bad.reset, good.headers[":status"]) == (1, "200")


async def test_headers_over_the_limit_are_refused_and_the_connection_stays() -> None:
    large = [*GET, *((f"x-{number}", "a" * 1000) for number in range(80))]
    packed = block(large)
    async with serving(limits=Limits(header_bytes=50_000)) as (_, port), h2_wire_to(port) as wire:
        # Packed it passes as one frame; what counts is the size of the list.
        assert len(packed) < 65_536
        await wire.send(frame(by_hand.HEADERS, 5, 1, packed), frame(by_hand.HEADERS, 5, 3, block(GET)))
        refused, good = await wire.answer(1), await wire.answer(3)

    assert (refused.headers[":status"], good.headers[":status"]) == ("431", "200")


async def test_more_headers_or_a_longer_path_than_allowed_are_refused() -> None:
    many = [*GET, *((f"x-{number}", "a") for number in range(20))]
    long = [*GET[:2], (":path", "/" + "a" * 200)]
    async with serving(limits=Limits(header_count=20, url_bytes=100)) as (_, port), h2_wire_to(port) as wire:
        await wire.send(frame(by_hand.HEADERS, 5, 1, block(many)), frame(by_hand.HEADERS, 5, 3, block(long)))
        crowded, far = await wire.answer(1), await wire.answer(3)

    assert (crowded.headers[":status"], far.headers[":status"]) == ("431", "414")


async def test_one_connection_may_not_fill_the_memory_with_halves_of_requests() -> None:
    async with serving(limits=Limits(body_bytes=50_000)) as (_, port), h2_wire_to(port) as wire:
        for id in (1, 3, 5):
            await wire.send(frame(by_hand.HEADERS, 4, id, block(CALL)), frame(by_hand.DATA, 0, id, bytes(40_000)))
        refused = await wire.answer(5)
        await wire.send(frame(by_hand.DATA, 1, 1, b""))
        first = await wire.answer(1)

    assert (refused.outcome, first.outcome) == ("8", "3")


async def test_bytes_that_mean_nothing_harm_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    dice = random.Random(7)
    async with serving() as (_, port), h2_wire_to(port) as other:
        for _ in range(40):
            junk = [
                frame(dice.randrange(11), dice.randrange(256), dice.randrange(8), dice.randbytes(dice.randrange(40)))
                for _ in range(dice.randrange(1, 6))
            ]
            async with h2_wire_to(port) as wire:
                await wire.send(call(1, frame_message(b"abc")), *junk)
                wire.writer.write_eof()
                with contextlib.suppress(ConnectionError):
                    await wire.rest()
        await other.send(call(1, frame_message(b"still here")))
        answer = await other.answer(1)

    assert answer.body == frame_message(b"still here")
    assert "Traceback" not in caplog.text


# Timeouts and the end.


@pytest.mark.slow
async def test_connections_that_carry_nothing_are_sent_away() -> None:
    limits = Limits(idle_timeout_s=0.2)
    async with serving(limits=limits) as (server, port):
        async with h2_wire_to(port) as wire:
            frames = await wire.rest()
        async with h2_wire_to(port, greeting=b"") as silent:
            assert await silent.rest() == []

    assert (frames[-1].kind, frames[-1].code, server.connections) == (by_hand.GOAWAY, 0, 0)


@pytest.mark.slow
async def test_slow_requests_are_refused_in_the_words_of_their_protocol() -> None:
    limits = Limits(body_timeout_s=0.2)
    plain = [*GET, ("content-length", "10")]
    async with serving(limits=limits) as (_, port), h2_wire_to(port) as wire:
        await wire.send(frame(by_hand.HEADERS, 4, 1, block(plain)), frame(by_hand.HEADERS, 4, 3, block(CALL)))
        slow, slow_call = await wire.answer(1), await wire.answer(3)

    assert (slow.headers[":status"], slow_call.outcome) == ("408", "4")


@pytest.mark.slow
@pytest.mark.parametrize("start", [PREFACE[:10], PREFACE, PREFACE + by_hand.settings() + b"\0\0\x10\1\4\0\0\0\1abc"])
async def test_a_start_that_stays_half_is_cut(start: bytes) -> None:
    limits = Limits(header_timeout_s=0.2)
    async with serving(limits=limits) as (_, port), h2_wire_to(port, greeting=start) as wire:
        async with asyncio.timeout(10):
            await wire.rest()


@pytest.mark.slow
async def test_an_answer_that_nobody_reads_is_given_up() -> None:
    def large(request: Request, reply: ServerReply) -> None:
        reply(grpc_response(bytes(1 << 20)))

    limits = Limits(write_timeout_s=0.3)
    async with serving(large, limits) as (_, port), h2_wire_to(port) as wire:
        await wire.send(call(1))
        answer = await wire.answer(1)
        await wire.settle()

    assert answer.reset == 8


async def test_draining_answers_what_is_open_and_tells_the_client_to_go() -> None:
    holding = Holding()
    async with serving(holding) as (server, port), h2_wire_to(port) as wire:
        await wire.send(call(1, frame_message(b"held")))
        await holding.until(held=1)
        draining = asyncio.ensure_future(server.drain(10))
        warned = await wire.wait(by_hand.GOAWAY)
        ping = await wire.wait(by_hand.PING)
        await wire.send(call(3, frame_message(b"on its way")), frame(by_hand.PING, 1, 0, ping.payload))
        final = await wire.wait(by_hand.GOAWAY)
        await wire.send(call(5, frame_message(b"too late")))
        await holding.until(held=2)
        holding.answer_all()
        first, second = await wire.answer(1), await wire.answer(3)
        rest = await wire.rest()
        wire.writer.close()
        await draining

    assert (warned.number, final.number) == (2**31 - 1, 3)
    assert (first.body, second.body) == (frame_message(b"held"), frame_message(b"on its way"))
    assert not [seen for seen in rest if seen.stream == 5]


@pytest.mark.slow
async def test_a_real_client_loses_no_call_to_a_drain() -> None:
    holding = Holding()
    loop = asyncio.get_running_loop()
    has_left = asyncio.Event()

    def follow(state: grpc.ChannelConnectivity) -> None:
        if state is grpc.ChannelConnectivity.IDLE and holding.held:
            loop.call_soon_threadsafe(has_left.set)

    async with serving(holding) as (server, port):
        with channel_to(port) as channel:
            channel.subscribe(follow)
            future = channel.unary_unary("/test.Echo/Unary").future(b"held", timeout=20)
            await holding.until(held=1)
            draining = asyncio.ensure_future(server.drain(10))
            await has_left.wait()
            holding.answer_all()
            answer = await asyncio.to_thread(future.result)
            await draining

    assert (answer, server.connections) == (b"held", 0)


async def test_what_is_not_answered_within_the_grace_is_cut() -> None:
    holding = Holding()
    async with serving(holding) as (server, port), h2_wire_to(port) as wire:
        await wire.send(call(1))
        await holding.until(held=1)
        await server.drain(0.05)
        await wire.rest()

    assert holding.gone == 1


@pytest.mark.slow
async def test_a_real_client_comes_over_tls_by_alpn_and_old_ones_still_do(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(cert, key)
    theirs = ssl.create_default_context(cafile=cert)
    theirs.set_alpn_protocols(["h2"])
    message = bytes(range(256)) * 8000

    async with serving(tls=ours) as (_, port):

        def blocking() -> Any:
            with channel_to(port, certificate=cert.read_bytes()) as channel:
                return channel.unary_unary("/test.Echo/Unary")(message, timeout=20)

        answer = await asyncio.to_thread(blocking)
        async with h2_wire_to(port, tls=theirs) as wire:
            await wire.send(call(1, frame_message(b"abc")))
            by_alpn = await wire.answer(1)
        async with wire_to(port, tls=ssl.create_default_context(cafile=cert)) as old:
            plain = await old.ask(get("/old"))

    assert (answer, by_alpn.body, plain.headers["x-path"]) == (message, frame_message(b"abc"), "/old")
