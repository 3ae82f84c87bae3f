"""An answer in pieces on an HTTP/1.1 connection: chunks, or for HTTP/1.0 everything up to the connection's end.

Answers leave in the order of their requests. One that is begun before its turn holds what it is given and says that it
is full, so that a handler which listens to that produces no more than its first piece.
"""

from collections.abc import Callable
from typing import Protocol

from fairlead.protocols.chunked import LAST_CHUNK, encode_chunk
from fairlead.protocols.exchange import Head
from fairlead.protocols.http1_response import StatusLines, begin_stream, begin_unbounded

_LARGE_BYTES = 64 * 1024
_CLOSE = b"Connection: close\r\n"


class Line(Protocol):
    """What is needed of the connection. `is_stalled` says that the client reads more slowly than it is sent to."""

    is_stalled: bool

    @property
    def lines(self) -> StatusLines: ...
    def write(self, *pieces: bytes) -> None: ...
    def end_stream(self) -> None: ...
    def abort(self) -> None: ...


class AnswerStream:
    """The `Outgoing` of one answer. Without a line nobody waits for it."""

    __slots__ = (
        "_has_body",
        "_head",
        "_headers",
        "_held",
        "_is_ended",
        "_line",
        "_status",
        "closes",
        "has_turn",
        "is_full",
        "when_free",
    )

    def __init__(self, line: Line | None, head: Head | None, status: int, headers: bytes) -> None:
        self._line = line
        self._head = head
        self._status = status
        self._headers = headers
        self._held: list[bytes] = []
        self._is_ended = False
        self._has_body = status not in (204, 304) and (head is None or head.method != "HEAD")
        self.closes = False
        self.has_turn = False
        self.is_full = line is not None
        self.when_free: Callable[[], None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether somebody waits for the rest."""
        return self._line is not None

    @property
    def _is_chunked(self) -> bool:
        return self._head is None or self._head.takes_chunks

    def send(self, data: bytes) -> None:
        """Queue a piece."""
        line = self._line
        if line is None or self._is_ended or not data or not self._has_body:
            return
        if not self.has_turn:
            self._held.append(data)
        elif not self._is_chunked:
            line.write(data)
        elif len(data) > _LARGE_BYTES:
            line.write(b"%x\r\n" % len(data), data, b"\r\n")
        else:
            line.write(encode_chunk(data))

    def end(self, trailers: bytes = b"") -> None:  # noqa: ARG002 (few HTTP/1.1 clients take any, so none are sent)
        """That was all."""
        if self._is_ended:
            return
        self._is_ended = True
        if self.has_turn:
            self._finish()

    def abort(self) -> None:
        """Cut the connection: only so can a client of HTTP/1.1 tell half an answer from a whole one."""
        line, self._line = self._line, None
        if line is not None:
            line.abort()

    def abandon(self) -> None:
        """The connection is gone."""
        self._line = None
        self._held.clear()

    def take_turn(self, *, closes: bool) -> None:
        """All answers before it have left."""
        line = self._line
        self.has_turn = True
        if line is None:
            return
        self.closes = closes or not self._is_chunked
        connection = _CLOSE if self.closes else self._head.connection if self._head is not None else b""
        begin = begin_stream if self._is_chunked and self._has_body else begin_unbounded
        line.write(begin(self._status, self._headers, line.lines, connection=connection))
        held, self._held = self._held, []
        is_ended, self._is_ended = self._is_ended, False
        for piece in held:
            self.send(piece)
        self._is_ended = is_ended
        if is_ended:
            self._finish()
        elif not line.is_stalled:
            self.free()

    def free(self) -> None:
        """The client has read what there was."""
        self.is_full = False
        if self.when_free is not None and self._line is not None:
            self.when_free()

    def _finish(self) -> None:
        line, self._line = self._line, None
        if line is None:
            return
        if self._has_body and self._is_chunked:
            line.write(LAST_CHUNK)
        line.end_stream()
