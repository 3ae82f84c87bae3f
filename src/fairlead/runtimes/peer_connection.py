"""One HTTP/1.1 connection to a service in another process, with at most one request under way.

It trusts the peer with nothing: bytes that nobody asked for end the connection, since they would be taken for the
answer to the next question.
"""

import asyncio
import select
from typing import NamedTuple

import httptools


class Answer(NamedTuple):
    """A peer's whole answer; header names are lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class TooLong(Exception):
    """The peer's answer passes the limit."""


class Connection(asyncio.Protocol):
    """A connection that was made. `has_answered` says whether any byte of the current answer came."""

    def __init__(self, limit_bytes: int) -> None:
        self.is_open = False
        self.has_answered = False
        self._limit_bytes = limit_bytes
        self._waiter: asyncio.Future[Answer] | None = None
        self._ends_with_connection = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # a stream's transport is one
        self.is_open = True
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if exc is None and self._ends_with_connection and self._is_waited_for:
            self.on_message_complete()
        self._fail(exc or EOFError("EOF"))

    def data_received(self, data: bytes) -> None:
        if not self._is_waited_for:
            self.close()
            return
        self.has_answered = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            self._fail(error.__context__ if isinstance(error.__context__, Exception) else error)
        except (httptools.HttpParserError, AttributeError) as error:
            self._fail(error)

    @property
    def is_quiet(self) -> bool:
        """Whether the peer neither closed it nor said anything since its last answer, as the kernel knows it: what is
        found out here, before a byte is sent, is a reason to take another connection and no failure."""
        return self.is_open and not self._poll.poll(0)

    async def send(self, head: bytes, body: bytes) -> Answer:
        """Send one request and wait for its answer."""
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._pieces: list[bytes] = []
        self._size = 0
        self._ends_with_connection = False
        self.has_answered = False
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(head + body)
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def close(self) -> None:
        """Drop the connection."""
        if self.is_open:
            self.is_open = False
            self._transport.abort()

    @property
    def _is_waited_for(self) -> bool:
        return self._waiter is not None and not self._waiter.done()

    def on_message_begin(self) -> None:
        if not self._is_waited_for:
            self.close()  # more than one answer

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        # RFC 9112 section 6.3: an answer of no stated length ends with its connection.
        self._ends_with_connection = (
            self._parser.get_status_code() >= 200
            and b"content-length" not in self._headers
            and b"transfer-encoding" not in self._headers
        )

    def on_body(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit_bytes:
            raise TooLong(f"the answer is longer than {self._limit_bytes} bytes")
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._headers.clear()
            return
        if self.is_open and not self._parser.should_keep_alive():
            self.is_open = False
            self._transport.close()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(Answer(status, self._headers, b"".join(self._pieces)))

    def _fail(self, error: Exception) -> None:
        self.close()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
