"""Asking another service from coroutines: many calls at once on one event loop, none of which takes a thread.

Connections belong to the loop that made them, since a user's code may run a loop of its own.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import httptools

from fairlead.protocols import jsontext
from fairlead.runtimes.peer_connection import Answer, Connection, TooLong
from fairlead.runtimes.upstream import Place, read_json, travelling, unreachable

_MOST_IDLE = 64
_LIMIT_BYTES = 1024**3
_Loop = asyncio.AbstractEventLoop


class AsyncCaller:
    """Asks one place."""

    def __init__(self, place: Place) -> None:
        self.place = place
        host, slash, prefix = place.host.partition("/")
        self._authority = host
        self._prefix = f"/{prefix.rstrip('/')}" if slash else ""
        self._idle: WeakKeyDictionary[_Loop, list[Connection]] = WeakKeyDictionary()
        self._tls = ssl.create_default_context() if place.is_tls and not place.socket else None

    async def post_json(self, path: str, value: Any, headers: Mapping[str, str]) -> Any:
        """The JSON that it answers to JSON. Raises as `Caller.post_json`."""
        body = jsontext.compact(value)
        lines = "".join(f"{name}: {said}\r\n" for name, said in travelling(headers, self.place.headers).items())
        head = (
            f"POST {self._prefix}{path} HTTP/1.1\r\nHost: {self._authority}\r\n{lines}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        answer = await self._answered(head.encode("latin-1", "replace"), body)
        return read_json(self.place, path, answer.status, answer.headers.get(b"retry-after"), answer.body)

    def close(self) -> None:
        """Let go of the running loop's connections."""
        for connection in self._idle.pop(asyncio.get_running_loop(), ()):
            connection.close()

    async def _answered(self, head: bytes, body: bytes) -> Answer:
        place = self.place
        for attempt in range(place.retries + 1):
            try:
                async with asyncio.timeout(place.timeout_s):
                    return await self._exchange(head, body)
            except (OSError, EOFError, TooLong, httptools.HttpParserError, AttributeError) as error:
                if attempt == place.retries:
                    raise unreachable(place, error) from error
        raise AssertionError("a call is answered or raises")

    async def _exchange(self, head: bytes, body: bytes) -> Answer:
        idle = self._idle.setdefault(asyncio.get_running_loop(), [])
        while idle:
            kept = idle.pop()
            if kept.is_quiet:
                return await self._send(kept, head, body, idle)
            kept.close()
        return await self._send(await self._connected(), head, body, idle)

    async def _send(self, connection: Connection, head: bytes, body: bytes, idle: list[Connection]) -> Answer:
        try:
            answer = await connection.send(head, body)
        except BaseException:
            connection.close()
            raise
        if connection.is_open and len(idle) < _MOST_IDLE:
            idle.append(connection)
        else:
            connection.close()
        return answer

    async def _connected(self) -> Connection:
        loop, place = asyncio.get_running_loop(), self.place

        def made() -> Connection:
            return Connection(_LIMIT_BYTES)

        if place.socket:
            return (await loop.create_unix_connection(made, place.socket))[1]
        name, port = _host_and_port(self._authority, 443 if place.is_tls else 80)
        return (await loop.create_connection(made, name, port, ssl=self._tls))[1]


class AsyncCallers:
    """One caller for each place, kept for as long as the process lives."""

    def __init__(self) -> None:
        self._callers: dict[Place, AsyncCaller] = {}

    def of(self, place: Place) -> AsyncCaller:
        """The caller of a place."""
        found = self._callers.get(place)
        return self._callers.setdefault(place, AsyncCaller(place)) if found is None else found


def _host_and_port(authority: str, usual: int) -> tuple[str, int]:
    name, colon, port = authority.rpartition(":")
    if not colon or "]" in port:
        return authority.strip("[]"), usual
    return name.strip("[]"), int(port)
