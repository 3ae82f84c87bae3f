"""The client's end of one HTTP/2 connection to a gRPC peer, and the calls on it.

It sends calls and says what became of them; what to do then (answer, fail, send again) is the peer's business, which
outlives its connections.
"""

import asyncio
from typing import NamedTuple, Protocol, cast

from fairlead.dataplane.graph.driving import Later
from fairlead.errors import GrpcCode
from fairlead.protocols import h2
from fairlead.protocols.exchange import Headers
from fairlead.protocols.grpc import PREFIX_BYTES, format_timeout, frame_message
from fairlead.protocols.h2_frames import MAX_ID, ErrorCode
from fairlead.protocols.h2_sending import Stream
from fairlead.protocols.hpack import HeaderBlock, encode


class Peer(Protocol):
    """Who owns connections and calls."""

    def settle(self, call: "PeerCall") -> None: ...
    def fail(self, call: "PeerCall", code: GrpcCode, words: str) -> None: ...
    def give_up(self, call: "PeerCall", code: GrpcCode, words: str) -> None: ...
    def withdraw(self, call: "PeerCall") -> None: ...
    def send_again(self, call: "PeerCall", words: str, *, is_paused: bool = False) -> None: ...
    def forget(self, connection: "PeerConnection") -> None: ...
    def fill(self, connection: "PeerConnection") -> None: ...


class GrpcAnswer(NamedTuple):
    """A call's outcome as the peer gave it. `body` is the message without its frame, empty for failures; `headers`
    are those before and after it, names in lower case."""

    code: GrpcCode
    message: str
    body: bytes
    headers: Headers


class PeerCall(Later[GrpcAnswer]):
    """A call under way. It fails with `PeerFailed` (whose `grpc` says how) when the peer gives no outcome."""

    __slots__ = ("_peer", "attempts", "block", "due", "headers", "heard", "message", "pieces", "size", "stream", "what")

    def __init__(self, peer: Peer, what: str, block: bytes, message: bytes) -> None:
        super().__init__()
        self._peer = peer
        self.what = what
        self.block = block
        self.message = message
        self.due = 0.0
        self.attempts = 0
        self.heard = 0
        self.stream: _CallStream | None = None
        self.restart()

    def restart(self) -> None:
        """Forget what came of an answer."""
        self.headers: Headers = []
        self.pieces: list[bytes] = []
        self.size = 0
        self.stream = None

    def cancel(self) -> None:
        """Nobody wants the answer any more: tell the peer. The call fails."""
        self._peer.give_up(self, GrpcCode.CANCELLED, "context canceled")

    def abandon(self, error: Exception) -> None:
        """The same, failing with this error."""
        super().abandon(error)
        self._peer.withdraw(self)


class _CallStream(Stream):
    __slots__ = ("call", "connection")

    def __init__(self, id: int, credit: int, window: int, call: PeerCall, connection: "PeerConnection") -> None:
        super().__init__(id, credit, window)
        self.call = call
        self.connection = connection


class PeerConnection(h2.Connection, asyncio.Protocol):
    """One connection. `is_open` says that it takes further calls; `heard` counts what came."""

    def __init__(self, peer: Peer, limit_bytes: int) -> None:
        super().__init__(is_client=True)
        self._peer = peer
        self._limit_bytes = limit_bytes
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._is_corked = False
        self._is_flush_due = False
        self._forgiven = self._loop.time()
        self.is_open = True
        self.heard = 0
        self.greeted: asyncio.Future[None] = self._loop.create_future()
        """Done when the peer has said how many streams it takes: some reset those that came too early."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._fail_all(_in_words(exc) if exc is not None else "error reading from server: EOF")

    def data_received(self, data: bytes) -> None:
        self.heard += 1
        self._is_corked = True
        self.feed(data)
        self._is_corked = False
        if self.out:
            self._flush()
        now = self._loop.time()
        if now - self._forgiven > 1:
            self._forgiven = now
            self.forgive()
        if self.failure is not None:
            self._fail_all(f"error reading from server: {self.failure}")
            self.close()

    def pause_writing(self) -> None:
        self.hold()

    def resume_writing(self) -> None:
        self.release()
        self.flush_soon()

    @property
    def has_room(self) -> bool:
        """Whether a call can begin now."""
        return self.is_open and len(self.streams) < self.peer_streams

    def begin(self, call: PeerCall) -> None:
        """Send a call."""
        id = self.next_id
        self.next_id += 2
        if self.next_id > MAX_ID:
            self.is_open = False
        stream = _CallStream(id, self.options.stream_window, self.peer_initial_window, call, self)
        self.streams[id] = call.stream = stream
        call.heard = self.heard
        timeout = b""
        if call.due:
            timeout = encode([(b"grpc-timeout", format_timeout(max(0.0, call.due - self._loop.time())))])
        self.send_headers(stream, call.block + timeout, ends=False)
        self.send(stream, frame_message(call.message), b"")
        self.flush_soon()

    def close(self) -> None:
        """Send what is due and end it."""
        self.is_open = False
        if self._transport is not None:
            self._flush()
            if self._transport is not None:
                self._transport.close()

    def stop(self) -> None:
        """Take no further calls, and end when those under way have ended."""
        self.is_open = False
        if not self.streams:
            self.close()

    # What the peer says.

    def make_stream(self, stream_id: int) -> Stream:
        raise AssertionError(f"a server began stream {stream_id}")  # The connection refuses that before.

    def on_headers(self, stream: Stream, block: HeaderBlock, *, ends: bool) -> None:
        call = cast(_CallStream, stream).call
        if block.is_too_large:
            self._spoil(stream, "the answer's headers are too large")
            return
        if ends or not _is_informational(block.headers):
            call.headers += block.headers
        if ends:
            self._finish(stream)

    def on_data(self, stream: Stream, data: bytes, *, ends: bool) -> None:
        call = cast(_CallStream, stream).call
        call.size += len(data)
        if call.size > self._limit_bytes + PREFIX_BYTES:
            self._spoil(stream, f"the answer is longer than {self._limit_bytes} bytes", GrpcCode.RESOURCE_EXHAUSTED)
            return
        call.pieces.append(data)
        if ends:
            self._finish(stream)

    def on_reset(self, stream: Stream, code: ErrorCode | int, *, by_peer: bool) -> None:
        call = cast(_CallStream, stream).call
        if call.is_settled:
            pass
        elif by_peer and code == ErrorCode.REFUSED_STREAM:
            # It frees places a moment after its answers left (seen with grpcio), so wait for that.
            self._peer.send_again(call, "the peer refuses streams", is_paused=True)
        else:
            name = ErrorCode(code).name if code in ErrorCode.__members__.values() else code
            words = f"stream terminated by RST_STREAM with error code: {name}"
            self._peer.fail(call, _code_of_reset(code), words)
        self._end_stream()

    def on_goaway(self, last_id: int, code: int, words: bytes) -> None:  # noqa: ARG002 (the core's signature)
        self.is_open = False
        self._peer.forget(self)
        for stream in [stream for id, stream in self.streams.items() if id > last_id]:
            self._drop(stream)
            self._peer.send_again(cast(_CallStream, stream).call, "the peer is leaving")
        self._end_stream()

    def on_settings(self) -> None:
        if not self.greeted.done():
            self.greeted.set_result(None)
        else:
            self._peer.fill(self)

    def on_sent(self, stream: Stream) -> None:
        self.close_if_done(stream)

    def on_room(self, stream: Stream) -> None:
        """Messages are queued whole, so nobody waits for room."""

    def _finish(self, stream: Stream) -> None:
        """The answer is whole."""
        call = cast(_CallStream, stream).call
        if not call.is_settled:
            self._peer.settle(call)
        if not stream.is_done:
            self.reset(stream, ErrorCode.NO_ERROR)
        self._end_stream()

    def _spoil(self, stream: Stream, words: str, code: GrpcCode = GrpcCode.INTERNAL) -> None:
        self._peer.fail(cast(_CallStream, stream).call, code, words)
        self.streams[stream.id] = stream
        self.reset(stream, ErrorCode.CANCEL)

    def _end_stream(self) -> None:
        if self.is_open:
            self._peer.fill(self)
        elif not self.streams:
            self._loop.call_soon(self.close)

    def _fail_all(self, words: str) -> None:
        self.is_open = False
        if not self.greeted.done():
            self.greeted.set_exception(EOFError(words))
        self._peer.forget(self)
        streams, self.streams = self.streams, {}
        for stream in streams.values():
            self.forget(stream)
            self._peer.fail(cast(_CallStream, stream).call, GrpcCode.UNAVAILABLE, words)

    def flush_soon(self) -> None:
        """Write at the end of this turn, unless bytes are being read: that ends with a write."""
        if not self._is_corked and not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        if self._transport is None or self._transport.is_closing() or not self.out:
            return
        self._transport.writelines(self.take_out())


def _is_informational(headers: Headers) -> bool:
    return bool(headers) and headers[0][0] == b":status" and headers[0][1][:1] == b"1"


def _code_of_reset(code: int) -> GrpcCode:
    if code == ErrorCode.CANCEL:
        return GrpcCode.CANCELLED
    if code == ErrorCode.ENHANCE_YOUR_CALM:
        return GrpcCode.RESOURCE_EXHAUSTED
    return GrpcCode.UNAVAILABLE if code == ErrorCode.REFUSED_STREAM else GrpcCode.INTERNAL


def _in_words(error: Exception) -> str:
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "error reading from server: connection reset by peer"
    return f"error reading from server: {error}"
