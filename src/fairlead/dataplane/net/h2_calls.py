"""One HTTP/2 call from its headers to its answer: stream and reply in one object, because one is made per call."""

from collections.abc import Callable
from typing import Protocol

from fairlead.dataplane.net.h2_bodies import StreamedAnswer, StreamedBody
from fairlead.dataplane.net.h2_heads import Call
from fairlead.errors import FairleadError, GrpcCode
from fairlead.protocols.exchange import Outgoing, Response, ServerReply
from fairlead.protocols.grpc import grpc_failure, status_lines
from fairlead.protocols.h2_frames import ErrorCode
from fairlead.protocols.h2_sending import Stream


class Link(Protocol):
    """What a call needs of its connection."""

    def answer(self, stream: "ServerStream", response: Response) -> None: ...
    def begin(self, stream: "ServerStream", status: int, lines: bytes) -> StreamedAnswer: ...
    def refusal(self, stream: "ServerStream", status: int, code: GrpcCode, words: str) -> Response: ...
    def reset(self, stream: Stream, code: ErrorCode) -> None: ...


class ServerStream(Stream, ServerReply):
    """One call, and its reply. `due` is its deadline, 0 for none; `since` and `mark` are for the sweep:
    when a wait began, and how much had moved then."""

    __slots__ = ("answer", "body", "call", "connection", "due", "mark", "on_gone", "pieces", "since", "size")

    def __init__(self, id: int, credit: int, window: int, connection: Link) -> None:
        super().__init__(id, credit, window)
        self.connection: Link | None = connection
        self.call: Call | None = None
        self.on_gone: Callable[[], None] | None = None
        self.answer: StreamedAnswer | None = None
        self.body: StreamedBody | None = None
        self.pieces: list[bytes] | None = None
        self.size = 0
        self.due = 0.0
        self.since = 0.0
        self.mark = 0

    def __call__(self, response: Response) -> None:
        connection = self.connection
        if connection is None:
            return  # Answered before, or nobody waits any more.
        self.connection = None
        connection.answer(self, response)

    def begin(self, status: int, headers: bytes) -> Outgoing:
        """Answer in pieces instead."""
        connection, self.connection = self.connection, None
        if connection is not None:
            self.answer = connection.begin(self, status, headers)
            return self.answer
        return _Nowhere()

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for the answer or the rest of it."""
        return self.connection is not None or (self.answer is not None and self.answer.is_open)

    def fail(self, error: FairleadError | None) -> None:
        """The handler failed: answer that if nothing was answered, and cut an answer that is half done."""
        if self.answer is not None:
            self.answer.abort()
        elif self.connection is not None:
            status, code = (error.http, error.grpc) if error is not None else (500, GrpcCode.INTERNAL)
            words = str(error) if error is not None else "internal error; the server's log has the traceback"
            self(self.connection.refusal(self, status, code, words))

    def abandon(self) -> None:
        """Nobody waits any more."""
        if not self.is_wanted:
            return
        self.connection = None
        if self.answer is not None:
            self.answer.is_open = False
        on_gone, self.on_gone = self.on_gone, None
        if on_gone is not None:
            on_gone()

    def expire(self, connection: Link) -> None:
        """The deadline has passed."""
        on_gone, self.on_gone = self.on_gone, None
        if self.answer is None:
            self(grpc_failure(GrpcCode.DEADLINE_EXCEEDED, "Deadline Exceeded"))
        elif self.unsent is not None:
            self.answer.is_open = False
            connection.reset(self, ErrorCode.CANCEL)
        else:
            self.answer.end(status_lines(GrpcCode.DEADLINE_EXCEEDED, "Deadline Exceeded"))
        if on_gone is not None:
            on_gone()


class _Nowhere:
    """The body of an answer that nobody waits for."""

    is_full = False
    when_free: Callable[[], None] | None = None

    def send(self, data: bytes) -> None:
        """Nobody reads it."""

    def end(self, trailers: bytes = b"") -> None:
        """Nobody waits for it."""

    def abort(self) -> None:
        """There is nothing to cut."""
