"""HTTP/2 frames written and read by hand, so that our own writer is not what our reader is tested with."""

from typing import NamedTuple

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, PRIORITIZED = 1, 4, 8, 32
ACK = 1
CALL = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/test.Echo/Unary"),
    (":authority", "localhost"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
]


class Seen(NamedTuple):
    """One frame."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def number(self) -> int:
        """The number that the payload begins with: a reset's code, a window's step."""
        return int.from_bytes(self.payload[:4], "big")

    @property
    def code(self) -> int:
        """Why a connection ended: the second number of a GOAWAY."""
        return int.from_bytes(self.payload[4:8], "big")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def block(headers: list[tuple[str, str]]) -> bytes:
    """Headers in HPACK, nothing of them put into a table."""
    encoded: bytes = hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(name, value) for name, value in headers])
    return encoded


def call(stream: int, body: bytes = b"", headers: list[tuple[str, str]] | None = None) -> bytes:
    """A whole request."""
    head = frame(HEADERS, END_HEADERS, stream, block(CALL if headers is None else headers))
    return head + frame(DATA, END_STREAM, stream, body)


def settings(**values: int) -> bytes:
    """SETTINGS, by names such as `initial_window_size`."""
    names = ["header_table_size", "enable_push", "max_concurrent_streams", "initial_window_size", "max_frame_size"]
    pairs = [(names.index(name) + 1).to_bytes(2, "big") + value.to_bytes(4, "big") for name, value in values.items()]
    return frame(SETTINGS, 0, 0, b"".join(pairs))


def window(stream: int, step: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, step.to_bytes(4, "big"))


def reset(stream: int, code: int) -> bytes:
    return frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))


def read_frames(data: bytes) -> tuple[list[Seen], bytes]:
    """The whole frames, and the bytes after them."""
    seen = []
    while len(data) >= 9:
        size = int.from_bytes(data[:3], "big")
        if len(data) < 9 + size:
            break
        stream = int.from_bytes(data[5:9], "big") & 0x7FFFFFFF
        seen.append(Seen(data[3], data[4], stream, data[9 : 9 + size]))
        data = data[9 + size :]
    return seen, data
