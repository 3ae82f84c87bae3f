"""Calls to a unit in another process: pooled keep-alive HTTP/1.1 connections, bytes in and bytes out.

It knows nothing of payloads. A request is sent a second time only when the first can have done nothing: nobody
listened, or an idle connection turned out to be closed before a byte went out. Once a POST is on its way its peer may
have acted on it, whatever becomes of the connection; a GET may be repeated while nothing was answered. Failures carry
the sentences clients of Seldon's orchestrator know, which are those of Go's HTTP client.
"""

import asyncio
import errno
import os
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import httptools

from fairlead.dataplane.graph.driving import Later
from fairlead.dataplane.graph.passed_answer import Hearer, PassedAnswer
from fairlead.errors import GrpcCode, UnitFailed
from fairlead.runtimes.peer_connection import Answer, Connection, TooLong

if TYPE_CHECKING:
    import ssl

__all__ = ["Answer", "Peer", "PeerFailed"]

_MOST_IDLE = 32
_ATTEMPTS = 3
_PAUSE_S = 0.05
_REPEATABLE = frozenset(("GET", "HEAD"))


class PeerFailed(UnitFailed):
    """A peer that gave no answer."""

    def __init__(self, words: str, code: GrpcCode = UnitFailed.grpc) -> None:
        super().__init__(words)
        self.grpc = code


class _Asking(Later[Answer]):
    """A call under way."""

    __slots__ = ("task",)

    def __init__(self, task: asyncio.Task[Answer]) -> None:
        super().__init__()
        self.task = task

    def abandon(self, error: Exception) -> None:
        """Hang up, as HTTP/1.1 has no other word for it: the peer may notice, and spare itself the work."""
        super().abandon(error)
        self.task.cancel()


class Peer:
    """One unit's address. All calls must come from the loop's thread."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        base: str = "",
        limit_bytes: int,
        tls: "ssl.SSLContext | None" = None,
        authority: str = "",
        socket: str = "",
    ) -> None:
        """`authority` is the Host to name when it is not just the address. `socket` is the Unix socket to connect to
        instead of the host, whose name is then for the peer alone."""
        self._socket = socket
        self._authority = authority or (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        self.url = f"{'http' if tls is None else 'https'}://{self._authority}{base}"
        self._host = host
        self._port = port
        self._base = base
        self._limit_bytes = limit_bytes
        self._tls = tls
        self._idle: list[Connection] = []
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

    async def pass_on(
        self, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes, hearer: Hearer
    ) -> PassedAnswer:
        """Ask on a connection of its own and hand the answer on as it comes. Raises `OSError` when nobody listens."""
        loop = asyncio.get_running_loop()
        answer = PassedAnswer(hearer)
        if self._socket:
            await loop.create_unix_connection(lambda: answer, self._socket)
        else:
            await loop.create_connection(lambda: answer, self._host, self._port, ssl=self._tls)
        answer.ask(self._head(method, path, [*headers, (b"connection", b"close")], body) + body)
        return answer

    def close(self) -> None:
        """Drop every connection; calls under way fail."""
        for task in self._calls:
            task.cancel()
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _own(self, ask: Coroutine[Any, Any, Answer]) -> Later[Answer]:
        task = asyncio.get_running_loop().create_task(ask)
        later = _Asking(task)
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
        what = f'{method.capitalize()} "{self.url}{path.partition("?")[0]}"'  # a query may hold a secret
        head = self._head(method, path, headers, body)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(head, body, is_repeatable=method in _REPEATABLE)
        except TimeoutError as error:
            raise PeerFailed(
                f"{what}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
                GrpcCode.DEADLINE_EXCEEDED,
            ) from error
        except OSError as error:
            raise PeerFailed(f"{what}: {self._in_words(error)}", GrpcCode.UNAVAILABLE) from error
        except EOFError as error:
            raise PeerFailed(f"{what}: {error}", GrpcCode.UNAVAILABLE) from error
        except TooLong as error:
            raise PeerFailed(f"{what}: {error}", GrpcCode.RESOURCE_EXHAUSTED) from error
        except (httptools.HttpParserError, AttributeError) as error:
            raise PeerFailed(f"{what}: net/http: HTTP/1.x transport connection broken: malformed HTTP response") from (
                error
            )

    async def _exchange(self, head: bytes, body: bytes, *, is_repeatable: bool) -> Answer:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_quiet:
                connection.close()
                continue
            try:
                return await self._send(connection, head, body)
            except (OSError, EOFError):
                if not is_repeatable or connection.has_answered:
                    raise
        return await self._send(await self._connect(), head, body)

    async def _send(self, connection: Connection, head: bytes, body: bytes) -> Answer:
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

    async def _connect(self) -> Connection:
        for attempt in range(1, _ATTEMPTS):
            try:
                return await self._dial()
            except (ConnectionRefusedError, FileNotFoundError):
                await asyncio.sleep(attempt * _PAUSE_S)  # A unit that starts again is back in a moment.
        return await self._dial()

    async def _dial(self) -> Connection:
        loop = asyncio.get_running_loop()
        if self._socket:
            _, connection = await loop.create_unix_connection(lambda: Connection(self._limit_bytes), self._socket)
        else:
            _, connection = await loop.create_connection(
                lambda: Connection(self._limit_bytes), self._host, self._port, ssl=self._tls
            )
        return connection

    def _head(self, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
        lines = [f"{method} {self._base}{path} HTTP/1.1\r\nHost: {self._authority}".encode()]
        lines += [name + b": " + value for name, value in headers]
        lines.append(b"Content-Length: %d\r\n\r\n" % len(body))
        return b"\r\n".join(lines)

    def _in_words(self, error: OSError) -> str:
        if isinstance(error, ConnectionResetError | BrokenPipeError):
            return "EOF"
        if (
            unverified := getattr(error, "verify_message", None)
        ) is not None:  # of a TLS error, whose errno means nothing
            return f"tls: failed to verify certificate: {unverified}"
        code = error.errno
        if code in errno.errorcode:
            assert code is not None
            where = self._authority if self._socket else f"{self._host}:{self._port}"
            return f"dial tcp {where}: connect: {os.strerror(code).lower()}"
        return f"dial tcp: lookup {self._host}: {error}"
