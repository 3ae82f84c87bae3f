"""Answers as HTTP/1.1 bytes.

A `Response` brings its own header lines; what belongs to the connection is added here: status line, Date,
Content-Length and Connection. A streamed answer is `begin_stream`, `encode_chunk` for each piece and `LAST_CHUNK`.
"""

from email.utils import formatdate
from http import HTTPStatus

from fairlead.protocols.exchange import Response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
JSON = b"Content-Type: application/json\r\n"
_BODILESS = frozenset({204, 304})
_REASONS = {status.value: status.phrase for status in HTTPStatus}


def reason_phrase(status: int) -> str:
    """The standard phrase; clients print it, so a code without one gets the phrase of its class."""
    known = _REASONS.get(status)
    return known if known is not None else _REASONS.get(status // 100 * 100, "Unknown")


class StatusLines:
    """Status line and Date header together, made once per code and second."""

    __slots__ = ("_lines", "date")

    def __init__(self) -> None:
        self._lines: dict[int, bytes] = {}
        self.date = ""

    def set_clock(self, now: float) -> None:
        """`now` in seconds since the epoch; call it about once a second."""
        date = formatdate(now, usegmt=True)
        if date != self.date:
            self.date = date
            self._lines = {}

    def get(self, status: int) -> bytes:
        """`HTTP/1.1 <code> <phrase>` and the Date line, if the clock was ever set."""
        line = self._lines.get(status)
        if line is None:
            date = f"Date: {self.date}\r\n" if self.date else ""
            line = f"HTTP/1.1 {status} {reason_phrase(status)}\r\n{date}".encode("latin-1")
            self._lines[status] = line
        return line


def encode(response: Response, lines: StatusLines) -> bytes:
    """The whole answer for a client that keeps its connection; the way of nearly every answer."""
    status, headers, body = response
    if status in _BODILESS:
        return encode_head(response, lines)
    return b"".join((lines.get(status), headers, b"Content-Length: %d\r\n\r\n" % len(body), body))


def encode_head(response: Response, lines: StatusLines, *, connection: bytes = b"") -> bytes:
    """Everything before the body. `connection` is a whole Connection line or nothing."""
    if response.status in _BODILESS:
        return b"".join((lines.get(response.status), response.headers, connection, b"\r\n"))
    length = b"Content-Length: %d\r\n\r\n" % len(response.body)
    return b"".join((lines.get(response.status), response.headers, connection, length))


def encode_body(response: Response) -> bytes:
    """The bytes after the head: none for codes that have no body."""
    return b"" if response.status in _BODILESS else response.body


def begin_stream(status: int, headers: bytes, lines: StatusLines, *, connection: bytes = b"") -> bytes:
    """The head of an answer whose length is not known: its body follows in chunks."""
    return b"".join((lines.get(status), headers, connection, b"Transfer-Encoding: chunked\r\n\r\n"))


def begin_unbounded(status: int, headers: bytes, lines: StatusLines, *, connection: bytes) -> bytes:
    """The same for an answer that ends with its connection, or has no body at all."""
    return b"".join((lines.get(status), headers, connection, b"\r\n"))
