"""HTTP/1.1 to a pod: one connection, one request at a time, its answer whole or in pieces.

An answer whose length is said and small arrives whole, any other as it comes, no faster than its client takes it.
"""

import asyncio
from typing import Protocol, cast

import httptools

from fairlead.backends.local.gateway.link import Passenger
from fairlead.protocols.body_stream import BodyStream
from fairlead.protocols.exchange import Head, Headers, Response

_WHOLE_BYTES = 256 * 1024
_BODILESS = frozenset({204, 304})
_OF_CONNECTIONS = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"content-length", b"trailer", b"date"}
)


class Owner(Protocol):
    """The link that an exchange belongs to. It is told when its request is answered, and of the connection's end."""

    def answered(self, exchange: "Exchange") -> None: ...
    def ended(self, exchange: "Exchange", *, was_heard: bool) -> None: ...


class PodAnswer(BodyStream):
    """An answer's body in pieces. HTTP/1.1 has no trailers that anybody reads."""

    __slots__ = ("trailers",)

    def __init__(self) -> None:
        super().__init__()
        self.trailers = b""


def request_bytes(head: Head, body: bytes) -> bytes:
    """A request as it is sent."""
    target = head.path.encode("latin-1") + (b"?" + head.query if head.query else b"")
    lines = [b"%b %b HTTP/1.1" % (head.method.encode("ascii"), target)]
    lines += [b"%b: %b" % pair for pair in head.headers if pair[0] != b"content-length"]
    if body or head.method not in ("GET", "HEAD"):
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join((*lines, b"", body))


def header_lines(headers: Headers) -> bytes:
    """An answer's headers for whoever writes it on."""
    return b"".join(b"%b: %b\r\n" % pair for pair in headers if pair[0] not in _OF_CONNECTIONS)


class Exchange(asyncio.Protocol):
    """A connection. `id` is that of the request it carries, 0 while it is idle."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._passenger: Passenger | None = None
        self._reset()
        self.id = 0
        self.is_open = True

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = []
        self._pieces: list[bytes] = []
        self._source: PodAnswer | None = None
        self._status = 0
        self._has_length = False
        self._is_bodiless = False
        self._was_heard = False

    def ask(self, id: int, passenger: Passenger, head: Head, body: bytes) -> None:
        """Send a request."""
        self._reset()
        self.id, self._passenger = id, passenger
        self._is_bodiless = head.method == "HEAD"
        assert self._transport is not None
        self._transport.write(request_bytes(head, body))

    def close(self) -> None:
        """Hang up; nobody is told."""
        self.is_open = False
        self._passenger = None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._passenger is None:
            self.close()  # nobody asked
            return
        self._was_heard = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        is_until_end = exc is None and self._status and not self._has_length  # RFC 9112 section 6.3
        if self._passenger is not None and is_until_end:
            self.is_open = False
            self._finish()
        else:
            self._end()

    # What the parser finds.

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._headers = []
            return
        self._status = status
        length = next((value for name, value in self._headers if name == b"content-length"), b"")
        self._has_length = bool(length) or any(name == b"transfer-encoding" for name, _ in self._headers)
        self._is_bodiless = self._is_bodiless or status in _BODILESS
        if self._is_bodiless:
            # The parser does not know what was asked, and would wait for a body after a HEAD.
            self.is_open = self.is_open and status in _BODILESS
            if not self.is_open:
                self._finish()
        elif not (length.isdigit() and int(length) <= _WHOLE_BYTES):
            self._begin()

    def on_body(self, piece: bytes) -> None:
        if self._source is not None:
            self._source.feed(piece)
        else:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        if self._status:
            self.is_open = self.is_open and self._parser.should_keep_alive()
            self._finish()

    # What becomes of the request.

    def _begin(self) -> None:
        passenger = self._passenger
        if passenger is None:
            return
        source = self._source = PodAnswer()

        def flow() -> None:
            if self._transport is not None and self._source is source:
                (self._transport.pause_reading if source.is_waiting else self._transport.resume_reading)()

        source.on_flow = flow
        passenger.began(self._status, header_lines(self._headers), source)

    def _finish(self) -> None:
        """The answer is whole."""
        passenger, self._passenger = self._passenger, None
        source, self._source = self._source, None
        if self._transport is not None:
            self._transport.resume_reading()
        if passenger is None:
            return
        self._owner.answered(self)
        if source is not None:
            source.finish()
        else:
            passenger.arrived(Response(self._status, header_lines(self._headers), b"".join(self._pieces)))

    def _end(self) -> None:
        """The connection is of no more use."""
        passenger, self._passenger = self._passenger, None
        source, self._source = self._source, None
        was_open, self.is_open = self.is_open, False
        if self._transport is not None:
            self._transport.abort()
        if was_open or passenger is not None:
            self._owner.ended(self, was_heard=self._was_heard)
        if passenger is not None:
            passenger.broken() if source is not None else passenger.lost(was_sent=True)
