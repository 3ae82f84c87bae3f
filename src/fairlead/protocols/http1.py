"""HTTP/1.1 requests out of bytes, with no I/O, for every server of ours.

httptools (llhttp, strict) reads heads; where a body ends is decided here, so that a connection's bytes mean one
thing only. Heads repeat: clients of a model send the same request line and headers again and again, so a parsed
head is kept by its bytes. Reading one costs 2.4 us and finding it again 0.3 us of the 10 us a request may take.
A parser without that memory gives the same requests; the tests use it as the oracle.

What is refused: HTTP/0.9 and 2, RTSP and ICE, obsolete line folding, bare LF, CONNECT, a Host that is none, two answers
to "how long is the body", transfer codings other than `chunked`, and anything over the limits.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import httptools

from fairlead.errors import BadRequest, Permanent, TooLarge
from fairlead.protocols.body_stream import BodyStream
from fairlead.protocols.chunked import ChunkedDecoder
from fairlead.protocols.exchange import Head, Headers, Request, Streams

_END = b"\r\n\r\n"
_CR_LF = (13, 10)
_DECISIVE = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})
_SPOKEN = b" HTTP/"
# Whoever reads a host out of it must not read a path, a query or a user's name.
_HOST = re.compile(rb"[^\x00-\x20\x7f/?#@\\]*")
_MEMORY_HEADS = 512
_MEMORY_MARKS = 8 * _MEMORY_HEADS
_MEMORY_HEAD_BYTES = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one connection may ask for and how long it may take.

    `body_timeout_s` grows by a second for every 64 KiB that arrived, so a large body on a slow line passes while a
    client that drips does not. `half_closed_timeout_s` is how long an answer may take for a client that closed its
    side: some still read, most are gone.
    """

    header_bytes: int = 64 * 1024
    header_count: int = 200
    url_bytes: int = 16 * 1024
    body_bytes: int = 100 * 1024 * 1024
    header_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    idle_timeout_s: float = 65.0
    write_timeout_s: float = 30.0
    half_closed_timeout_s: float = 2.0


class Refused(Permanent):
    """Bytes that are no request we take. `http` says why in the words of HTTP."""

    reason = "BadRequest"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.http = status


class HeadMemory(dict[bytes, Head]):
    """Heads by their bytes, for the connections of one server. Bounded: full means start again.

    A head is kept when it comes a second time, so that clients whose heads never repeat (an id in each request)
    push nothing out and leave nothing behind."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[int] = set()

    def remember(self, raw: bytes, head: Head) -> None:
        """Note a head, and keep it if it repeats and needs nothing but its body's length to be served."""
        mark = hash(raw)
        if mark not in self._seen:
            if len(self._seen) >= _MEMORY_MARKS:
                self._seen.clear()
            self._seen.add(mark)
            return
        if len(raw) > _MEMORY_HEAD_BYTES or head.length < 0 or not head.keeps_alive:
            return
        if head.expects_continue or head.is_streamed:
            return
        if len(self) >= _MEMORY_HEADS:
            self.clear()
        self[raw] = head


class Phase(Enum):
    """What a parser is in the middle of."""

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    OVER = "over"


class _HeadReader:
    """Collects what httptools finds in one head, which may come in pieces."""

    __slots__ = ("_parser", "_url", "headers", "is_done", "keeps_alive", "method", "version")

    def __init__(self) -> None:
        self.headers: Headers = []
        self.is_done = False
        self.keeps_alive = False
        self.method = ""
        self.version = ""
        self._url = b""
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)

    @property
    def target(self) -> bytes:
        return self._url

    def feed(self, data: bytes) -> None:
        assert self._parser is not None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return  # Offered upgrades are not taken; the request stands as it is (RFC 9110 section 7.8).
        except httptools.HttpParserError as error:
            self.close()
            raise Refused(400, f"malformed request: {error}") from error

    def close(self) -> None:
        """Parser and reader hold each other; without this every new head would be work for the collector."""
        self._parser = None

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        self.is_done = True
        self.keeps_alive = self._parser.should_keep_alive()
        self.version = self._parser.get_http_version()
        self.method = self._parser.get_method().decode("ascii")


def parse_head(raw: bytes, limits: Limits) -> Head:
    """The head made of exactly these bytes, up to and including the empty line."""
    reader = _HeadReader()
    _feed_within(reader, raw, 0, raw, limits)
    return _finish(reader, raw, limits)


def is_host(value: bytes) -> bool:
    """Whether this can be a host and a port, or nothing, as a Host header has it."""
    return _HOST.fullmatch(value) is not None


def _feed_within(reader: _HeadReader, piece: bytes, before: int, so_far: bytes | bytearray, limits: Limits) -> None:
    """Feed the next piece (at offset `before`) but nothing past a limit, so that how the bytes were split never
    decides which of two mistakes is reported."""
    allowed, status, what = limits.header_bytes, 431, "the header block"
    line_bytes = limits.url_bytes + 32  # The method and the version beside the URL.
    if len(so_far) > line_bytes and so_far.find(b"\r\n", 0, line_bytes + 2) < 0 and line_bytes < allowed:
        allowed, status, what = line_bytes, 414, "the request line"
    reader.feed(piece[: max(0, allowed - before)])
    if before + len(piece) > allowed:
        raise Refused(status, f"{what} is longer than {allowed} bytes")


def _finish(reader: _HeadReader, raw: bytes | bytearray, limits: Limits) -> Head:
    reader.close()
    if not reader.is_done:
        raise Refused(400, "malformed request: the header block ends too early")
    if reader.version not in ("1.1", "1.0"):
        raise Refused(505, f"HTTP/{reader.version} is not spoken here; HTTP/1.1 and HTTP/1.0 are")
    line_end = raw.find(b"\r\n")
    if raw.rfind(_SPOKEN, 0, line_end) != line_end - len(b" HTTP/1.1"):  # llhttp takes RTSP and ICE too
        raise Refused(400, "malformed request: the request line does not end in HTTP's version")
    if reader.method == "CONNECT":
        raise Refused(501, "CONNECT is not offered: this is not a proxy")
    if len(reader.headers) > limits.header_count:
        raise Refused(431, f"more than {limits.header_count} headers")
    decisive = [pair for pair in reader.headers if pair[0] in _DECISIVE]
    headers, path, query = _target(reader, decisive)
    length = _body_length(reader.version, decisive)
    if length > limits.body_bytes:
        raise Refused(413, f"the body of {length} bytes is larger than {limits.body_bytes} bytes")
    return Head(
        reader.method,
        path.decode("latin-1"),
        query,
        headers,
        length=length,
        keeps_alive=reader.keeps_alive,
        connection=_connection_line(reader),
        expects_continue=_expects_continue(reader.version, decisive),
        takes_chunks=reader.version != "1.0",
    )


def _target(reader: _HeadReader, decisive: Headers) -> tuple[Headers, bytes, bytes]:
    """Path and query, and the headers with the Host that counts (RFC 9112 sections 3.2 and 3.2.2)."""
    headers = reader.headers
    hosts = sum(1 for name, _ in decisive if name == b"host")
    if hosts != 1 and (hosts or reader.version == "1.1"):
        raise Refused(400, f"a request has one Host header; this one has {hosts}")
    target = reader.target.partition(b"#")[0]
    if b"://" in target and not target.startswith(b"/"):
        authority, slash, rest = target.partition(b"://")[2].partition(b"/")
        authority, mark, query = authority.partition(b"?")
        target = slash + rest if not mark else b"/?" + query + slash + rest
        headers = [(b"host", authority), *(pair for pair in headers if pair[0] != b"host")]
    if not all(is_host(value) for name, value in headers if name == b"host"):
        raise Refused(400, "a Host header that is no host")
    path, _, query = target.partition(b"?")
    return headers, path or b"/", query


def _connection_line(reader: _HeadReader) -> bytes:
    if not reader.keeps_alive:
        return b"Connection: close\r\n"
    return b"Connection: keep-alive\r\n" if reader.version == "1.0" else b""


def _body_length(version: str, decisive: Headers) -> int:
    """-1 for chunks. llhttp refuses most contradictions; those it leaves are refused here."""
    lengths = [value for name, value in decisive if name == b"content-length"]
    codings = [value for name, value in decisive if name == b"transfer-encoding"]
    if codings:
        if lengths:
            raise Refused(400, "both Transfer-Encoding and Content-Length")
        if version == "1.0":
            raise Refused(400, "Transfer-Encoding in an HTTP/1.0 request")
        if len(codings) > 1 or codings[0].lower() != b"chunked":
            raise Refused(501, "a Transfer-Encoding other than chunked")
        return -1
    if not lengths:
        return 0
    if len(lengths) > 1 or not lengths[0].isdigit() or len(lengths[0]) > 18:
        raise Refused(400, "Content-Length is not one decimal number")
    return int(lengths[0])


def _expects_continue(version: str, decisive: Headers) -> bool:
    wishes = [value.lower() for name, value in decisive if name == b"expect"]
    if not wishes or version == "1.0":
        return False
    if wishes != [b"100-continue"]:
        raise Refused(417, "an Expect other than 100-continue")
    return True


class RequestParser:
    """The requests of one connection.

    `feed` gives the requests that are whole now. When the bytes cannot be a request, `failure` says so, nothing
    after it is read, and the requests before it are still given. `wants_continue` is set while a client waits for
    "100 Continue" before it sends a body; whoever answers it clears it. `stream` is the body that is on its way to a
    handler which has its request already; only the handler bounds its size when it comes in chunks.
    """

    __slots__ = (
        "_body",
        "_chunks",
        "_head",
        "_limits",
        "_memory",
        "_missing",
        "_partial",
        "_reader",
        "_streams",
        "failure",
        "phase",
        "stream",
        "wants_continue",
    )

    def __init__(self, limits: Limits, memory: HeadMemory | None = None, streams: Streams | None = None) -> None:
        self.phase = Phase.IDLE
        self.failure: Refused | None = None
        self.wants_continue = False
        self.stream: BodyStream | None = None
        self._limits = limits
        self._memory = memory
        self._streams = streams
        self._reader: _HeadReader | None = None
        self._partial = bytearray()
        self._head: Head | None = None
        self._body: list[bytes] = []
        self._missing = 0
        self._chunks: ChunkedDecoder | None = None

    @property
    def body_bytes(self) -> int:
        """How much of a body that is not whole yet is held."""
        if self.stream is not None:
            return 0
        if self._chunks is not None:
            return self._chunks.size_bytes
        return self._head.length - self._missing if self._head is not None else 0

    def feed(self, data: bytes) -> Sequence[Request]:
        """The requests that these bytes complete."""
        if self.phase is Phase.IDLE and self._memory is not None:
            end = data.find(_END) + 4
            head = self._memory.get(data[:end])
            if head is not None and end + head.length == len(data):
                return (Request(head.method, head.path, head.query, head.headers, data[end:], head),)
        requests: list[Request] = []
        position = 0
        try:
            while position < len(data):
                position = self._step(data, position, requests)
        except (Refused, BadRequest, TooLarge) as error:
            self.failure = error if isinstance(error, Refused) else Refused(error.http, str(error))
            self.phase = Phase.OVER
        return requests

    def _step(self, data: bytes, position: int, requests: list[Request]) -> int:
        match self.phase:
            case Phase.IDLE:
                return self._start_head(data, position, requests)
            case Phase.HEAD:
                return self._continue_head(data, position, requests)
            case Phase.BODY:
                return self._read_body(data, position, requests)
            case Phase.OVER:
                return len(data)

    def _start_head(self, data: bytes, position: int, requests: list[Request]) -> int:
        # Empty lines before a request are ignored (RFC 9112 section 2.2).
        while position < len(data) and data[position] in _CR_LF:
            position += 1
        end = data.find(_END, position)
        if end >= 0:
            raw = data[position : end + 4]
            self._begin(self._known(raw), requests)
            return end + 4
        if position < len(data):
            self.phase = Phase.HEAD
            self._reader = _HeadReader()
            self._partial += data[position:]
            _feed_within(self._reader, data[position:], 0, self._partial, self._limits)
        return len(data)

    def _continue_head(self, data: bytes, position: int, requests: list[Request]) -> int:
        assert self._reader is not None
        before = len(self._partial)
        self._partial += data[position:]
        end = self._partial.find(_END, max(0, before - 3))
        if end < 0:
            _feed_within(self._reader, data[position:], before, self._partial, self._limits)
            return len(data)
        del self._partial[end + 4 :]
        used = end + 4 - before
        _feed_within(self._reader, data[position : position + used], before, self._partial, self._limits)
        head = _finish(self._reader, self._partial, self._limits)
        self._remember(bytes(self._partial), head)
        self._reader = None
        self._partial.clear()
        self._begin(head, requests)
        return position + used

    def _known(self, raw: bytes) -> Head:
        head = self._memory.get(raw) if self._memory is not None else None
        if head is None:
            head = parse_head(raw, self._limits)
            self._remember(raw, head)
        return head

    def _remember(self, raw: bytes, head: Head) -> None:
        if self._streams is not None:
            head.is_streamed = self._streams(head)
        if self._memory is not None:
            self._memory.remember(raw, head)

    def _begin(self, head: Head, requests: list[Request]) -> None:
        if head.is_streamed:
            self.stream = BodyStream()
            requests.append(Request(head.method, head.path, head.query, head.headers, b"", head, self.stream))
        if not head.length:
            self._emit(head, b"", requests)
            return
        self.phase = Phase.BODY
        self._head = head
        self._missing = head.length
        self.wants_continue = head.expects_continue
        if head.length < 0:
            limits = self._limits
            body_bytes = limits.body_bytes if self.stream is None else sys.maxsize
            self._chunks = ChunkedDecoder(body_bytes=body_bytes, trailer_bytes=limits.header_bytes)

    def _read_body(self, data: bytes, position: int, requests: list[Request]) -> int:
        assert self._head is not None
        self.wants_continue = False  # It did not wait.
        if self._chunks is not None:
            position = self._chunks.feed(data, position)
            if self.stream is not None:
                self.stream.feed(self._chunks.take())
            if self._chunks.is_done:
                self._emit(self._head, self._chunks.body(), requests)
            return position
        piece = data[position : position + self._missing]
        self._missing -= len(piece)
        if self.stream is not None:
            self.stream.feed(piece)
        else:
            self._body.append(piece)
        if not self._missing:
            self._emit(self._head, piece if len(self._body) == 1 else b"".join(self._body), requests)
        return position + len(piece)

    def _emit(self, head: Head, body: bytes, requests: list[Request]) -> None:
        """The body is whole."""
        if self.stream is not None:
            stream, self.stream = self.stream, None
            stream.finish()
        else:
            requests.append(Request(head.method, head.path, head.query, head.headers, body, head))
        if self.phase is not Phase.OVER:  # as it may be when the last piece of a stream brought its answer
            self.phase = Phase.IDLE if head.keeps_alive else Phase.OVER
        self._head = self._chunks = None
        self._body = []
