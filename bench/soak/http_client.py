"""A client of HTTP/1.1 that shows what is on the wire: pieces, pipelines, and connections that are cut on purpose."""

import asyncio
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

ANSWER_S = 50.0
"""No request may be without an answer longer: the gateway lets them wait for 30 s, models work for 2."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    def json(self) -> Any:
        """Its body."""
        return orjson.loads(self.body)


def post(path: str, body: bytes, *headers: bytes, content_type: bytes = b"application/json") -> bytes:
    """A request with a length."""
    lines = b"".join(header + b"\r\n" for header in headers)
    start = f"POST {path} HTTP/1.1\r\nHost: soak\r\nContent-Length: {len(body)}\r\n".encode()
    return start + b"Content-Type: " + content_type + b"\r\n" + lines + b"\r\n" + body


def post_in_chunks(path: str, pieces: Iterable[bytes]) -> bytes:
    """A request whose body has no length."""
    start = f"POST {path} HTTP/1.1\r\nHost: soak\r\nTransfer-Encoding: chunked\r\n".encode()
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return start + b"Content-Type: application/json\r\n\r\n" + body + b"0\r\n\r\n"


class Http1:
    """One connection, kept as long as the server keeps it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, request: bytes) -> Answer:
        """Send a request, give its answer."""
        async with asyncio.timeout(ANSWER_S):
            await self.send(request)
            return await self._receive()

    async def ask_all(self, requests: list[bytes]) -> list[Answer]:
        """Send them in one piece; their answers in the order they came."""
        async with asyncio.timeout(ANSWER_S):
            await self.send(b"".join(requests))
            return [await self._receive() for _ in requests]

    async def send(self, data: bytes) -> None:
        """Write bytes, connecting first where there is no connection."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self, limit_s: float = ANSWER_S) -> Answer:
        """The next answer."""
        async with asyncio.timeout(limit_s):
            return await self._receive()

    def cut(self, *, resets: bool = False) -> None:
        """Hang up now, with a reset or without."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is None:
            return
        if resets:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        else:
            writer.close()

    async def _receive(self) -> Answer:
        reader = self._reader
        assert reader is not None
        head = await reader.readuntil(b"\r\n\r\n")
        line, *lines = head[:-4].split(b"\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(b":") for one in lines)}
        status = int(line.split(b" ", 2)[1])
        if headers.get(b"transfer-encoding") == b"chunked":
            body = await _chunks(reader)
        else:
            body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
        if headers.get(b"connection", b"").lower() == b"close":
            self.cut()
        return Answer(status, headers, body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    pieces = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        pieces.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(pieces)
