"""Large bodies between a connection's socket and a buffer or file, moved by threads: neither the parser of HTTP nor the
event loop sees them, and nothing is copied that need not be.

The transport keeps the socket. For the time of a body it does not read, and what it had to send is sent; a duplicate of
the descriptor is read and written meanwhile.
"""

import asyncio
import os
import select
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from fairlead.registry.api.direct import EXTENSION
from fairlead.storage.blobs.streams import in_thread

# uvicorn stops reading at 64 KiB, which is less than one read: a large body then costs a turn of the loop for each, and
# on a busy machine a wait for each turn.
_BODY_AHEAD_BYTES = 1024 * 1024
_SLICE_BYTES = 16 * 1024 * 1024
# A thread that waits any longer for the other side gives its place to others.
_PATIENCE_MS = 2
_GATHERED_FOR_S = 5.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class DirectProtocol(HttpToolsProtocol):
    """uvicorn's protocol, reading further ahead of whoever takes a body, and offering the socket for large ones."""

    _received = 0
    _unwanted = 0

    def data_received(self, data: bytes) -> None:
        """As inherited, without what is left of a body that nobody wanted to its end."""
        if self._unwanted:
            skipped = min(self._unwanted, len(data))
            self._unwanted -= skipped
            data = data[skipped:]
        if data:
            super().data_received(data)

    def on_headers_complete(self) -> None:
        """As inherited, with the offer. TLS and bodies of unknown length go the usual way."""
        super().on_headers_complete()
        self._received = 0
        if self.scheme == "http" and self.cycle is not None and self.cycle.scope is self.scope:
            cast(Any, self.scope)["extensions"] = {EXTENSION: _Direct(self, self.cycle, _length(self.headers))}

    def on_body(self, body: bytes) -> None:
        """As inherited, but for the limit."""
        self._received += len(body)
        super().on_body(body)
        if self.flow.read_paused and len(self.cycle.body) <= _BODY_AHEAD_BYTES:
            self.flow.resume_reading()

    def take_over(self, length: int) -> None:
        """From here on the body is read by somebody else, who says how much; what is not read is passed over."""
        self.flow.pause_reading()
        self._unwanted = length - self._received
        # The old one would wait for the rest for ever.
        self.parser = httptools.HttpRequestParser(self)

    def took(self, count: int) -> None:
        """So many bytes of it were read."""
        self._unwanted -= count

    @property
    def left(self) -> int:
        """What of it was not read yet."""
        return self._unwanted


class _Direct:
    """See `registry.api.direct.Direct`."""

    def __init__(self, protocol: DirectProtocol, cycle: RequestResponseCycle, length: int | None) -> None:
        self._protocol = protocol
        self._cycle = cycle
        self._length = length

    def pieces(self, size: int) -> AsyncIterator[bytes]:
        return self._crumbs() if self._length is None or not self._cycle.more_body else self._pieces(size, self._length)

    async def pour(self, file: int, start: int, count: int) -> bool:
        if count > self._cycle.expected_content_length:
            raise RuntimeError("the answer's content is longer than its Content-Length")
        with self._socket() as sock:
            await self._flushed()
            while count and not self._cycle.disconnected:
                try:
                    sent = await in_thread(_send, sock, file, start, min(count, _SLICE_BYTES))
                except ConnectionError:
                    self._cycle.disconnected = True
                    self._protocol.transport.abort()
                    break
                start, count = start + sent, count - sent
                self._cycle.expected_content_length -= sent
                if count and not sent:
                    await _ready(sock, writing=True)
        return not count

    async def _crumbs(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = cast(dict[str, Any], await self._cycle.receive())
            if message["type"] == "http.disconnect":
                raise ConnectionError("the client has gone")
            more = message["more_body"]
            yield message["body"]

    async def _pieces(self, size: int, length: int) -> AsyncIterator[bytes]:
        cycle, protocol = self._cycle, self._protocol
        with self._socket() as sock:
            if cycle.waiting_for_100_continue:
                protocol.transport.write(_CONTINUE)
                cycle.waiting_for_100_continue = False
            protocol.take_over(length)
            first, cycle.body, cycle.more_body = bytes(cycle.body), bytearray(), False
            try:
                if first:
                    yield first
                while protocol.left:
                    yield await _piece(sock, min(size, protocol.left), protocol.took)
            finally:
                protocol.flow.resume_reading()

    async def _flushed(self) -> None:
        """Return when the transport has sent what it was given, such as the head of this answer."""
        transport = self._protocol.transport
        transport.set_write_buffer_limits(high=0)
        await self._protocol.flow.drain()
        transport.set_write_buffer_limits()

    @contextmanager
    def _socket(self) -> Iterator[socket.socket]:
        if self._cycle.disconnected:
            raise ConnectionError("the client has gone")
        own = self._protocol.transport.get_extra_info("socket")
        with socket.socket(fileno=os.dup(own.fileno())) as sock:
            yield sock


async def _piece(sock: socket.socket, size: int, took: Callable[[int], None]) -> bytes:
    """The next bytes: as many as asked for, or those that came in the time a piece may take."""
    buffer, filled, began = memoryview(bytearray(size)), 0, time.monotonic()
    while True:
        filled += await in_thread(_fill, sock, buffer[filled:], took)
        if filled == size or (filled and time.monotonic() - began > _GATHERED_FOR_S):
            # To whoever writes or hashes it, it is as good as bytes, and a copy would cost more than either.
            return cast(bytes, buffer[:filled])
        await _ready(sock, writing=False)


def _fill(sock: socket.socket, buffer: memoryview, took: Callable[[int], None]) -> int:
    """Read until the buffer is full or nothing more comes at once; gives how much came."""
    filled = 0
    while filled < len(buffer):
        try:
            count = sock.recv_into(buffer[filled:])
        except BlockingIOError:
            if not _polled(sock, select.POLLIN):
                break
            continue
        if not count:
            raise ConnectionError("the client has gone")
        # Said here, since who waits for this may be cancelled.
        took(count)
        filled += count
    return filled


def _send(sock: socket.socket, file: int, start: int, count: int) -> int:
    """Send until all is sent or nothing more is taken at once; gives how much was."""
    sent = 0
    while sent < count:
        try:
            moved = os.sendfile(sock.fileno(), file, start + sent, count - sent)
        except BlockingIOError:
            if not _polled(sock, select.POLLOUT):
                break
            continue
        if not moved:
            raise OSError("the file is shorter than it was")
        sent += moved
    return sent


def _polled(sock: socket.socket, what: int) -> bool:
    poll = select.poll()
    poll.register(sock, what)
    return bool(poll.poll(_PATIENCE_MS))


async def _ready(sock: socket.socket, *, writing: bool) -> None:
    """Return when the socket takes or has something, for as long as that may be."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    add, remove = (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)
    add(sock, _settle(ready))
    try:
        await ready
    finally:
        remove(sock)


def _settle(ready: "asyncio.Future[None]") -> Callable[[], None]:
    return lambda: None if ready.done() else ready.set_result(None)


def _length(headers: list[tuple[bytes, bytes]]) -> int | None:
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None
