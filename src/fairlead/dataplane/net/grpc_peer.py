"""Calls to a gRPC peer (a container, another service) over one multiplexed connection: bytes in and bytes out.

The connection is made by the first call, and again after it was lost. A call is sent a second time only when the peer
cannot have seen it: nobody listened, its stream came after the peer's farewell, or the peer refused the stream
unprocessed. Failures carry the sentences of Go's gRPC client, as clients of Seldon's orchestrator know them. There
are no pings: a connection on which a call's whole time passed in silence gets no further calls.
"""

import asyncio
import errno
import logging
import math
import os
from collections import deque
from typing import NamedTuple, cast

from fairlead.dataplane.graph.driving import Later
from fairlead.dataplane.graph.remote import PeerFailed
from fairlead.dataplane.net.h2_deadlines import Deadlines
from fairlead.errors import FairleadError, GrpcCode
from fairlead.protocols import h2
from fairlead.protocols.exchange import Headers
from fairlead.protocols.grpc import (
    GRPC,
    code_of,
    code_of_http,
    format_timeout,
    frame_message,
    read_message,
    unquote_message,
    write_metadata,
)
from fairlead.protocols.h2_frames import MAX_ID, ErrorCode
from fairlead.protocols.h2_sending import Stream
from fairlead.protocols.hpack import HeaderBlock, encode

__all__ = ["GrpcAnswer", "GrpcPeer", "PeerCall"]

log = logging.getLogger(__name__)

_ATTEMPTS = 3
_PAUSE_S = 0.05
_SENDS = 7
_REFUSED_PAUSE_S = 0.005
_CONNECT_S = 10.0
_KEPT_STARTS = 256
_EARLY_S = 0.02
_DEADLINE = "context deadline exceeded"


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

    def __init__(self, peer: "GrpcPeer", what: str, block: bytes, message: bytes) -> None:
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


class _CallStream(Stream):
    __slots__ = ("call", "connection")

    def __init__(self, id: int, credit: int, window: int, call: PeerCall, connection: "_Connection") -> None:
        super().__init__(id, credit, window)
        self.call = call
        self.connection = connection


class _Connection(h2.Connection, asyncio.Protocol):
    """One connection. `is_open` says that it takes further calls; `heard` counts what came."""

    def __init__(self, peer: "GrpcPeer", limit_bytes: int) -> None:
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
        if call.size > self._limit_bytes + 5:
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
        out, self.out = self.out, []
        self._transport.writelines(out)


class GrpcPeer:
    """One peer's address. All calls must come from the loop's thread."""

    def __init__(self, host: str, port: int, *, limit_bytes: int) -> None:
        self._host = host
        self._port = port
        self._limit_bytes = limit_bytes
        self._connection: _Connection | None = None
        self._all: set[_Connection] = set()
        self._calls: set[PeerCall] = set()
        self._waiting: deque[PeerCall] = deque()
        self._connecting: asyncio.Task[None] | None = None
        self._deadlines = Deadlines()
        self._starts: dict[str, bytes] = {}

    def call(self, path: str, metadata: list[tuple[bytes, bytes]], message: bytes, timeout_s: float | None) -> PeerCall:
        """Call a method by its path (`/package.Service/Method`) with one message. `metadata` has `-bin` values as
        they are, not in base64. The timeout covers everything from here to the answer."""
        block = self._start(path)
        if metadata:
            block += encode(write_metadata(metadata))
        call = PeerCall(self, path, block, message)
        self._calls.add(call)
        if timeout_s is not None:
            call.due = asyncio.get_running_loop().time() + timeout_s
            self._deadlines.watch(self, call.due)
        self._enter(call)
        return call

    def close(self) -> None:
        """Drop every connection; calls under way fail."""
        for call in list(self._calls):
            self.give_up(call, GrpcCode.CANCELLED, "the worker is stopping")
        if self._connecting is not None:
            self._connecting.cancel()
        self._deadlines.forget(self)
        for connection in list(self._all):
            connection.close()
        self._all.clear()
        self._connection = None

    # What connections and calls report.

    def settle(self, call: PeerCall) -> None:
        """A call's answer is whole."""
        try:
            answer = self._read(call)
        except FairleadError as error:
            self.fail(call, GrpcCode.INTERNAL, str(error))
            return
        now = asyncio.get_running_loop().time()
        if answer.code is GrpcCode.DEADLINE_EXCEEDED and call.due and now > call.due - _EARLY_S:
            # Both ends watch the same deadline; which of them is first must not matter.
            self.fail(call, GrpcCode.DEADLINE_EXCEEDED, _DEADLINE)
            return
        self._calls.discard(call)
        _resume(call, answer, None)

    def fail(self, call: PeerCall, code: GrpcCode, words: str) -> None:
        """A call gets no answer."""
        self._calls.discard(call)
        if not call.is_settled:
            error = PeerFailed(f"{call.what} at {self._host}:{self._port}: {words}")
            error.grpc = code
            _resume(call, None, error)

    def give_up(self, call: PeerCall, code: GrpcCode, words: str) -> None:
        """We want no answer any more."""
        if call.is_settled:
            return
        stream = call.stream
        self.fail(call, code, words)
        if stream is not None and stream.id in stream.connection.streams:
            stream.connection.reset(stream, ErrorCode.CANCEL)
            stream.connection.flush_soon()

    def send_again(self, call: PeerCall, words: str, *, is_paused: bool = False) -> None:
        """The peer has certainly not looked at this call."""
        call.restart()
        call.attempts += 1
        if call.attempts >= _SENDS:
            self.fail(call, GrpcCode.UNAVAILABLE, words)
        elif is_paused:
            pause_s = _REFUSED_PAUSE_S * 2**call.attempts
            asyncio.get_running_loop().call_later(pause_s, self._enter, call)
        else:
            self._enter(call)

    def forget(self, connection: _Connection) -> None:
        """No further calls on this connection."""
        if self._connection is connection:
            self._connection = None
            if self._waiting:
                self._connect()
        if not connection.streams:
            self._all.discard(connection)

    def fill(self, connection: _Connection) -> None:
        """Begin the calls that waited, as far as the peer allows."""
        waiting = self._waiting
        while waiting and connection.has_room:
            call = waiting.popleft()
            if not call.is_settled:
                connection.begin(call)
        if waiting and not connection.is_open:
            self.forget(connection)

    def expire(self, now: float) -> float:
        """End the calls whose time is up; when the next one's is."""
        earliest = math.inf
        for call in list(self._calls):
            if not call.due:
                continue
            if call.due > now:
                earliest = min(earliest, call.due)
                continue
            stream = call.stream
            self.give_up(call, GrpcCode.DEADLINE_EXCEEDED, _DEADLINE)
            if stream is not None and stream.connection.heard == call.heard:
                self.forget(stream.connection)
                stream.connection.stop()
        return earliest

    # Connecting.

    def _enter(self, call: PeerCall) -> None:
        if call.is_settled:
            return
        connection = self._connection
        if connection is not None and connection.has_room and not self._waiting:
            connection.begin(call)
            return
        self._waiting.append(call)
        if connection is None or not connection.is_open:
            self._connect()

    def _connect(self) -> None:
        if self._connecting is None:
            self._connecting = asyncio.get_running_loop().create_task(self._open())
            self._connecting.add_done_callback(self._connected)

    def _connected(self, task: asyncio.Task[None]) -> None:
        self._connecting = None
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            waiting, self._waiting = self._waiting, deque()
            words = f'connection error: desc = "transport: Error while dialing: {self._dial_words(error)}"'
            for call in waiting:
                self.fail(call, GrpcCode.UNAVAILABLE, words)
        elif self._connection is not None:
            self.fill(self._connection)
        elif self._waiting:
            self._connect()

    async def _open(self) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with asyncio.timeout(_CONNECT_S):
                    connection = await self._greet()
            except ConnectionRefusedError:
                if attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(attempt * _PAUSE_S)  # A container that starts again is back in a moment.
            else:
                self._connection = connection if connection.is_open else None
                return

    async def _greet(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: _Connection(self, self._limit_bytes), self._host, self._port
        )
        self._all.add(connection)
        try:
            await connection.greeted
        except BaseException:
            connection.close()
            self._all.discard(connection)
            raise
        return connection

    def _dial_words(self, error: BaseException) -> str:
        if isinstance(error, EOFError):
            return str(error)
        if isinstance(error, TimeoutError):
            return f"dial tcp {self._host}:{self._port}: i/o timeout"
        code = getattr(error, "errno", None)
        if code in errno.errorcode and code is not None:
            return f"dial tcp {self._host}:{self._port}: connect: {os.strerror(code).lower()}"
        return f"dial tcp: lookup {self._host}: {error}"

    def _start(self, path: str) -> bytes:
        """The headers that all calls of a method share."""
        block = self._starts.get(path)
        if block is None:
            if len(self._starts) >= _KEPT_STARTS:
                self._starts.clear()
            block = self._starts[path] = encode(
                [
                    (b":method", b"POST"),
                    (b":scheme", b"http"),
                    (b":path", path.encode()),
                    (b":authority", f"{self._host}:{self._port}".encode()),
                    (b"te", b"trailers"),
                    (b"content-type", GRPC),
                    (b"grpc-accept-encoding", b"identity,deflate,gzip"),
                ]
            )
        return block

    def _read(self, call: PeerCall) -> GrpcAnswer:
        headers = call.headers
        found = dict(headers)
        number = found.get(b"grpc-status")
        if number is None:
            status = found.get(b":status", b"")
            http = int(status) if status.isdigit() else 0
            code = code_of_http(http)
            words = (
                f"unexpected HTTP status code received from server: {http}" if http != 200 else "no grpc-status came"
            )
            return GrpcAnswer(code, words, b"", headers)
        code = code_of(number)
        message = unquote_message(found.get(b"grpc-message", b""))
        if code is not GrpcCode.OK:
            return GrpcAnswer(code, message, b"", headers)
        encoding = found.get(b"grpc-encoding", b"")
        body = read_message(b"".join(call.pieces), encoding=encoding, limit_bytes=self._limit_bytes)
        return GrpcAnswer(code, message, body, headers)


def _resume(call: PeerCall, answer: GrpcAnswer | None, error: Exception | None) -> None:
    """Settle a call. What goes on from there is no business of the connection, nor are its mistakes."""
    try:
        call.settle(answer, error)
    except Exception:
        log.exception("what waited for %s failed", call.what)


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
