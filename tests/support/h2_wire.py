"""An HTTP/2 client that sends frames made by hand and shows every frame that comes back."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import hpack

from support.h2_frames import DATA, END_STREAM, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, Seen, frame, read_frames


class Answered(NamedTuple):
    """What came on one stream until it ended. `reset` is the code it was reset with, -1 for none."""

    headers: dict[str, str]
    body: bytes
    trailers: dict[str, str]
    reset: int

    @property
    def outcome(self) -> str:
        """A call's grpc-status, wherever it stood."""
        return self.trailers.get("grpc-status", self.headers.get("grpc-status", ""))


class H2Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.frames: list[Seen] = []
        self._rest = b""
        self._decoder = hpack.Decoder()
        self._headers: dict[int, list[dict[str, str]]] = {}

    async def send(self, *data: bytes) -> None:
        self.writer.write(b"".join(data))
        await self.writer.drain()

    async def more(self) -> bool:
        """Read once; False at the end."""
        data = await self.reader.read(1 << 20)
        seen, self._rest = read_frames(self._rest + data)
        self.frames += seen
        for one in seen:
            if one.kind == HEADERS:
                pairs = {str(name): str(value) for name, value in self._decoder.decode(one.payload)}
                self._headers.setdefault(one.stream, []).append(pairs)
        return bool(data)

    async def wait(self, kind: int, stream: int = 0) -> Seen:
        """The next frame of that kind, and forget what came before it."""
        while True:
            for index, one in enumerate(self.frames):
                if one.kind == kind and one.stream == stream:
                    del self.frames[: index + 1]
                    return one
            assert await self.more(), f"the connection ended without a frame of kind {kind}"

    async def answer(self, stream: int) -> Answered:
        """Everything on a stream, when it has ended."""
        while not any(self._is_last(one) for one in self.frames if one.stream == stream):
            assert await self.more(), f"the connection ended before stream {stream} did"
        mine = [one for one in self.frames if one.stream == stream]
        headers, *trailers = self._headers.get(stream, [{}])
        reset = next((one.number for one in mine if one.kind == RST_STREAM), -1)
        body = b"".join(one.payload for one in mine if one.kind == DATA)
        return Answered(headers, body, trailers[-1] if trailers else {}, reset)

    async def settle(self) -> None:
        """Wait until everything that was sent has been looked at."""
        await self.send(frame(PING, 0, 0, b"settled?"))
        while (await self.wait(PING)).payload != b"settled?":
            pass

    async def rest(self) -> list[Seen]:
        """All frames until the server hangs up."""
        while await self.more():
            pass
        return self.frames

    @staticmethod
    def _is_last(one: Seen) -> bool:
        return one.kind == RST_STREAM or (one.kind in (DATA, HEADERS) and bool(one.flags & END_STREAM))


@asynccontextmanager
async def h2_wire_to(
    port: int, *, tls: ssl.SSLContext | None = None, greeting: bytes = PREFACE + frame(SETTINGS, 0, 0)
) -> AsyncIterator[H2Wire]:
    """A connection to a port of this machine."""
    name = "localhost" if tls is not None else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
    writer.write(greeting)
    try:
        yield H2Wire(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
