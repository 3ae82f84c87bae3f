"""Answers as HTTP/2 header blocks.

The encoder keeps no state, so the blocks of a status and its header lines are written once and found again: a gRPC
success is always the same two blocks around its message.
"""

from typing import NamedTuple

from fairlead.protocols.exchange import Headers
from fairlead.protocols.h2_frames import DEFAULT_FRAME, END_HEADERS, END_STREAM, FRAME, HEADERS
from fairlead.protocols.hpack import encode

_KEPT = 512
_KEPT_BYTES = 1024
_OF_CONNECTIONS = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"content-length"})
# What gRPC says before a message; everything else whose name starts with grpc- is said after it.
_EARLY = frozenset({b"grpc-encoding", b"grpc-accept-encoding"})
_CONTENT_LENGTH = b"\x0f\x0d"  # A literal whose name is entry 28 of the static table.
_DATE = b"\x0f\x12"  # Entry 33.


class Written(NamedTuple):
    """A status and its lines. `trailers` is the block of the `grpc-` lines, if any. `before` and `after` are the frame
    headers of both blocks without the stream's number; empty when an answer cannot be three frames."""

    start: bytes
    trailers: bytes
    before: bytes
    after: bytes


class AnswerMemory:
    """What was written, by what it was written from. Bounded: full means start again."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, bytes], Written] = {}
        self._date = b""
        self._date_of = ""

    def find(self, status: int, lines: bytes) -> Written:
        """The blocks of an answer."""
        key = (status, lines)
        written = self._kept.get(key)
        if written is None:
            written = write(status, lines)
            if len(lines) <= _KEPT_BYTES:
                if len(self._kept) >= _KEPT:
                    self._kept.clear()
                self._kept[key] = written
        return written

    def date(self, words: str) -> bytes:
        """The Date header in a block."""
        if words != self._date_of:
            self._date_of = words
            self._date = _DATE + bytes((len(words),)) + words.encode("ascii")
        return self._date


def write(status: int, lines: bytes) -> Written:
    """The blocks of a status and complete header lines."""
    first: Headers = [(b":status", b"%d" % status)]
    last: Headers = []
    for pair in read_lines(lines):
        is_late = pair[0].startswith(b"grpc-") and pair[0] not in _EARLY
        (last if is_late else first).append(pair)
    start, trailers = encode(first), encode(last)
    if not trailers or max(len(start), len(trailers)) > DEFAULT_FRAME:
        return Written(start, trailers, b"", b"")
    before = FRAME.pack(len(start) << 8 | HEADERS, END_HEADERS, 0)[:5]
    after = FRAME.pack(len(trailers) << 8 | HEADERS, END_HEADERS | END_STREAM, 0)[:5]
    return Written(start, trailers, before, after)


def read_lines(lines: bytes) -> Headers:
    """Header lines as pairs, without those that HTTP/2 does not have."""
    pairs: Headers = []
    for line in lines.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        name = name.strip().lower()
        if colon and name not in _OF_CONNECTIONS:
            pairs.append((name, value.strip()))
    return pairs


def content_length(size: int) -> bytes:
    """The header in a block."""
    digits = b"%d" % size
    return _CONTENT_LENGTH + bytes((len(digits),)) + digits
