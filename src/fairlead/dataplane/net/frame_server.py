"""Requests that come as frames from the gateway, for the same handler that HTTP requests get.

The worker's end of `fairlead.protocols.frames`. Draining says so to the gateway, which stops sending and closes
when it has its answers; until then everything that arrives is answered, so no request falls between.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path

from fairlead.dataplane.net.frame_bodies import FrameSink, FrameSource
from fairlead.dataplane.net.frame_link import FrameLink
from fairlead.dataplane.net.listening import open_listener
from fairlead.dataplane.net.server import Limits, Refusal, error_response
from fairlead.dataplane.spec import Listen, UnixSocket
from fairlead.errors import FairleadError, GrpcCode, TooLarge
from fairlead.protocols.body_stream import whole
from fairlead.protocols.exchange import Head, Outgoing, Request, Response, ServerHandler, ServerReply, Streams
from fairlead.protocols.frames import (
    GOAWAY,
    Frame,
    Kind,
    decode_request_head,
    encode_begin,
    encode_counts,
    response_prefix,
)
from fairlead.protocols.grpc import grpc_failure
from fairlead.protocols.http1 import HeadMemory
from fairlead.protocols.streaming import is_grpc

__all__ = ["FrameAnswer", "FrameServer"]

log = logging.getLogger(__name__)


class FrameAnswer(ServerReply):
    """The reply of one request that came as a frame."""

    __slots__ = ("_connection", "_id", "_sink", "on_gone")

    def __init__(self, connection: "_Connection", id: int) -> None:
        self._connection: _Connection | None = connection
        self._id = id
        self._sink: FrameSink | None = None
        self.on_gone: Callable[[], None] | None = None

    def __call__(self, response: Response) -> None:
        connection = self._connection
        if connection is None:
            return  # Answered before, or nobody waits any more.
        self._connection = None
        del connection.open[self._id]
        connection.send(response_prefix(self._id, response), response.headers, response.body)
        if connection.sources:
            connection.drop_pieces(self._id)

    def begin(self, status: int, headers: bytes) -> Outgoing:
        """Answer in pieces instead."""
        connection, id = self._connection, self._id
        self._connection = None
        self._sink = sink = FrameSink(connection, id, lambda: connection.forget(id) if connection is not None else None)
        if connection is not None:
            connection.sinks[id] = sink
            connection.send(encode_begin(id, status, headers), b"", b"")
        return sink

    def fail(self, response: Response) -> None:
        """The handler failed: answer this if nothing was answered, and cut an answer that is half done."""
        if self._sink is not None:
            self._sink.abort()
        else:
            self(response)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for the answer."""
        return self._connection is not None or (self._sink is not None and self._sink.is_open)

    def abandon(self) -> None:
        """Nobody waits any more."""
        if not self.is_wanted:
            return
        self._connection = None
        if self._sink is not None:
            self._sink.abandon()
        if self.on_gone is not None:
            self.on_gone()


Counts = Callable[[Callable[[bytes], None]], None]


class _Connection(FrameLink):
    def __init__(self, server: "FrameServer") -> None:
        super().__init__()
        self._server = server
        self.open: dict[int, FrameAnswer] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._server.connections.add(self)
        if self._server.is_draining:
            self.say_goaway()

    def lost(self, unsent: list[bytes]) -> None:  # noqa: ARG002 (nothing to do for what cannot be delivered)
        self._server.leave(self)
        abandoned, self.open = self.open, {}
        for answer in abandoned.values():
            answer.abandon()
        self.sources.clear()
        self.sinks.clear()

    def say_goaway(self) -> None:
        self.send(GOAWAY, b"", b"")

    def take(self, frame: Frame) -> None:
        if frame.kind == Kind.REQUEST:
            self._take_request(frame)
        elif frame.kind == Kind.OPEN:
            self._open_request(frame)
        elif frame.kind == Kind.END:
            source = self.sources.pop(frame.id, None)
            if source is not None:
                source.finish()
        elif frame.kind == Kind.COUNTS:
            self._server.counts(self._tell_counts)
        elif frame.kind == Kind.CANCEL:
            answer = self.open.pop(frame.id, None)
            if answer is not None:
                answer.abandon()
                self.drop_pieces(frame.id)
        else:
            self.take_piece(frame)

    def _tell_counts(self, body: bytes) -> None:
        """May come when the gateway is gone."""
        if self in self._server.connections:
            self.send(encode_counts(body), b"", b"")

    def forget(self, id: int) -> None:
        """A streamed answer has left."""
        self.open.pop(id, None)
        self.drop_pieces(id)

    def _take_request(self, frame: Frame) -> None:
        server = self._server
        head = server.memory.get(frame.head)
        if head is None:
            head = self._read_head(frame)
        answer = self.open[frame.id] = FrameAnswer(self, frame.id)
        body = frame.body
        if len(body) > server.limits.body_bytes:
            answer(self._too_large(head))
            return
        request = Request(head.method, head.path, head.query, head.headers, body, head)
        if head.is_streamed:
            request.body, request.incoming = b"", whole(body)
        try:
            server.handler(request, answer)
        except Exception as error:
            self._fail(request, answer, error)

    def _open_request(self, frame: Frame) -> None:
        head = self._server.memory.get(frame.head) or self._read_head(frame)
        answer = self.open[frame.id] = FrameAnswer(self, frame.id)
        source = self.sources[frame.id] = FrameSource(self, frame.id)
        if head.is_streamed:
            self._enter(Request(head.method, head.path, head.query, head.headers, b"", head, source), answer)
        else:
            self._collect(head, source, answer)

    def _collect(self, head: Head, source: FrameSource, answer: FrameAnswer) -> None:
        """Pieces that nobody here asked for become a whole body."""
        pieces, most_bytes = bytearray(), self._server.limits.body_bytes

        def take(piece: bytes) -> None:
            pieces.extend(piece)
            if len(pieces) > most_bytes:
                answer(self._too_large(head))

        def enter() -> None:
            self._enter(Request(head.method, head.path, head.query, head.headers, bytes(pieces), head), answer)

        source.listen(take, enter)

    def _too_large(self, head: Head) -> Response:
        error = TooLarge(f"the body is larger than {self._server.limits.body_bytes} bytes")
        return self._refusal(head, error.http, error.grpc, str(error))

    def _refusal(self, head: Head, status: int, code: GrpcCode, words: str) -> Response:
        return grpc_failure(code, words) if is_grpc(head) else self._server.refuse(status, words)

    def _read_head(self, frame: Frame) -> Head:
        server = self._server
        head = decode_request_head(frame.head)
        head.is_streamed = server.streams is not None and server.streams(head)
        server.memory.remember(frame.head, head)
        return head

    def _enter(self, request: Request, answer: FrameAnswer) -> None:
        try:
            self._server.handler(request, answer)
        except Exception as error:
            self._fail(request, answer, error)

    def _fail(self, request: Request, answer: FrameAnswer, error: Exception) -> None:
        head = request.head
        assert head is not None
        if isinstance(error, FairleadError):
            answer.fail(self._refusal(head, error.http, error.grpc, str(error)))
            return
        log.error("%s %s: the handler failed", head.method, head.path, exc_info=error)
        words = "internal error; the server's log has the traceback"
        answer.fail(self._refusal(head, 500, GrpcCode.INTERNAL, words))


def _nothing_counted(tell: Callable[[bytes], None]) -> None:
    tell(b"")


class FrameServer:
    """Serves `handler` to gateways. The same two methods as `HttpServer`."""

    def __init__(
        self,
        handler: ServerHandler,
        *,
        limits: Limits | None = None,
        refuse: Refusal = error_response,
        streams: Streams | None = None,
        counts: Counts = _nothing_counted,
    ) -> None:
        """`counts` hands what the worker counted to whoever asks, now or a moment later."""
        self.handler = handler
        self.counts = counts
        self.streams = streams
        self.limits = limits if limits is not None else Limits()
        self.refuse = refuse
        self.memory = HeadMemory()
        self.is_draining = False
        self.connections: set[_Connection] = set()
        self._listeners: list[asyncio.Server] = []
        self._paths: list[Path] = []
        self._is_empty = asyncio.Event()

    async def listen(self, where: Listen, *, tls: ssl.SSLContext | None = None) -> int:
        """Accept gateways there; gives the TCP port that was bound, 0 for a Unix socket."""
        loop = asyncio.get_running_loop()
        listener, port = await open_listener(loop, lambda: _Connection(self), where, tls=tls)
        self._listeners.append(listener)
        if isinstance(where, UnixSocket):
            self._paths.append(Path(where.path))
        return port

    async def drain(self, grace_s: float) -> None:
        """Send the gateways away, answer what is held and what is still on its way, and end when they have closed.
        What is not answered within the grace is cut."""
        for listener in self._listeners:
            listener.close()
        for path in self._paths:
            path.unlink(missing_ok=True)
        self.is_draining = True
        if not self.connections:
            return
        self._is_empty.clear()
        for connection in self.connections:
            connection.say_goaway()
        try:
            async with asyncio.timeout(grace_s):
                await self._is_empty.wait()
        except TimeoutError:
            open_count = sum(len(connection.open) for connection in self.connections)
            log.warning("%d requests were cut after a grace of %g s", open_count, grace_s)
            for connection in list(self.connections):
                connection.abort()

    def leave(self, connection: _Connection) -> None:
        """A gateway hung up."""
        self.connections.discard(connection)
        if not self.connections:
            self._is_empty.set()
