"""A client that writes bytes and reads answers, with nothing clever between a test and the wire."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple


class Received(NamedTuple):
    """One answer as it came."""

    status: int
    phrase: str
    headers: dict[str, str]
    body: bytes


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def receive(self, *, has_body: bool = True) -> Received:
        """The next answer; `has_body=False` for the answer to a HEAD."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")[:-2]
        _, status, phrase = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0")) if has_body else 0
        return Received(int(status), phrase, headers, await self.reader.readexactly(length))

    async def ask(self, data: bytes) -> Received:
        await self.send(data)
        return await self.receive()

    async def rest(self) -> bytes:
        """Everything until the server hangs up."""
        return await self.reader.read()


@asynccontextmanager
async def wire_to(port: int, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    """A connection to a port of this machine."""
    name = "localhost" if tls is not None else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):  # The server may have cut the connection.
            await writer.wait_closed()


def post(path: str, body: bytes = b"", *headers: str) -> bytes:
    """A POST as most clients write it."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def get(path: str, *headers: str) -> bytes:
    """A GET as most clients write it."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()
