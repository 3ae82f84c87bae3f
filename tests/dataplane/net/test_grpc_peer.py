"""Calls to gRPC peers: the real server, and one made of frames where a peer must misbehave at the right moment."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from bench.ports import free_ports

from fairlead.dataplane.graph.driving import Later, as_future
from fairlead.dataplane.graph.remote import PeerFailed
from fairlead.dataplane.net.grpc_peer import GrpcAnswer, GrpcPeer
from fairlead.errors import GrpcCode
from fairlead.protocols.grpc import frame_message
from support import h2_frames as by_hand
from support.grpc_servers import Method, grpc_server
from support.h2_frames import PREFACE, Seen, block, frame, read_frames
from support.loops import BOTH_LOOPS, LOOP_NAMES

pytestmark = pytest.mark.anyio


@pytest.fixture(params=BOTH_LOOPS, ids=LOOP_NAMES)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


def got(later: Later[GrpcAnswer]) -> asyncio.Future[GrpcAnswer]:
    """A call as asyncio's tests can wait for it."""

    async def wait() -> GrpcAnswer:
        return await later

    return as_future(wait())


@asynccontextmanager
async def peer_at(port: int, limit_bytes: int = 16 << 20) -> AsyncIterator[GrpcPeer]:
    peer = GrpcPeer("127.0.0.1", port, limit_bytes=limit_bytes)
    try:
        yield peer
    finally:
        peer.close()


def echo(message: bytes, context: Any) -> bytes:
    return message


def telling(message: bytes, context: Any) -> bytes:
    metadata = {name: value for name, value in context.invocation_metadata() if name.startswith("x-")}
    context.send_initial_metadata((("x-first", "1"),))
    context.set_trailing_metadata((("x-last-bin", b"\0\1"),))
    return repr((metadata, context.time_remaining() is not None)).encode()


def failing(message: bytes, context: Any) -> bytes:
    context.abort(grpc.StatusCode.NOT_FOUND, "kein Gerät: 5%")
    raise AssertionError


METHODS: dict[str, Method] = {"/t/Echo": echo, "/t/Tell": telling, "/t/Fail": failing}


async def test_a_call_takes_metadata_along_and_brings_the_answers_back() -> None:
    with grpc_server(METHODS) as server:
        async with peer_at(server.port) as peer:
            metadata = [(b"x-name", b"value"), (b"x-key-bin", b"\0\xff")]
            answer = await got(peer.call("/t/Tell", metadata, b"", 20))

    assert (answer.code, answer.message) == (GrpcCode.OK, "")
    assert answer.body == repr(({"x-name": "value", "x-key-bin": b"\0\xff"}, True)).encode()
    assert {(b"x-first", b"1"), (b"x-last-bin", b"AAE")} <= set(answer.headers)


async def test_a_failure_of_the_peer_is_an_answer() -> None:
    with grpc_server(METHODS) as server:
        async with peer_at(server.port) as peer:
            answer = await got(peer.call("/t/Fail", [], b"", 20))
            unknown = await got(peer.call("/t/Nothing", [], b"", None))

    assert (answer.code, answer.message, answer.body) == (GrpcCode.NOT_FOUND, "kein Gerät: 5%", b"")
    assert unknown.code is GrpcCode.UNIMPLEMENTED


@pytest.mark.slow
async def test_many_calls_share_a_connection_within_the_peers_limit() -> None:
    with grpc_server(METHODS, max_concurrent_streams=10) as server:
        async with peer_at(server.port) as peer:
            calls = [got(peer.call("/t/Echo", [], b"%d" % number, 60)) for number in range(300)]
            answers = await asyncio.gather(*calls)

    assert [answer.body for answer in answers] == [b"%d" % number for number in range(300)]


@pytest.mark.slow
async def test_large_messages_go_both_ways_up_to_the_limit() -> None:
    message = bytes(range(256)) * 32768
    with grpc_server(METHODS) as server:
        async with peer_at(server.port) as peer:
            answer = await got(peer.call("/t/Echo", [], message, 60))
        async with peer_at(server.port, limit_bytes=1000) as strict:
            with pytest.raises(PeerFailed, match="longer than 1000 bytes") as caught:
                await got(strict.call("/t/Echo", [], bytes(2000), 60))
            after = await got(strict.call("/t/Echo", [], b"small", 60))

    assert answer.body == message
    assert caught.value.grpc is GrpcCode.RESOURCE_EXHAUSTED
    assert after.body == b"small"


async def test_compressed_answers_are_read() -> None:
    with grpc_server(METHODS, default_compression_algorithm=2) as server:
        async with peer_at(server.port) as peer:
            answer = await got(peer.call("/t/Echo", [], b"a" * 10_000, 20))

    assert (b"grpc-encoding", b"gzip") in answer.headers
    assert answer.body == b"a" * 10_000


class Waiting:
    """A method of the real server that does not answer until it is let go, and tells when it was given up."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.ended = threading.Event()

    def __call__(self, message: bytes, context: Any) -> bytes:
        context.add_callback(self.ended.set)
        self.began.set()
        self.ended.wait(20)
        return b""


async def test_a_deadline_ends_the_call_on_both_sides() -> None:
    waiting = Waiting()
    with grpc_server({"/t/Wait": waiting}) as server:
        async with peer_at(server.port) as peer:
            with pytest.raises(PeerFailed, match="context deadline exceeded") as caught:
                await got(peer.call("/t/Wait", [], b"", 0.2))
            assert await asyncio.to_thread(waiting.ended.wait, 10)

    assert caught.value.grpc is GrpcCode.DEADLINE_EXCEEDED


async def test_a_cancelled_call_fails_here_and_is_cancelled_there() -> None:
    waiting = Waiting()
    with grpc_server({"/t/Wait": waiting, "/t/Echo": echo}) as server:
        async with peer_at(server.port) as peer:
            call = peer.call("/t/Wait", [], b"", None)
            future = got(call)
            assert await asyncio.to_thread(waiting.began.wait, 10)
            call.cancel()
            call.cancel()
            with pytest.raises(PeerFailed) as caught:
                await future
            assert await asyncio.to_thread(waiting.ended.wait, 10)
            other = await got(peer.call("/t/Echo", [], b"next", 20))

    assert caught.value.grpc is GrpcCode.CANCELLED
    assert other.body == b"next"


@pytest.mark.slow
async def test_a_peer_that_starts_again_is_found_again() -> None:
    with grpc_server(METHODS) as server:
        async with peer_at(server.port) as peer:
            before = await got(peer.call("/t/Echo", [], b"before", 20))
            await asyncio.to_thread(server.stop().wait, 10)
            server.start()
            after = await got(peer.call("/t/Echo", [], b"after", 20))

    assert (before.body, after.body) == (b"before", b"after")


async def test_nobody_listening_fails_in_the_words_of_go() -> None:
    (port,) = free_ports(1)
    async with peer_at(port) as peer:
        with pytest.raises(PeerFailed, match=f"dial tcp 127.0.0.1:{port}: connect: connection refused") as caught:
            await got(peer.call("/t/Echo", [], b"", 20))

    assert caught.value.grpc is GrpcCode.UNAVAILABLE


async def test_closing_fails_what_is_under_way() -> None:
    waiting = Waiting()
    with grpc_server({"/t/Wait": waiting}) as server:
        async with peer_at(server.port) as peer:
            future = got(peer.call("/t/Wait", [], b"", None))
            assert await asyncio.to_thread(waiting.began.wait, 10)
            peer.close()
            with pytest.raises(PeerFailed, match="stopping"):
                await future


async def test_a_peer_that_speaks_something_else_is_named_as_such() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    listener = await asyncio.start_server(speak, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, peer_at(port) as peer:
        with pytest.raises(PeerFailed, match="error reading from server") as caught:
            await got(peer.call("/t/Echo", [], b"", 20))

    assert caught.value.grpc is GrpcCode.UNAVAILABLE


# A peer of frames, where the moment matters.

Answering = Callable[["Line", Seen], Awaitable[None]]


class Line:
    """The peer's end of one connection."""

    def __init__(self, number: int, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.writer = writer

    def say(self, *data: bytes) -> None:
        self.writer.write(b"".join(data))

    def answer(self, stream: int, message: bytes) -> None:
        head = block([(":status", "200"), ("content-type", "application/grpc")])
        self.say(
            frame(by_hand.HEADERS, 4, stream, head),
            frame(by_hand.DATA, 0, stream, frame_message(message)),
            frame(by_hand.HEADERS, 5, stream, block([("grpc-status", "0")])),
        )


@asynccontextmanager
async def frames_peer(answering: Answering) -> AsyncIterator[tuple[GrpcPeer, list[Seen]]]:
    """A peer whose every frame `answering` may react to, and all frames it was sent."""
    seen: list[Seen] = []
    lines: list[asyncio.Task[None]] = []

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(asyncio.ensure_future(follow(reader, Line(len(lines) + 1, writer))))

    async def follow(reader: asyncio.StreamReader, line: Line) -> None:
        assert await reader.readexactly(len(PREFACE)) == PREFACE
        line.say(by_hand.settings())
        rest = b""
        while data := await reader.read(65536):
            frames, rest = read_frames(rest + data)
            for one in frames:
                seen.append(one)
                await answering(line, one)
        line.writer.close()
        await line.writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        async with peer_at(server.sockets[0].getsockname()[1]) as peer:
            yield peer, seen
        await asyncio.gather(*lines)


def is_whole(one: Seen) -> bool:
    """Whether a call of ours ends with this frame."""
    return one.kind == by_hand.DATA and bool(one.flags & by_hand.END_STREAM)


async def test_a_call_past_a_farewell_is_sent_again_on_another_connection() -> None:
    async def answering(line: Line, one: Seen) -> None:
        if not is_whole(one):
            return
        if line.number == 1:
            if one.stream == 3:
                line.say(frame(by_hand.GOAWAY, 0, 0, (1).to_bytes(4, "big") + bytes(4)))
                line.answer(1, b"finished")
        else:
            line.answer(one.stream, b"again")

    async with frames_peer(answering) as (peer, _):
        calls = [got(peer.call("/t/Echo", [], b"", 20)) for _ in range(2)]
        answers = await asyncio.gather(*calls)

    assert [answer.body for answer in answers] == [b"finished", b"again"]


async def test_a_refused_call_is_sent_again() -> None:
    async def answering(line: Line, one: Seen) -> None:
        if is_whole(one) and one.stream < 5:
            line.say(by_hand.reset(one.stream, 7))
        elif is_whole(one):
            line.answer(one.stream, b"third time")

    async with frames_peer(answering) as (peer, _):
        answer = await got(peer.call("/t/Echo", [], b"", 20))

    assert answer.body == b"third time"


@pytest.mark.slow
async def test_a_peer_that_always_refuses_is_given_up() -> None:
    async def answering(line: Line, one: Seen) -> None:
        if is_whole(one):
            line.say(by_hand.reset(one.stream, 7))

    async with frames_peer(answering) as (peer, _):
        with pytest.raises(PeerFailed, match="refuses") as caught:
            await got(peer.call("/t/Echo", [], b"", 20))

    assert caught.value.grpc is GrpcCode.UNAVAILABLE


async def test_a_call_that_may_have_been_seen_is_not_sent_again() -> None:
    async def answering(line: Line, one: Seen) -> None:
        if is_whole(one):
            line.writer.close()

    async with frames_peer(answering) as (peer, seen):
        with pytest.raises(PeerFailed, match="error reading from server") as caught:
            await got(peer.call("/t/Echo", [], b"", 20))

    assert caught.value.grpc is GrpcCode.UNAVAILABLE
    assert len([one for one in seen if is_whole(one)]) == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (by_hand.reset(1, 8), GrpcCode.CANCELLED),
        (by_hand.reset(1, 11), GrpcCode.RESOURCE_EXHAUSTED),
        (by_hand.reset(1, 99), GrpcCode.INTERNAL),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", GrpcCode.UNAVAILABLE),
        (frame(by_hand.HEADERS, 4, 1, block([(":status", "200")])) + frame(1, 5, 1, block([("grpc-status", "0")])), 13),
    ],
)
async def test_answers_that_are_none_fail_with_the_code_of_the_specification(answer: bytes, code: int) -> None:
    async def answering(line: Line, one: Seen) -> None:
        if is_whole(one):
            line.say(answer)

    async with frames_peer(answering) as (peer, _):
        with pytest.raises(PeerFailed) as caught:
            await got(peer.call("/t/Echo", [], b"", 20))

    assert caught.value.grpc == code


async def test_an_answer_without_an_outcome_is_told_by_its_http_status() -> None:
    async def answering(line: Line, one: Seen) -> None:
        if is_whole(one):
            early = frame(by_hand.HEADERS, 4, one.stream, block([(":status", "103")]))
            line.say(early, frame(by_hand.HEADERS, 5, one.stream, block([(":status", "503")])))

    async with frames_peer(answering) as (peer, _):
        answer = await got(peer.call("/t/Echo", [], b"", 20))

    assert (answer.code, "503" in answer.message) == (GrpcCode.UNAVAILABLE, True)


async def test_a_connection_that_was_silent_for_a_whole_call_gets_no_other() -> None:
    async def answering(line: Line, one: Seen) -> None:
        if is_whole(one) and (line.number, one.stream) != (1, 3):
            line.answer(one.stream, b"line %d" % line.number)

    async with frames_peer(answering) as (peer, _):
        first = await got(peer.call("/t/Echo", [], b"", 20))
        with pytest.raises(PeerFailed, match="deadline"):
            await got(peer.call("/t/Echo", [], b"", 0.2))
        third = await got(peer.call("/t/Echo", [], b"", 20))

    assert (first.body, third.body) == (b"line 1", b"line 2")


async def test_the_deadline_is_told_to_the_peer() -> None:
    timeouts: list[bytes] = []

    async def answering(line: Line, one: Seen) -> None:
        if one.kind == by_hand.HEADERS:
            timeouts.append(one.payload)
        if is_whole(one):
            line.answer(one.stream, b"")

    async with frames_peer(answering) as (peer, _):
        await got(peer.call("/t/Echo", [], b"", 20))
        await got(peer.call("/t/Echo", [], b"", None))

    assert [b"grpc-timeout" in payload for payload in timeouts] == [True, False]
