"""The chunked transfer coding (RFC 9112 section 7.1), both ways, as bytes in and bytes out.

Strict on purpose: every tolerance here has been somebody's request-smuggling hole. Sizes are plain hexadecimal,
lines end in CRLF, extensions and trailers are bounded and dropped.
"""

import re
from enum import Enum

from fairlead.errors import BadRequest, TooLarge

LAST_CHUNK = b"0\r\n\r\n"
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*")
_LINE_BYTES = 1024


def encode_chunk(data: bytes) -> bytes:
    """One chunk of a streamed body. Empty data gives nothing, because an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


class _Expect(Enum):
    SIZE = 1
    DATA = 2
    DATA_END = 3
    TRAILER = 4
    DONE = 5


class ChunkedDecoder:
    """Feed bytes until `is_done`; then `body()` is the whole body.

    The body may have `body_bytes` and the trailers `trailer_bytes`; more raises `TooLarge`, and bytes that are not
    chunks raise `BadRequest`.
    """

    __slots__ = ("_body_bytes", "_expect", "_left", "_line", "_pieces", "_size", "_trailer_left")

    def __init__(self, *, body_bytes: int, trailer_bytes: int) -> None:
        self._body_bytes = body_bytes
        self._trailer_left = trailer_bytes
        self._expect = _Expect.SIZE
        self._left = 0
        self._size = 0
        self._line = b""
        self._pieces: list[bytes] = []

    @property
    def is_done(self) -> bool:
        """Whether the last chunk and its trailers have been read."""
        return self._expect is _Expect.DONE

    @property
    def size_bytes(self) -> int:
        """How much of the body has arrived."""
        return self._size

    def body(self) -> bytes:
        """What has arrived, joined."""
        return b"".join(self._pieces)

    def take(self) -> bytes:
        """What has arrived since the last `take`, for bodies that are passed on in pieces."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)

    def feed(self, data: bytes, position: int) -> int:
        """Read from `data[position:]`; gives the position after what belongs to this body."""
        while position < len(data) and self._expect is not _Expect.DONE:
            if self._expect is _Expect.DATA:
                position = self._read_data(data, position)
            else:
                position = self._read_line(data, position)
        return position

    def _read_data(self, data: bytes, position: int) -> int:
        piece = data[position : position + self._left]
        self._pieces.append(piece)
        self._left -= len(piece)
        self._size += len(piece)
        if not self._left:
            self._expect = _Expect.DATA_END
        return position + len(piece)

    def _read_line(self, data: bytes, position: int) -> int:
        newline = data.find(b"\n", position)
        stop = len(data) if newline < 0 else newline + 1
        self._line += data[position : min(stop, position + _LINE_BYTES + 1)]
        if len(self._line) > _LINE_BYTES:
            raise BadRequest(f"a line between chunks is longer than {_LINE_BYTES} bytes")
        if newline < 0:
            return stop
        line, self._line = self._line, b""
        if not line.endswith(b"\r\n"):
            raise BadRequest("a line between chunks does not end in CRLF")
        self._take_line(line[:-2])
        return stop

    def _take_line(self, line: bytes) -> None:
        if self._expect is _Expect.SIZE:
            self._take_size(line)
        elif self._expect is _Expect.DATA_END:
            if line:
                raise BadRequest("a chunk is longer than the size it announced")
            self._expect = _Expect.SIZE
        elif not line:
            self._expect = _Expect.DONE
        else:
            self._take_trailer(line)

    def _take_size(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise BadRequest("a chunk's size is not a hexadecimal number")
        self._left = int(match[1], 16)
        if self._size + self._left > self._body_bytes:
            raise TooLarge(f"the body is larger than {self._body_bytes} bytes")
        self._expect = _Expect.DATA if self._left else _Expect.TRAILER

    def _take_trailer(self, line: bytes) -> None:
        self._trailer_left -= len(line) + 2
        if self._trailer_left < 0 or _TRAILER_LINE.fullmatch(line) is None:
            raise BadRequest("the trailers after the last chunk are malformed or too long")
