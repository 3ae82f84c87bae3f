"""From a right request to a wrong one. Every choice comes from the random source that is handed in, so that a seed and
a number say which bytes were sent."""

import gzip
import json
import random
from collections.abc import Callable
from typing import Any

from bench.fuzz import h2
from bench.fuzz.seeds import CallSeed, Seed

INJECTED = "X-Injected"
"""A header that no answer may have: it is written into whatever an answer might repeat."""
_SPLIT = f"a\r\n{INJECTED}: 1\r\n\r\nHTTP/1.1 200 OK\r\n"
_BOMB_BYTES = 64 * 1024 * 1024
_BOMB = gzip.compress(bytes(_BOMB_BYTES), 9)
_DEEP = 50_000

_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    -(2**64),
    10**400,
    float("nan"),
    float("inf"),
    float("-inf"),
    "",
    "é\u2028\U0001f600",
    "\x00",
    "\ud800",
    _SPLIT,
    "A" * 20_000,
    "../../../../etc/passwd",
    [],
    {},
    [[]],
    [[], [1]],
    [[1], [1, 2]],
    [1, "a", None, {"b": [2]}],
    [1e308, 1e-320],
    {"": {"": ""}},
    [0] * 2000,
    [-1, 4],
    [2**40, 2**40],
    [0, 4],
    "FP16",
    "BYTES",
    "UINT64",
    {"b64": "AA=="},
    {"b64": "not base64"},
)
_PATHS = (
    b"/../../../../etc/passwd",
    b"/%2e%2e/%2e%2e/etc/passwd",
    b"/..%2f..%2fetc/passwd",
    b"//live",
    b"/%00",
    b"/%0d%0aX-Injected:%201",
    b"/\xc3\xa9",
    b"/%ff%fe",
    b"/%ud800",
    b"?",
    b"?json=",
    b"?json=%7B",
    b"#/live",
    b";a=b",
    b"/" + b"a" * 15_000,
    b"/" + b"a/" * 2000,
    b"%",
    b":predict",
    b"/versions/1",
)
_LINES = (
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding:\x0bchunked",
    b"transfer-encoding: CHUNKED",
    b"Content-Length: 0",
    b"Content-Length: 5",
    b"Content-Length: +5",
    b"Content-Length: 5, 5",
    b"Content-Length: -1",
    b"Content-Length: 0x5",
    b"Content-Length: 99999999999999999999",
    b"Content-Length: 104857601",
    b"Host: other",
    b"Host: a@b:80/c",
    b"Connection: close",
    b"Connection: content-length, content-type, host, seldon-puid, x-forwarded-prefix",
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
    b"Upgrade: websocket\r\nConnection: upgrade",
    b"Expect: 100-continue",
    b"Expect: 200-ok",
    b"Expect: 100-continue\r\nContent-Length: 7",
    b"Content-Encoding: gzip",
    b"Content-Encoding: deflate",
    b"Content-Encoding: br",
    b"Content-Type: application/grpc",
    b"Content-Type: application/cloudevents+json",
    b"Content-Type: application/cloudevents-batch+json",
    b"Content-Type: multipart/form-data; boundary=",
    b"Content-Type: application/x-www-form-urlencoded",
    b"Content-Type: \xff\xfe",
    b"Inference-Header-Content-Length: 0",
    b"Inference-Header-Content-Length: 1",
    b"Inference-Header-Content-Length: 999999999999999",
    b"Inference-Header-Content-Length: -5",
    b"Seldon-Puid: \xff\xfe<script>",
    b"Seldon-Puid: a\rX-Injected: 1",
    b"Seldon-Puid: a\nX-Injected: 1",
    b"Seldon-Puid: a\r\n X-Injected: 1",
    b"Seldon-Puid: a\r\nX-Ignored",
    b"Ce-Id: a%0d%0aX-Injected: 1\r\nCe-Specversion: 1.0\r\nCe-Source: s\r\nCe-Type: t",
    b"Ce-Specversion: 9\r\nCe-Id: 1\r\nCe-Source: s\r\nCe-Type: t",
    b"Ce-Specversion: 1.0",
    b"Origin: http://a\x00b",
    b"Origin: \xc3\xa9",
    b'X-Forwarded-Prefix: //evil.example/"><script>',
    b"X-Forwarded-Prefix: /a%0d%0aX-Injected: 1",
    b"Seldon-Model-Method: aggregate",
    b"Accept: text/html",
    b": empty",
    b"Bad Name: x",
    b"X: \x00",
    b"X: " + b"y" * 70_000,
    b"\r\n".join(b"X-%d: y" % n for n in range(250)),
)


class Mutator:
    """Makes what is sent on one connection."""

    def __init__(self, source: random.Random) -> None:
        self._source = source

    def request(self, seed: Seed) -> bytes:
        """HTTP/1.1 bytes: the seed with up to three things wrong."""
        source = self._source
        body = self._body(seed.body) if source.random() < 0.7 else seed.body
        lines = [b"Host: localhost", *(f"{name}: {value}".encode() for name, value in seed.headers)]
        path = seed.path.encode()
        if source.random() < 0.2:
            path = source.choice((path + source.choice(_PATHS), self._cut_in(path, source.choice(_PATHS))))
        method = seed.method if source.random() < 0.9 else source.choice(("GET", "PUT", "HEAD", "OPTIONS", "BREW"))
        lines, body = self._framed(lines, body)
        for _ in range(source.choice((0, 0, 0, 1, 2))):
            lines.insert(source.randrange(len(lines) + 1), source.choice(_LINES))
        version = b"HTTP/1.1" if source.random() < 0.95 else source.choice((b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b""))
        whole = b"\r\n".join((b"%b %b %b" % (method.encode(), path, version), *lines, b"", body))
        if source.random() < 0.25:
            whole = self.bent(whole)
        return whole * source.choice((1, 1, 1, 2))

    def call(self, seed: CallSeed) -> bytes:
        """HTTP/2 bytes: a call with a wrong message, wrong frames, or an attack on the connection."""
        source = self._source
        if source.random() < 0.15:
            return h2.GREETING + h2.attack(source)
        message = seed.message
        if source.random() < 0.6:
            message = self.bent(message)
        flag = 0
        if source.random() < 0.1:
            message, flag = source.choice(((_BOMB, 1), (gzip.compress(message), 1), (message, 1), (message, 7)))
        size = len(message) if source.random() < 0.9 else source.choice((0, 1, 2**31, 2**32 - 1, len(message) + 1))
        metadata = [*seed.metadata]
        if flag:
            metadata.append((b"grpc-encoding", source.choice((b"gzip", b"deflate", b"identity", b"snappy"))))
        if source.random() < 0.2:
            metadata.append(source.choice(_METADATA))
        frames = h2.call(seed.path.encode(), bytes((flag,)) + size.to_bytes(4, "big") + message, metadata)
        if source.random() < 0.2:
            frames.insert(source.randrange(3), h2.attack(source))
        whole = b"".join(frames)
        return h2.GREETING + (self.bent(whole) if source.random() < 0.3 else whole)

    def bent(self, data: bytes) -> bytes:
        """Bits flipped, bytes cut out, put in, repeated or written over."""
        for _ in range(self._source.choice((1, 1, 2, 4))):
            data = self._source.choice(_BYTES)(self._source, data)
        return data

    def _framed(self, lines: list[bytes], body: bytes) -> tuple[list[bytes], bytes]:
        """The body with its length, or in chunks that may be wrong."""
        if self._source.random() < 0.85:
            return ([*lines, b"Content-Length: %d" % len(body)] if body else lines), body
        size = self._source.choice((b"%x" % len(body), b"%X;a=b" % len(body), b"0x%x" % len(body), b"-1", b"fffffffff"))
        end = self._source.choice(
            (b"\r\n0\r\n\r\n", b"\r\n0\r\nX: y\r\n\r\n", b"\n0\n\n", b"0\r\n\r\n", b"\r\n0\r\n\r\nGET / ")
        )
        return [*lines, b"Transfer-Encoding: chunked"], size + b"\r\n" + body + end

    def _body(self, body: bytes) -> bytes:
        source = self._source
        try:
            value = json.loads(body)
        except ValueError:
            return self.bent(body)
        kind = source.random()
        if kind < 0.03:
            return source.choice((b"[", b'{"a":')) * _DEEP
        if kind < 0.05:
            return _BOMB
        if kind < 0.15:
            return self.bent(body)
        for _ in range(source.choice((1, 1, 2))):
            value = self._value(value)
        return json.dumps(value, ensure_ascii=source.random() < 0.5).encode("utf-8", "surrogatepass")

    def _value(self, value: Any) -> Any:
        """The value with one thing in it replaced, taken away, doubled or added."""
        source = self._source
        if isinstance(value, dict) and value and source.random() < 0.85:
            key = source.choice(list(value))
            changed = dict(value)
            what = source.random()
            if what < 0.1:
                del changed[key]
            elif what < 0.2:
                changed[source.choice(list(_KEYS))] = source.choice(_VALUES)
            else:
                changed[key] = self._value(value[key])
            return changed
        if isinstance(value, list) and value and source.random() < 0.6:
            index = source.randrange(len(value))
            item = self._value(value[index]) if source.random() < 0.7 else source.choice(_VALUES)
            return [*value[:index], item, *value[index + (source.random() < 0.8) :]]
        return source.choice(_VALUES)

    def _cut_in(self, data: bytes, piece: bytes) -> bytes:
        at = self._source.randrange(1, len(data) + 1)
        return data[:at] + piece + data[at:]


_KEYS = (
    "data", "ndarray", "tensor", "tftensor", "strData", "binData", "jsonData", "meta", "names", "status", "reward",
    "inputs", "outputs", "instances", "parameters", "id", "signature_name", "examples", "context", "raw_input_contents",
    "binary_data_size", "binary_data_output", "shape", "datatype", "name", "puid", "tags", "routing", "requestPath",
    "metrics", "model_name", "specversion", "data_base64", "datacontenttype",
)  # fmt: skip
_METADATA = (
    (b"grpc-timeout", b"1n"),
    (b"grpc-timeout", b"99999999H"),
    (b"grpc-timeout", b"abc"),
    (b"seldon-puid", b"\xff\xfe"),
    (b"seldon", b"nobody"),
    (b"x-bin", b"!!!"),
    (b"x-bin", b"AAECAw"),
    (b"grpc-encoding", b"br"),
    (b"content-length", b"3"),
)


def _flip(source: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(source.choice((1, 1, 3, 16)) if data else 0):
        changed[source.randrange(len(changed))] ^= 1 << source.randrange(8)
    return bytes(changed)


def _cut(source: random.Random, data: bytes) -> bytes:
    return data[: source.randrange(len(data) + 1)]


def _remove(source: random.Random, data: bytes) -> bytes:
    at = source.randrange(len(data) + 1)
    return data[:at] + data[at + source.choice((1, 2, 8, 40)) :]


def _insert(source: random.Random, data: bytes) -> bytes:
    at = source.randrange(len(data) + 1)
    return data[:at] + source.choice(_PIECES) + data[at:]


def _repeat(source: random.Random, data: bytes) -> bytes:
    at = source.randrange(len(data) + 1)
    piece = data[at : at + source.randrange(1, 60)]
    return data[:at] + piece * source.choice((2, 3, 100)) + data[at:]


def _splice(source: random.Random, data: bytes) -> bytes:
    at, other = source.randrange(len(data) + 1), source.randrange(len(data) + 1)
    return data[:at] + data[other:]


_PIECES = (
    b"\x00", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\r\n\t", b" ", b"\xff", b"\xff\xff\xff\xff\x0f", b"\x80" * 12,
    b"\x7f\xff\xff\xff", b"\x0a\xff\xff\xff\xff\x07", b"\x0b\x0c", b'"', b"[" * 100, b"{", b"-", b"1e999",
    b"\\u0000", b"\\ud800", b":", b"%0d%0a", b"\xc0\x80", b"\xed\xa0\x80", b"0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", h2.PREFACE,
)  # fmt: skip
_BYTES: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _flip,
    _flip,
    _cut,
    _remove,
    _insert,
    _insert,
    _repeat,
    _splice,
)
