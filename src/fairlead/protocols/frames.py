"""The frames that gateway and worker exchange over one Unix socket: many requests at once, answers in any order.

Every frame starts with 16 bytes, big-endian:

    offset  size  field
    0       4     length   of everything after these 16 bytes
    4       4     id       which request; chosen by the gateway, unique while it is open; 0 for frames about none
    8       1     kind     see below; kinds that are not known are skipped
    9       1     zero
    10      2     status   of a response or begin, else 0
    12      4     head     length of the head, which comes first; what is left is the body

    1  request   head: method, path, query, then name and value of each header, joined by NUL (no part can hold one)
    2  response  head: the block of header lines as `Response.headers` has it, passed through untouched
    3  cancel    gateway to worker: nobody waits for this answer any more; the worker need not send it
    4  goaway    worker to gateway: send no more requests here and close when the open ones are answered
    5  open      like a request, but its body follows in pieces
    6  begin     like a response, but its body follows in pieces
    7  data      either way: a piece of a body
    8  end       either way: the body of an open or a begin is over. Head: trailers, only from the worker
    9  credit    either way: the sender of the pieces may send as many bytes more as the body says (4 bytes)
    10 reset     worker to gateway: an answer that was begun will not be finished
    11 counts    gateway to worker: what have you counted? Worker to gateway: this (msgpack, in the body). A worker that
                 drains still answers, so what it counted last is not lost

A body in pieces is under flow control, each direction for itself: `WINDOW_BYTES` may be under way, and every credit
raises that by what the receiver has passed on. A response may come before the body of its request is over; then the
rest of that body means nothing. Whole bodies need no credit, because a gateway bounds how many it has under way.

No I/O, and no negotiation: both ends come from one installation. A fixed struct and not msgpack because a head
that was seen before is found by its bytes, and a body is cut out once.
"""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from fairlead.errors import BadRequest
from fairlead.protocols.exchange import Head, Headers, Response

_PREFIX = Struct(">IIBxHI")
_PREFIX_BYTES = _PREFIX.size
_MOST_BYTES = 0xFFFFFFFF
_CREDIT = Struct(">I")
LAST_ID = 0xFFFFFFFF
"""The largest request id."""
WINDOW_BYTES = 256 * 1024
"""How much of a body in pieces may be under way before its receiver has given credit."""


class Kind(IntEnum):
    """What a frame is."""

    REQUEST = 1
    RESPONSE = 2
    CANCEL = 3
    GOAWAY = 4
    OPEN = 5
    BEGIN = 6
    DATA = 7
    END = 8
    CREDIT = 9
    RESET = 10
    COUNTS = 11


class Frame(NamedTuple):
    """One decoded frame. `kind` is a plain number because kinds we do not know are skipped, not refused."""

    kind: int
    id: int
    status: int
    head: bytes
    body: bytes


def encode_request_head(method: str, path: str, query: bytes, headers: Headers) -> bytes:
    """The head of a request frame; the same for all requests that differ in their body only."""
    parts = [method.encode("ascii"), path.encode("latin-1"), query]
    for pair in headers:
        parts += pair
    return b"\0".join(parts)


def decode_request_head(head: bytes) -> Head:
    """The opposite of `encode_request_head`."""
    parts = head.split(b"\0")
    if len(parts) < 3 or not len(parts) & 1:
        raise BadRequest("a request frame's head is malformed")
    names = iter(parts[3:])
    return Head(parts[0].decode("ascii"), parts[1].decode("latin-1"), parts[2], list(zip(names, names, strict=True)))


def request_prefix(id: int, head: bytes, body: bytes) -> bytes:
    """The 16 bytes before a request's head and body."""
    return _PREFIX.pack(len(head) + len(body), id, 1, 0, len(head))


def response_prefix(id: int, response: Response) -> bytes:
    """The 16 bytes before a response's headers and body."""
    status, headers, body = response
    return _PREFIX.pack(len(headers) + len(body), id, 2, status, len(headers))


def encode_cancel(id: int) -> bytes:
    """A whole cancel frame."""
    return _PREFIX.pack(0, id, Kind.CANCEL, 0, 0)


def encode_reset(id: int) -> bytes:
    """A whole reset frame."""
    return _PREFIX.pack(0, id, Kind.RESET, 0, 0)


def encode_open(id: int, head: bytes) -> bytes:
    """A whole open frame."""
    return _PREFIX.pack(len(head), id, Kind.OPEN, 0, len(head)) + head


def encode_begin(id: int, status: int, headers: bytes) -> bytes:
    """A whole begin frame."""
    return _PREFIX.pack(len(headers), id, Kind.BEGIN, status, len(headers)) + headers


def data_prefix(id: int, length: int) -> bytes:
    """The 16 bytes before a piece of so many bytes."""
    return _PREFIX.pack(length, id, Kind.DATA, 0, 0)


def encode_end(id: int, trailers: bytes = b"") -> bytes:
    """A whole end frame."""
    return _PREFIX.pack(len(trailers), id, Kind.END, 0, len(trailers)) + trailers


def encode_credit(id: int, size_bytes: int) -> bytes:
    """A whole credit frame."""
    return _PREFIX.pack(4, id, Kind.CREDIT, 0, 0) + _CREDIT.pack(size_bytes)


def decode_credit(frame: Frame) -> int:
    """The bytes that a credit frame grants."""
    if len(frame.body) != _CREDIT.size:
        raise BadRequest("a credit frame is malformed")
    granted: int = _CREDIT.unpack(frame.body)[0]
    return granted


def encode_counts(body: bytes = b"") -> bytes:
    """A whole counts frame: the question, or its answer."""
    return _PREFIX.pack(len(body), 0, Kind.COUNTS, 0, 0) + body


GOAWAY = _PREFIX.pack(0, 0, Kind.GOAWAY, 0, 0)
"""A whole goaway frame."""


class FrameDecoder:
    """Feed bytes, take frames. Raises `BadRequest` when the bytes cannot be frames or one is over `most_bytes`;
    then the connection is of no more use."""

    __slots__ = ("_held_bytes", "_most_bytes", "_needed_bytes", "_pieces")

    def __init__(self, *, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._pieces: list[bytes] = []
        self._held_bytes = 0
        self._needed_bytes = 0

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete."""
        if self._pieces:
            self._pieces.append(data)
            self._held_bytes += len(data)
            if self._held_bytes < self._needed_bytes:
                return []
            data = b"".join(self._pieces)
            self._pieces = []
        return self._cut(data)

    def _cut(self, data: bytes) -> list[Frame]:
        frames: list[Frame] = []
        start, total = 0, len(data)
        needed = _PREFIX_BYTES
        while start + needed <= total:
            length, id, kind, status, head_bytes = _PREFIX.unpack_from(data, start)
            if length > self._most_bytes or head_bytes > length:
                raise BadRequest(f"a frame of {length} bytes with a head of {head_bytes} bytes is refused")
            if start + _PREFIX_BYTES + length > total:
                needed = _PREFIX_BYTES + length
                break
            head_end = start + _PREFIX_BYTES + head_bytes
            end = start + _PREFIX_BYTES + length
            frames.append(Frame(kind, id, status, data[start + _PREFIX_BYTES : head_end], data[head_end:end]))
            start = end
        if start < total:
            self._pieces = [data[start:]]
            self._held_bytes = total - start
            self._needed_bytes = needed
        return frames
