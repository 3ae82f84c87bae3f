"""The frames that gateway and worker exchange over one Unix socket: many requests at once, answers in any order.

Every frame starts with 16 bytes, big-endian:

    offset  size  field
    0       4     length   of everything after these 16 bytes
    4       4     id       which request; chosen by the gateway, unique while it is open; 0 for frames about none
    8       1     kind     1 request, 2 response, 3 cancel, 4 goaway; other kinds are skipped
    9       1     zero
    10      2     status   of a response, else 0
    12      4     head     length of the head, which comes first; what is left is the body

    request   head: method, path, query, then name and value of each header, joined by NUL (no part can hold one)
    response  head: the block of header lines as `Response.headers` has it, passed through untouched
    cancel    gateway to worker: nobody waits for this answer any more; the worker need not send it
    goaway    worker to gateway: send no more requests here and close when the open ones are answered

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
LAST_ID = 0xFFFFFFFF
"""The largest request id."""


class Kind(IntEnum):
    """What a frame is."""

    REQUEST = 1
    RESPONSE = 2
    CANCEL = 3
    GOAWAY = 4


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
