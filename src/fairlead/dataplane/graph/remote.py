"""Calls to a unit in another process: pooled keep-alive HTTP/1.1 connections, bytes in and bytes out.

It knows nothing of payloads. Failures carry the sentences clients of Seldon's orchestrator know (specs 3.8), which
are those of Go's HTTP client.
"""

import asyncio
import errno
import os
from collections.abc import Coroutine
from typing import Any, NamedTuple

import httptools

from fairlead.dataplane.graph.driving import Later
from fairlead.errors import UnitFailed

_MOST_IDLE = 32


class Answer(NamedTuple):
    """A peer's whole answer; header names are lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class PeerFailed(UnitFailed):
    """A peer that gave no answer."""


class _TooLong(Exception):
    """The peer's answer passes the limit."""


class _Connection(asyncio.Protocol):
    """One connection with at most one request under way."""

    def __init__(self, limit_bytes: int) -> None:
        self.is_open = False
        self.has_answered = False
        """Whether any byte of the current answer came."""
        self._limit_bytes = limit_bytes
        self._waiter: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # a stream's transport is one
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._fail(exc or EOFError("EOF"))

    def data_received(self, data: bytes) -> None:
        self.has_answered = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            self._fail(error.__context__ if isinstance(error.__context__, Exception) else error)
        except (httptools.HttpParserError, AttributeError) as error:
            self._fail(error)

    async def send(self, head: bytes, body: bytes) -> Answer:
        """Send one request and wait for its answer."""
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._pieces: list[bytes] = []
        self._size = 0
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

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit_bytes:
            raise _TooLong(f"the answer is longer than {self._limit_bytes} bytes")
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._headers.clear()
            return
        if not self._parser.should_keep_alive():
            self.is_open = False
            self._transport.close()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(Answer(status, self._headers, b"".join(self._pieces)))

    def _fail(self, error: Exception) -> None:
        self.close()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)


class Peer:
    """One unit's address. All calls must come from the loop's thread."""

    def __init__(self, host: str, port: int, *, base: str = "", limit_bytes: int) -> None:
        self.url = f"http://{host}:{port}{base}"
        self._host = host
        self._port = port
        self._base = base
        self._limit_bytes = limit_bytes
        self._idle: list[_Connection] = []
        self._calls: set[asyncio.Task[Answer]] = set()

    def call(
        self,
        method: str,
        path: str,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        *,
        timeout_s: float | None,
    ) -> Later[Answer]:
        """Ask the peer. Fails with `PeerFailed` when no answer comes."""
        return self._own(self._ask(method, path, headers, body, timeout_s))

    def close(self) -> None:
        """Drop every connection; calls under way fail."""
        for task in self._calls:
            task.cancel()
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _own(self, ask: Coroutine[Any, Any, Answer]) -> Later[Answer]:
        later: Later[Answer] = Later()
        task = asyncio.get_running_loop().create_task(ask)
        self._calls.add(task)

        def finish(task: asyncio.Task[Answer]) -> None:
            self._calls.discard(task)
            if task.cancelled():
                later.fail(PeerFailed("the worker is stopping"))
            elif (error := task.exception()) is not None:
                later.fail(error if isinstance(error, Exception) else PeerFailed(repr(error)))
            else:
                later.resolve(task.result())

        task.add_done_callback(finish)
        return later

    async def _ask(
        self, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes, timeout_s: float | None
    ) -> Answer:
        what = f'{method.capitalize()} "{self.url}{path}"'
        head = self._head(method, path, headers, body)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(head, body)
        except TimeoutError as error:
            raise PeerFailed(
                f"{what}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            ) from error
        except OSError as error:
            raise PeerFailed(f"{what}: {self._in_words(error)}") from error
        except (EOFError, _TooLong) as error:
            raise PeerFailed(f"{what}: {error}") from error
        except (httptools.HttpParserError, AttributeError) as error:
            raise PeerFailed(f"{what}: net/http: HTTP/1.x transport connection broken: malformed HTTP response") from (
                error
            )

    async def _exchange(self, head: bytes, body: bytes) -> Answer:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_open:
                continue
            try:
                return await self._send(connection, head, body)
            except (OSError, EOFError):
                # The peer closed an idle connection while we picked it: nothing was answered, so ask again.
                if connection.has_answered:
                    raise
        return await self._send(await self._connect(), head, body)

    async def _send(self, connection: _Connection, head: bytes, body: bytes) -> Answer:
        try:
            answer = await connection.send(head, body)
        except BaseException:
            connection.close()
            raise
        if connection.is_open and len(self._idle) < _MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: _Connection(self._limit_bytes), self._host, self._port)
        return connection

    def _head(self, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
        lines = [f"{method} {self._base}{path} HTTP/1.1\r\nHost: {self._host}:{self._port}".encode()]
        lines += [name + b": " + value for name, value in headers]
        lines.append(b"Content-Length: %d\r\n\r\n" % len(body))
        return b"\r\n".join(lines)

    def _in_words(self, error: OSError) -> str:
        if isinstance(error, ConnectionResetError | BrokenPipeError):
            return "EOF"
        code = error.errno
        if code in errno.errorcode:
            assert code is not None
            return f"dial tcp {self._host}:{self._port}: connect: {os.strerror(code).lower()}"
        return f"dial tcp: lookup {self._host}: {error}"
