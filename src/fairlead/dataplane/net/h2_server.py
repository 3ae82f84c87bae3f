"""HTTP/2 connections of the server: gRPC calls and plain requests for the same handler that HTTP/1.1 requests get.

Answers given while bytes are read leave in one write, and so do those of one turn of the event loop, because calls
that were predicted together are answered together. A gRPC success is three frames in one piece of memory; everything
else takes the longer way through the sending half of the connection.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Protocol, cast

from fairlead.dataplane.net.h2_answers import AnswerMemory, Written, content_length
from fairlead.dataplane.net.h2_bodies import StreamedAnswer, StreamedBody
from fairlead.dataplane.net.h2_calls import ServerStream
from fairlead.dataplane.net.h2_deadlines import Deadlines
from fairlead.dataplane.net.h2_heads import Call, CallMemory, Malformed, check_trailers
from fairlead.dataplane.net.hanging_up import hang_up
from fairlead.dataplane.net.opening import Clients
from fairlead.errors import FairleadError, GrpcCode
from fairlead.protocols import h2
from fairlead.protocols.exchange import Request, Response, ServerHandler
from fairlead.protocols.grpc import grpc_failure
from fairlead.protocols.h2_frames import FRAME, MAX_ID, ErrorCode
from fairlead.protocols.h2_sending import Stream
from fairlead.protocols.hpack import HeaderBlock, encode
from fairlead.protocols.http1 import Limits
from fairlead.protocols.http1_response import StatusLines

log = logging.getLogger(__name__)

_BODILESS = frozenset({204, 304})
_BODY_BYTES_PER_S = 64 * 1024
_MOST_UNSENT_BYTES = 4 * 1024 * 1024
_WRITE_BUFFER_BYTES = 256 * 1024
_HELD_BODIES = 2
_LINGER_S = 2.0
_DRAIN_LINGER_S = 0.5
_DRAIN_PING = b"fairlead"
_CONTINUE = encode([(b":status", b"100")])


class Site(Clients, Protocol):
    """What a connection needs of its server."""

    handler: ServerHandler
    limits: Limits
    refuse: Callable[[int, str], Response]
    lines: StatusLines
    calls: CallMemory
    answers: AnswerMemory
    deadlines: Deadlines

    def now(self) -> float: ...


class H2Connection(h2.Connection, asyncio.Protocol):
    """One client."""

    def __init__(self, site: Site) -> None:
        super().__init__(is_client=False, options=h2.Options(header_bytes=site.limits.header_bytes))
        self._site = site
        self._calls = site.calls
        self._answers = site.answers
        self._body_bytes = site.limits.body_bytes
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._held_bytes = 0
        self._is_corked = False
        self._is_flush_due = False
        self._is_closing = False
        self._is_leaving = False
        self._is_reading = True
        self._was_used = True
        self._since = 0.0
        self._frame_since = 0.0
        self._unsent_bytes = 0
        self._unsent_since = 0.0

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        self._site.enter(self)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        self._is_closing = True
        self._site.leave(self)
        self._site.deadlines.forget(self)
        streams, self.streams = self.streams, {}
        for stream in streams.values():
            self.forget(stream)
            cast(ServerStream, stream).abandon()

    def data_received(self, data: bytes) -> None:
        self._was_used = True
        self._is_corked = True
        self.feed(data)
        self._is_corked = False
        if self.out:
            self._flush()
        if self.failure is not None:
            self._end_failed()
        elif self._is_held and self._transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
            # It asks and does not read the answers; those without bodies wait for no window.
            self._is_reading = False
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        self.hold()

    def resume_writing(self) -> None:
        self.release()
        self.flush_soon()
        if not self._is_reading:
            self._is_reading = True
            self._transport.resume_reading()

    # Requests in.

    def make_stream(self, stream_id: int) -> Stream:
        return ServerStream(stream_id, self.options.stream_window, self.peer_initial_window, self)

    def on_headers(self, stream: Stream, block: HeaderBlock, *, ends: bool) -> None:
        stream = cast(ServerStream, stream)
        if stream.call is not None:
            self._take_trailers(stream, block)
            return
        call = cast("Call | None", block.note)
        if call is None:
            call = self._read_call(stream, block)
            if call is None:
                return
        stream.call = call
        if call.timeout_s:
            stream.due = self._loop.time() + call.timeout_s
            self._site.deadlines.watch(self, stream.due)
        if call.head.is_streamed:
            stream.body = StreamedBody(self, stream)
            self._dispatch(stream, b"")
            if ends:
                self._end_body(stream, b"")
        elif ends:
            self._end_body(stream, b"")
        elif call.length > self._body_bytes:
            self._refuse_size(stream)
        if call.head.expects_continue and not ends and stream.connection is not None:
            self.send_headers(stream, _CONTINUE, ends=False)

    def on_data(self, stream: Stream, data: bytes, *, ends: bool) -> None:
        stream = cast(ServerStream, stream)
        if ends and not stream.size:
            stream.size = len(data)
            self._end_body(stream, data)
            return
        stream.size += len(data)
        if ends:
            self._end_body(stream, data)
        elif stream.body is not None:
            self._hand_over(stream, stream.body, data, ends=False)
        elif stream.connection is not None:
            self._keep(stream, data)

    def on_reset(self, stream: Stream, code: ErrorCode | int, *, by_peer: bool) -> None:  # noqa: ARG002
        stream = cast(ServerStream, stream)
        self._let_go(stream)
        stream.abandon()
        if self._is_leaving:
            self._end_if_done()

    def _read_call(self, stream: ServerStream, block: HeaderBlock) -> Call | None:
        limits = self._site.limits
        if block.is_too_large or len(block.headers) > limits.header_count:
            words = f"headers of more than {limits.header_bytes} bytes or {limits.header_count} lines"
            self._refuse(stream, 431, GrpcCode.RESOURCE_EXHAUSTED, words)
            return None
        try:
            call = self._calls.find(block.headers)
        except Malformed as error:
            log.debug("a request is refused: %s", error)
            self.reset(stream, ErrorCode.PROTOCOL_ERROR)
            return None
        if len(call.head.path) + len(call.head.query) > limits.url_bytes:
            self._refuse(stream, 414, GrpcCode.RESOURCE_EXHAUSTED, f"a path of more than {limits.url_bytes} bytes")
            return None
        block.note = call
        return call

    def _take_trailers(self, stream: ServerStream, block: HeaderBlock) -> None:
        try:
            check_trailers(block.headers)
        except Malformed:
            self.reset(stream, ErrorCode.PROTOCOL_ERROR)
            return
        self._end_body(stream, b"")

    def _keep(self, stream: ServerStream, data: bytes) -> None:
        """Hold a piece of a body that is not whole."""
        if stream.pieces is None:
            stream.pieces = []
        stream.pieces.append(data)
        self._held_bytes += len(data)
        if stream.size > self._body_bytes:
            self._refuse_size(stream)
        elif self._held_bytes > _HELD_BODIES * self._body_bytes:
            words = "one connection sends too much at once; send fewer large requests at a time"
            self._refuse(stream, 503, GrpcCode.RESOURCE_EXHAUSTED, words)

    def _let_go(self, stream: ServerStream) -> list[bytes]:
        pieces, stream.pieces = stream.pieces, None
        if pieces is None:
            return []
        self._held_bytes -= sum(len(piece) for piece in pieces)
        return pieces

    def _end_body(self, stream: ServerStream, data: bytes) -> None:
        """The last piece, perhaps empty, is here."""
        call = stream.call
        if call is None or not stream.is_wanted:
            return
        if stream.size != call.length and call.length >= 0:
            self.reset(stream, ErrorCode.PROTOCOL_ERROR)
        elif stream.body is not None:
            self._hand_over(stream, stream.body, data, ends=True)
        elif stream.size > self._body_bytes:
            self._refuse_size(stream)
        else:
            if stream.pieces is not None:
                data = b"".join((*self._let_go(stream), data))
            self._dispatch(stream, data)

    def _dispatch(self, stream: ServerStream, data: bytes) -> None:
        assert stream.call is not None
        head = stream.call.head
        request = Request(head.method, head.path, head.query, head.headers, data, head, stream.body)
        try:
            self._site.handler(request, stream)
        except FairleadError as error:
            stream.fail(error)
        except Exception:
            log.exception("%s %s: the handler failed", head.method, head.path)
            stream.fail(None)

    def _hand_over(self, stream: ServerStream, body: StreamedBody, data: bytes, *, ends: bool) -> None:
        try:
            body.take(data, ends=ends)
        except FairleadError as error:
            stream.fail(error)
        except Exception:
            log.exception("a handler failed while a body came")
            stream.fail(None)

    # Answers out.

    def answer(self, stream: ServerStream, response: Response) -> None:
        """Send a whole answer."""
        status, lines, body = response
        written = self._answers.find(status, lines)
        size = len(body)
        if (
            written.after
            and 0 < size <= stream.window
            and size <= self.peer_window
            and size <= self.peer_frame
            and self.is_plain
        ):
            id = stream.id
            stream.window -= size
            self.peer_window -= size
            number = id.to_bytes(4, "big")
            before, after = written.before, written.after
            data = FRAME.pack(size << 8, 0, id)
            self.out.append(b"".join((before, number, written.start, data, body, after, number, written.trailers)))
            stream.is_done = True
            self.on_sent(stream)
        else:
            self._answer_in_parts(stream, written, response)
        if not self._is_corked and not self._is_flush_due:
            self.flush_soon()

    def begin(self, stream: ServerStream, status: int, lines: bytes) -> StreamedAnswer:
        """Send an answer's headers now."""
        written = self._answers.find(status, lines)
        has_body = status not in _BODILESS and not self._is_head(stream)
        block = written.start if written.trailers else written.start + self._date()
        self.send_headers(stream, block, ends=not has_body)
        if not has_body:
            self._end_stream(stream)
        self.flush_soon()
        return StreamedAnswer(self, stream, written.trailers, has_body=has_body)

    def refusal(self, stream: ServerStream, status: int, code: GrpcCode, words: str) -> Response:
        """The server's own error in the form that this call's client reads."""
        if stream.call is not None and stream.call.is_grpc:
            return grpc_failure(code, words)
        return self._site.refuse(status, words)

    def on_sent(self, stream: Stream) -> None:
        if stream.is_peer_done:
            self.streams.pop(stream.id, None)
        else:
            # The rest of the request is not wanted (RFC 9113 section 8.1).
            self.reset(stream, ErrorCode.NO_ERROR)
        if self._is_leaving:
            self._end_if_done()

    def on_room(self, stream: Stream) -> None:
        answer = cast(ServerStream, stream).answer
        if answer is not None:
            answer.on_room()

    def flush_soon(self) -> None:
        """Write at the end of this turn, unless bytes are being read: that ends with a write. Much is written now, so
        that the socket can say that it is full."""
        if self.body_bytes_out > _WRITE_BUFFER_BYTES:
            self._flush()
        elif not self._is_corked and not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _answer_in_parts(self, stream: ServerStream, written: Written, response: Response) -> None:
        body = response.body
        if written.trailers:
            if not body:
                self.send_headers(stream, written.start + written.trailers, ends=True)
                self._end_stream(stream)
                return
            self.send_headers(stream, written.start, ends=False)
            self.send(stream, body, written.trailers)
            return
        block = written.start + self._date()
        if response.status not in _BODILESS:
            block += content_length(len(body))
            if body and not self._is_head(stream):
                self.send_headers(stream, block, ends=False)
                self.send(stream, body, b"")
                return
        self.send_headers(stream, block, ends=True)
        self._end_stream(stream)

    def _end_stream(self, stream: ServerStream) -> None:
        stream.is_done = True
        self.on_sent(stream)

    def _date(self) -> bytes:
        words = self._site.lines.date
        return self._answers.date(words) if words else b""

    @staticmethod
    def _is_head(stream: ServerStream) -> bool:
        return stream.call is not None and stream.call.head.method == "HEAD"

    def _refuse(self, stream: ServerStream, status: int, code: GrpcCode, words: str) -> None:
        self._let_go(stream)
        stream(self.refusal(stream, status, code, words))

    def _refuse_size(self, stream: ServerStream) -> None:
        words = f"the body is larger than {self._body_bytes} bytes"
        self._refuse(stream, 413, GrpcCode.RESOURCE_EXHAUSTED, words)

    def _flush(self) -> None:
        self._is_flush_due = False
        if not self.out or self._is_closing:
            return
        out = self.take_out()
        if len(out) == 1:
            self._transport.write(out[0])
        else:
            self._transport.writelines(out)

    # Deadlines, timeouts and the end.

    def expire(self, now: float) -> float:
        """End the calls that are due; when the next is."""
        earliest = math.inf
        for stream in cast("list[ServerStream]", list(self.streams.values())):
            if not stream.due or not stream.is_wanted:
                continue
            if stream.due <= now:
                stream.expire(self)
            else:
                earliest = min(earliest, stream.due)
        self.flush_soon()
        return earliest

    def check(self, now: float) -> None:
        """Enforce the timeouts, about once a second."""
        self.forgive()
        if self._is_stuck(now):
            self._transport.abort()
        elif self._is_closing:
            if now - self._since > (_DRAIN_LINGER_S if self._is_leaving else _LINGER_S):
                self._transport.abort()
        else:
            for stream in list(self.streams.values()):
                self._check_stream(cast(ServerStream, stream), now)
            self._check_frame(now)
            self._check_idle(now)
            self._flush()

    def _is_stuck(self, now: float) -> bool:
        """Whether the client has read nothing of what waits for it for too long."""
        unsent = self._transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent_bytes:
            self._unsent_bytes = unsent
            self._unsent_since = now
            return False
        return now - self._unsent_since > self._site.limits.write_timeout_s

    def _check_stream(self, stream: ServerStream, now: float) -> None:
        limits = self._site.limits
        if stream.unsent is not None:
            if not stream.since or stream.mark != stream.window:
                stream.since, stream.mark = now, stream.window
            elif now - stream.since > limits.write_timeout_s:
                self.reset(stream, ErrorCode.CANCEL)
        elif stream.connection is not None and not stream.is_peer_done and stream.body is None:
            allowed_s = limits.body_timeout_s + stream.size / _BODY_BYTES_PER_S
            if not stream.since:
                stream.since = now
            elif now - stream.since > allowed_s:
                words = f"the request's body took longer than {allowed_s:g} s"
                self._refuse(stream, 408, GrpcCode.DEADLINE_EXCEEDED, words)
        else:
            stream.since = 0.0

    def _check_frame(self, now: float) -> None:
        """A frame that began must end; one of a body may take as long as a body."""
        limits = self._site.limits
        if self.has_moved or not self.is_mid_frame:
            self.has_moved = False
            self._frame_since = now
        elif now - self._frame_since > (limits.body_timeout_s if self.is_mid_data else limits.header_timeout_s):
            self.say_goaway(code=ErrorCode.PROTOCOL_ERROR, words="a frame took too long")
            self._hang_up()

    def _check_idle(self, now: float) -> None:
        if self._was_used or self.streams:
            self._was_used = False
            self._since = now
        elif self._is_leaving or now - self._since > self._site.limits.idle_timeout_s:
            self._leave()

    def on_ping_ack(self, payload: bytes) -> None:
        if payload == _DRAIN_PING:
            self._leave()

    def close_if_idle(self) -> None:
        """The server drains: say so, go on until the client knows, then take no new calls and end with the last.

        Two steps, because calls may be on their way (RFC 9113 section 6.8)."""
        if self._is_closing or self._is_leaving:
            return
        if not self.streams:
            self._leave()
            return
        self.say_goaway(last_id=MAX_ID)
        self.ping(_DRAIN_PING)
        self.flush_soon()

    def abort(self) -> None:
        """End it whatever it carries."""
        self._transport.abort()

    def _leave(self) -> None:
        """Take no more calls, and end when those that are open are answered."""
        if not self.has_said_goaway:
            self.say_goaway()
        self._is_leaving = True
        self.flush_soon()
        self._end_if_done()

    def _end_if_done(self) -> None:
        if not self.streams and not self._is_closing:
            self._loop.call_soon(self._hang_up)

    def _end_failed(self) -> None:
        for stream in list(self.streams.values()):
            self.forget(stream)
            cast(ServerStream, stream).abandon()
        self.streams.clear()
        log.debug("an HTTP/2 connection is closed: %s", self.failure)
        self._hang_up()

    def _hang_up(self) -> None:
        """Send what is due and end."""
        if self._is_closing:
            return
        self._flush()
        self._is_closing = True
        self._since = self._site.now()
        hang_up(self._transport)
