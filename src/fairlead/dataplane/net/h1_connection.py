"""HTTP/1.1 connections of the server.

A connection parses what arrived, enters the handler for each request, and writes the answers in the order of the
requests, whatever order the handler finished them in. Answers given while a batch of bytes is being read leave in
one write. Timeouts cost nothing per request: `check` is called for all connections about once a second.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from fairlead.dataplane.net.answer_stream import AnswerStream
from fairlead.dataplane.net.hanging_up import hang_up
from fairlead.dataplane.net.opening import Clients
from fairlead.errors import FairleadError
from fairlead.protocols.exchange import Head, Outgoing, Request, Response, ServerHandler, ServerReply, Streams
from fairlead.protocols.http1 import HeadMemory, Limits, Phase, RequestParser
from fairlead.protocols.http1_response import CONTINUE, StatusLines, encode, encode_body, encode_head

log = logging.getLogger(__name__)

_PENDING_REQUESTS = 32
_PENDING_BODY_BYTES = 1024 * 1024
_SMALL_BODY_BYTES = 64 * 1024
_BODY_BYTES_PER_S = 64 * 1024
_LINGER_S = 2.0
_DRAIN_LINGER_S = 0.5


class Site(Clients, Protocol):
    """What a connection needs of its server."""

    handler: ServerHandler
    limits: Limits
    refuse: Callable[[int, str], Response]
    streams: Streams | None
    memory: HeadMemory
    lines: StatusLines
    is_draining: bool

    def now(self) -> float: ...


class Answer(ServerReply):
    """The reply of one request on one connection."""

    __slots__ = ("_connection", "head", "is_last", "on_gone", "response", "stream")

    def __init__(self, connection: "Connection", head: Head | None) -> None:
        self._connection: Connection | None = connection
        self.head = head
        self.on_gone: Callable[[], None] | None = None
        self.response: Response | None = None
        self.stream: AnswerStream | None = None
        self.is_last = False

    def __call__(self, response: Response) -> None:
        connection = self._connection
        if connection is None:
            return  # Answered before, or nobody waits any more.
        self._connection = None
        queue = connection.queue
        if queue[0] is self:
            queue.popleft()
            connection.send(response, self)
            if queue or connection.has_duties:
                connection.send_ready()
        else:
            self.response = response

    def begin(self, status: int, headers: bytes) -> Outgoing:
        """Answer in pieces instead."""
        connection, self._connection = self._connection, None
        self.stream = stream = AnswerStream(connection, self.head, status, headers)
        if connection is not None and connection.queue[0] is self:
            stream.take_turn(closes=connection.closes_after(self))
        return stream

    def fail(self, response: Response) -> None:
        """The handler failed: answer this if nothing was answered, and cut an answer that is half done."""
        if self.stream is not None:
            self.stream.abort()
        else:
            self(response)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for the answer."""
        return self._connection is not None or (self.stream is not None and self.stream.is_open)

    def abandon(self) -> None:
        """The connection is gone."""
        if not self.is_wanted:
            return
        self._connection = None
        if self.stream is not None:
            self.stream.abandon()
        if self.on_gone is not None:
            self.on_gone()


class Connection(asyncio.Protocol):
    """One client. `since` is when the present phase began, as far as the sweep needs to know."""

    __slots__ = (
        "_has_left",
        "_is_closing",
        "_is_corked",
        "_is_full",
        "_is_held",
        "_out",
        "_parser",
        "_server",
        "_since",
        "_transport",
        "_unsent_bytes",
        "_unsent_since",
        "_was_used",
        "has_duties",
        "is_stalled",
        "queue",
    )

    def __init__(self, server: Site) -> None:
        self._server = server
        self._parser = RequestParser(server.limits, server.memory, server.streams)
        self._transport: asyncio.Transport
        self._out: list[bytes] = []
        self._is_corked = False
        self._has_left = False
        self._is_closing = False
        self._is_full = False
        self._is_held = False
        self._since = 0.0
        self._was_used = True
        self._unsent_bytes = 0
        self._unsent_since = 0.0
        self.has_duties = False
        self.is_stalled = False
        self.queue: deque[Answer] = deque()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        self._is_closing = True
        self._server.leave(self)
        while self.queue:
            self.queue.popleft().abandon()

    def data_received(self, data: bytes) -> None:
        parser = self._parser
        was = parser.phase
        requests = parser.feed(data)
        self._is_corked = True
        for request in requests:
            self._dispatch(request)
        self._is_corked = False
        if self._out:
            self._flush()
        if parser.phase is not Phase.IDLE or self.queue:
            self._look_after(is_new_phase=bool(requests) or parser.phase is not was)
        else:
            self._was_used = True

    def eof_received(self) -> bool:
        # A client may close its side and still read, or be gone; only time tells. What is due is sent for a while.
        self._parser.phase = Phase.OVER
        if not self.queue or self._is_closing or self._transport.get_extra_info("sslcontext") is not None:
            return False
        if self._parser.stream is not None:
            return False  # It left in the middle of a body that a handler is reading.
        self.queue[-1].is_last = True
        self._has_left = True
        self._since = self._server.now()
        return True

    def pause_writing(self) -> None:
        self.is_stalled = True
        self._set_full(True)
        if self.queue and self.queue[0].stream is not None:
            self.queue[0].stream.is_full = True

    def resume_writing(self) -> None:
        self.is_stalled = False
        self._set_full(False)
        if self.queue and self.queue[0].stream is not None:
            self.queue[0].stream.free()

    # Requests in.

    def _dispatch(self, request: Request) -> None:
        answer = Answer(self, request.head)
        self.queue.append(answer)
        try:
            self._server.handler(request, answer)
        except FairleadError as error:
            answer.fail(self._server.refuse(error.http, str(error)))
        except Exception:
            log.exception("%s %s: the handler failed", request.method, request.path)
            answer.fail(self._server.refuse(500, "internal error; the server's log has the traceback"))

    def _look_after(self, *, is_new_phase: bool) -> None:
        """Everything beyond "whole requests came and were answered"."""
        parser = self._parser
        if is_new_phase:
            self._since = self._server.now()
        if parser.stream is not None:
            parser.stream.on_flow = self._follow_stream
            self._follow_stream()
        if parser.failure is not None:
            failure, parser.failure = parser.failure, None
            self._fail_stream()
            self._refuse(failure.http, str(failure))
        elif len(self.queue) >= _PENDING_REQUESTS or (self.queue and parser.body_bytes > _PENDING_BODY_BYTES):
            self._set_full(True)
        if parser.wants_continue:
            self.has_duties = True
            self._invite_body()

    def _invite_body(self) -> None:
        """Say "100 Continue" when it is that request's turn on the wire."""
        parser = self._parser
        if not parser.wants_continue or self._is_closing:
            return
        if not self.queue or (parser.stream is not None and len(self.queue) == 1 and self.queue[0].stream is None):
            parser.wants_continue = False
            self._transport.write(CONTINUE)

    def _follow_stream(self) -> None:
        """Read on, or let the client wait, as the handler of the body that is under way wants it."""
        stream = self._parser.stream
        is_held = stream is not None and stream.is_waiting
        if is_held is not self._is_held and not self._is_closing:
            self._is_held = is_held
            if not self._is_full:
                self._read_or_wait()

    def _fail_stream(self) -> None:
        """What follows of a body is no body. Its handler hears that its client is gone; the client gets a refusal in
        place of the answer, or half an answer that is cut."""
        if self._parser.stream is None:
            return
        self._parser.stream = None
        if not self.queue:
            return  # The handler did not wait for the body; its answer was the last.
        answer = self.queue.pop()
        if answer.stream is not None:
            self._transport.abort()
        answer.abandon()

    def _refuse(self, status: int, message: str) -> None:
        """Answer in turn with an error, then close: what follows on this connection cannot be trusted."""
        self._parser.phase = Phase.OVER
        answer = Answer(self, None)
        answer.is_last = True
        self.queue.append(answer)
        answer(self._server.refuse(status, message))

    def _set_full(self, is_full: bool) -> None:
        """Stop or go on reading from a client that sends faster than answers leave."""
        if is_full is self._is_full or self._is_closing:
            return
        self._is_full = is_full
        if is_full:
            self.has_duties = True
        if not self._is_held:
            self._read_or_wait()

    def _read_or_wait(self) -> None:
        if self._is_full or self._is_held:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    # Answers out.

    def send(self, response: Response, answer: Answer) -> None:
        """Write the answer that is next in order."""
        if self._is_closing:
            return
        self._was_used = True
        head = answer.head
        server = self._server
        is_ending = answer.is_last or server.is_draining
        if is_ending or head is None or head.connection or head.is_streamed or head.method == "HEAD":
            self._send_specially(response, answer)
        elif len(response.body) <= _SMALL_BODY_BYTES:
            self._out.append(encode(response, server.lines))
        else:
            self._out += (encode_head(response, server.lines), encode_body(response))
        if self._out and not self._is_corked:
            self._flush()

    def closes_after(self, answer: Answer) -> bool:
        """Whether the connection ends with this answer."""
        head = answer.head
        return answer.is_last or self._server.is_draining or head is None or not head.keeps_alive

    @property
    def _is_unread(self) -> bool:
        """Whether what an answer was given for is still coming: then nothing can follow on this connection. A body in
        pieces is always that of the last request."""
        return self._parser.stream is not None and not self.queue

    @property
    def lines(self) -> StatusLines:
        """The status lines of the server."""
        return self._server.lines

    def write(self, *pieces: bytes) -> None:
        """Send pieces of the streamed answer whose turn it is."""
        if self._is_closing:
            return
        self._was_used = True
        self._since = self._server.now()
        self._out += pieces
        if not self._is_corked:
            self._flush()

    def end_stream(self) -> None:
        """The streamed answer whose turn it was is over."""
        answer = self.queue.popleft()
        if self._is_closing:
            return
        if self._is_unread or self.closes_after(answer) or (answer.stream is not None and answer.stream.closes):
            self._end()
        elif self.queue or self.has_duties:
            self.send_ready()

    def _send_specially(self, response: Response, answer: Answer) -> None:
        head = answer.head
        is_last = self._is_unread or self.closes_after(answer)
        line = b"Connection: close\r\n" if is_last or head is None else head.connection
        self._out.append(encode_head(response, self._server.lines, connection=line))
        if head is None or head.method != "HEAD":
            self._out.append(encode_body(response))
        if is_last:
            self._end()

    def send_ready(self) -> None:
        """An answer left: write those that waited for it."""
        queue = self.queue
        while queue and (response := queue[0].response) is not None:
            self.send(response, queue.popleft())
        if queue and (stream := queue[0].stream) is not None and not stream.has_turn:
            stream.take_turn(closes=self.closes_after(queue[0]))
            return
        if self._is_full and len(queue) < _PENDING_REQUESTS and not self._transport.get_write_buffer_size():
            self._set_full(False)
        self._invite_body()
        self.has_duties = self._is_full or self._parser.wants_continue

    def _flush(self) -> None:
        out, self._out = self._out, []
        if len(out) == 1:
            self._transport.write(out[0])
        else:
            self._transport.writelines(out)

    def _end(self) -> None:
        """Send what is due and end."""
        if self._out:
            self._flush()
        self._set_full(False)
        if self._is_held:
            self._is_held = False
            self._read_or_wait()
        self._is_closing = True
        self._since = self._server.now()
        self._parser.phase = Phase.OVER
        hang_up(self._transport)

    # What the server's sweep calls.

    def check(self, now: float) -> None:
        """Enforce the timeouts. Called about once a second, so that no request pays for a timer."""
        if self._is_stuck(now):
            self._transport.abort()
        elif self._is_closing:
            if now - self._since > (_DRAIN_LINGER_S if self._server.is_draining else _LINGER_S):
                self._transport.abort()
        elif self._has_left:
            if now - self._since > self._server.limits.half_closed_timeout_s:
                self._transport.abort()
        elif self._was_used:
            self._was_used = False
            self._since = now
        elif not self.queue:
            self._check_phase(now - self._since)

    def _is_stuck(self, now: float) -> bool:
        """Whether the client has read nothing of what waits for it for too long."""
        unsent = self._transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent_bytes:
            self._unsent_bytes = unsent
            self._unsent_since = now
            return False
        return now - self._unsent_since > self._server.limits.write_timeout_s

    def _check_phase(self, age_s: float) -> None:
        limits = self._server.limits
        phase = self._parser.phase
        if phase is Phase.IDLE:
            if age_s > limits.idle_timeout_s:
                self._transport.close()
        elif phase is Phase.HEAD:
            if age_s > limits.header_timeout_s:
                self._refuse(408, f"the request's headers took longer than {limits.header_timeout_s:g} s")
        elif phase is Phase.BODY:
            allowed_s = limits.body_timeout_s + self._parser.body_bytes / _BODY_BYTES_PER_S
            if age_s > allowed_s:
                self._refuse(408, f"the request's body took longer than {allowed_s:g} s")

    def close_if_idle(self) -> None:
        """End a connection that carries nothing now."""
        if self._parser.phase is Phase.IDLE and not self.queue:
            self._transport.close()

    def abort(self) -> None:
        """End it whatever it carries."""
        self._transport.abort()
