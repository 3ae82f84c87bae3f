"""Clients that ask and go away, over each of the ways a worker is asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from fairlead.dataplane.net.frame_server import FrameServer
from fairlead.dataplane.net.server import HttpServer, Limits
from fairlead.dataplane.spec import TcpSocket, UnixSocket
from fairlead.protocols.exchange import Handler, Reply, Request
from fairlead.protocols.frames import encode_cancel, encode_request_head, request_prefix
from fairlead.protocols.grpc import frame_message
from fairlead.protocols.streaming import is_streamed
from support import h2_frames as h2
from support.grpc_calls import as_bytes
from support.wire import post

WAYS = ("http1", "http2", "frames")
_CANCEL = 8


async def until(is_so: Callable[[], bool]) -> None:
    """Let everything on this loop, and the threads beside it, go on until it is so."""
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.001)


class Remembering:
    """A handler that knows whom it still owes an answer."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.replies: list[Any] = []

    def __call__(self, request: Request, reply: Reply) -> None:
        self.replies.append(reply)
        self._handler(request, reply)

    @property
    def wanted(self) -> int:
        """How many still wait."""
        return sum(reply.is_wanted for reply in self.replies)


class Client(Protocol):
    async def ask(self, number: float) -> None: ...
    async def leave(self, index: int) -> None: ...


class Asking:
    """Clients of one worker. Each asks for one row, waits until that was taken, and may leave."""

    def __init__(self, client: Client, handler: Remembering) -> None:
        self._client = client
        self._handler = handler

    async def ask(self, number: float) -> None:
        """Send a request and go on when the worker has it."""
        before = len(self._handler.replies)
        await self._client.ask(number)
        await until(lambda: len(self._handler.replies) > before)

    async def leave(self, index: int) -> None:
        """Go away, and go on when the worker knows."""
        await self._client.leave(index)
        await until(lambda: not self._handler.replies[index].is_wanted)

    async def all_answered(self) -> None:
        """Go on when nobody waits any more."""
        await until(lambda: not self._handler.wanted)


@asynccontextmanager
async def asking(way: str, handler: Handler, folder: Path) -> AsyncIterator[Asking]:
    """Clients of a worker with this handler, which speaks Seldon's protocol."""
    remembering = Remembering(handler)
    server: Any
    if way == "frames":
        server = FrameServer(remembering, streams=is_streamed)
        where = str(folder / "worker.sock")
        await server.listen(UnixSocket(where))
        client: Any = _Frames(*await asyncio.open_unix_connection(where))
    else:
        # A client that closed its side may still read; how long it is believed to is not what is tested.
        server = HttpServer(remembering, limits=Limits(half_closed_timeout_s=0.02), streams=is_streamed)
        port = await server.listen(TcpSocket("127.0.0.1", 0))
        client = _Http1(port) if way == "http1" else _Http2(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield Asking(client, remembering)
    finally:
        client.close()
        await server.drain(0)


def _body(number: float) -> bytes:
    return json.dumps({"data": {"ndarray": [[number]]}}).encode()


class _Http1:
    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []

    async def ask(self, number: float) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(post("/api/v1.0/predictions", _body(number), "Content-Type: application/json"))
        self._writers.append(writer)

    async def leave(self, index: int) -> None:
        self._writers[index].transport.abort()

    def close(self) -> None:
        for writer in self._writers:
            writer.close()


class _Http2:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._asked = 0
        writer.write(h2.PREFACE + h2.settings())

    async def ask(self, number: float) -> None:
        headers = [(name, "/seldon.protos.Seldon/Predict" if name == ":path" else value) for name, value in h2.CALL]
        message = as_bytes("seldon.protos.SeldonMessage", {"data": {"tensor": {"shape": [1, 1], "values": [number]}}})
        self._writer.write(h2.call(2 * self._asked + 1, frame_message(message), headers))
        self._asked += 1

    async def leave(self, index: int) -> None:
        self._writer.write(h2.frame(h2.RST_STREAM, 0, 2 * index + 1, _CANCEL.to_bytes(4, "big")))

    def close(self) -> None:
        self._writer.close()


class _Frames:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._asked = 0

    async def ask(self, number: float) -> None:
        head = encode_request_head("POST", "/api/v1.0/predictions", b"", [(b"content-type", b"application/json")])
        body = _body(number)
        self._writer.write(request_prefix(self._asked + 1, head, body) + head + body)
        self._asked += 1

    async def leave(self, index: int) -> None:
        self._writer.write(encode_cancel(index + 1))

    def close(self) -> None:
        self._writer.close()
