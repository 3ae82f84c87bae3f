"""Clients that mean harm: heads and bodies that never end, storms of resets, thousands of connections that say nothing.

Each must be shown the door in the time that the server's limits promise, or be borne without the others noticing.
"""

import asyncio
import random
import socket
from contextlib import suppress

import numpy as np

from bench.soak.grpc_traffic import predict_request
from bench.soak.http_client import Http1, post
from bench.soak.tally import Tally, Wrong
from fairlead.protocols.grpc import frame_message
from fairlead.protocols.h2_frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    Setting,
)
from fairlead.protocols.hpack import encode

HEAD_S = 10.0
BODY_S = 30.0
WRITE_S = 30.0
_GRACE_S = 8.0
_IRIS = "/seldon/default/iris/api/v1.0/predictions"
_CANCEL = (8).to_bytes(4, "big")
_CHUNK = 100
_UNREAD_BYTES = 8_000_000
_DRAIN_S = 12.0
"""For what the kernel holds of an answer that was cut off."""
_NO_WINDOW = Setting.INITIAL_WINDOW_SIZE.to_bytes(2, "big") + bytes(4)
_STORM_CHUNKS = 400


class Hostile:
    """Kinds of attacks; each is one connection's life."""

    def __init__(self, port: int, tally: Tally, chance: random.Random) -> None:
        self._port = port
        self._tally = tally
        self._chance = chance

    async def slow_head(self) -> str:
        """A head of one byte every now and then."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(b"POST / HTTP/1.1\r\nHost: soak\r\nX-Slow: ")
            return await self._until_ended(reader, writer, drip=b"x", limit_s=HEAD_S + _GRACE_S)
        finally:
            writer.close()

    async def half_body(self) -> str:
        """A body that stops half way."""
        client = Http1(self._port)
        try:
            await client.send(post(_IRIS, bytes(200_000))[:60_000])
            try:
                answer = await client.receive(BODY_S + _GRACE_S + 2)
            except TimeoutError:
                raise Wrong("half a body was borne longer than the server promises") from None
            if answer.status != 408:
                raise Wrong(f"half a body got {answer.status}")
            return "answered 408"
        finally:
            client.cut()

    async def slow_frame(self) -> str:
        """An HTTP/2 frame that does not end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(PREFACE + _frame(SETTINGS, 0, 0, b"") + _frame(HEADERS, END_HEADERS, 1, _block("iris"))[:12])
            return await self._until_ended(reader, writer, drip=b"", limit_s=HEAD_S + _GRACE_S)
        finally:
            writer.close()

    async def half_call(self) -> str:
        """gRPC calls whose messages stop half way; the connection lives on."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(PREFACE + _frame(SETTINGS, 0, 0, b""))
            for id in (1, 3, 5, 7):
                writer.write(_frame(HEADERS, END_HEADERS, id, _block("iris")) + _frame(DATA, 0, id, bytes(5000)))
            ended: set[int] = set()
            try:
                async with asyncio.timeout(BODY_S + _GRACE_S):
                    while len(ended) < 4:
                        kind, flags, id, _ = await _read_frame(reader)
                        if kind == RST_STREAM or (kind == HEADERS and flags & END_STREAM):
                            ended.add(id)
            except TimeoutError:
                raise Wrong("half a message was borne longer than the server promises") from None
            return "answered"
        finally:
            writer.close()

    async def slow_reader(self) -> str:
        """A client that asks for megabytes and does not read them."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self._port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
        try:
            body = b'{"strData":"%s"}' % (b"x" * _UNREAD_BYTES)
            writer.write(post("/seldon/default/echo/api/v1.0/predictions", body))
            await writer.drain()
            await asyncio.sleep(WRITE_S + _GRACE_S)
            answer = bytearray()
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(_DRAIN_S):
                    while piece := await reader.read(1 << 16):
                        answer += piece
            if len(answer) > _UNREAD_BYTES:
                raise Wrong("an answer was kept for a client that did not read it for longer than the server promises")
            if not answer.startswith(b"HTTP/1.1 200"):
                return "refused"
            return "cut off"
        finally:
            writer.transport.abort()

    async def no_window(self) -> str:
        """Calls whose client gives no window for the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            message = predict_request(np.array([[5.1, 3.5, 1.4, 0.2]]), "unread")
            data = frame_message(message)
            writer.write(PREFACE + _frame(SETTINGS, 0, 0, _NO_WINDOW))
            for id in (1, 3):
                block = _block("nobody" if id == 3 else "iris")
                writer.write(_frame(HEADERS, END_HEADERS, id, block) + _frame(DATA, END_STREAM, id, data))
            ended: set[int] = set()
            try:
                async with asyncio.timeout(WRITE_S + _GRACE_S):
                    while len(ended) < 2:
                        kind, flags, id, _ = await _read_frame(reader)
                        if kind == RST_STREAM or (kind == HEADERS and flags & END_STREAM):
                            ended.add(id)
            except TimeoutError:
                raise Wrong("an answer without a window was kept longer than the server promises") from None
            return "answered"
        finally:
            writer.close()

    async def storm(self) -> str:
        """More resets in a moment than any client has reason for."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(PREFACE + _frame(SETTINGS, 0, 0, b""))
            block, id = _block("slow"), 1
            with suppress(ConnectionError):
                for _ in range(_STORM_CHUNKS):
                    for _ in range(_CHUNK):
                        writer.write(_frame(HEADERS, END_HEADERS, id, block) + _frame(RST_STREAM, 0, id, _CANCEL))
                        id += 2
                    await writer.drain()
            return await self._until_ended(reader, writer, drip=b"", limit_s=_GRACE_S)
        finally:
            writer.close()

    async def drizzle(self) -> str:
        """Resets of whole calls at a pace that is borne; then the connection must still answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(PREFACE + _frame(SETTINGS, 0, 0, b""))
            block, id, body = _block("slow"), 1, b"\0\0\0\0\0"
            for _ in range(20):
                for _ in range(10):
                    writer.write(_frame(HEADERS, END_HEADERS, id, block) + _frame(DATA, END_STREAM, id, body))
                    writer.write(_frame(RST_STREAM, 0, id, _CANCEL))
                    id += 2
                await writer.drain()
                await asyncio.sleep(0.05)
            mark = self._chance.randbytes(8)
            writer.write(_frame(PING, 0, 0, mark))
            try:
                async with asyncio.timeout(_GRACE_S):
                    while True:
                        kind, _, _, payload = await _read_frame(reader)
                        if kind == PING and payload == mark:
                            return "borne"
            except TimeoutError:
                raise Wrong("no ping is answered after 200 resets") from None
        finally:
            writer.close()

    async def idle(self, count: int, lasting_s: float) -> str:
        """Connections of both versions that say nothing, for a while."""
        held: list[asyncio.StreamWriter] = []
        try:
            for start in range(0, count, _CHUNK):
                for number in range(start, min(start + _CHUNK, count)):
                    _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                    if number % 2:
                        writer.write(PREFACE + _frame(SETTINGS, 0, 0, b""))
                    elif number % 4:
                        writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: soak\r\n\r\n")
                    held.append(writer)
                await asyncio.sleep(0.02)
            await asyncio.sleep(lasting_s)
        finally:
            for writer in held:
                writer.transport.abort()
        return f"{count} held"

    async def _until_ended(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, drip: bytes, limit_s: float
    ) -> str:
        """Until the server hangs up."""
        try:
            async with asyncio.timeout(limit_s), asyncio.TaskGroup() as tasks:
                dripping = tasks.create_task(_drip(writer, drip))
                with suppress(ConnectionError):
                    while await reader.read(1 << 16):
                        pass
                dripping.cancel()
        except TimeoutError:
            raise Wrong(f"an attack was borne longer than {limit_s:g} s") from None
        return "cut off"


async def _drip(writer: asyncio.StreamWriter, drip: bytes) -> None:
    with suppress(ConnectionError):
        while drip:
            writer.write(drip)
            await writer.drain()
            await asyncio.sleep(0.5)


def _frame(kind: int, flags: int, id: int, payload: bytes) -> bytes:
    return FRAME.pack(len(payload) << 8 | kind, flags, id) + payload


def _block(name: str) -> bytes:
    return encode(
        [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", b"/seldon.protos.Seldon/Predict"),
            (b":authority", b"soak"),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
            (b"seldon", name.encode()),
            (b"namespace", b"default"),
        ]
    )


async def _read_frame(reader: asyncio.StreamReader) -> tuple[int, int, int, bytes]:
    head, flags, id = FRAME.unpack(await reader.readexactly(9))
    return head & 0xFF, flags, id & 0x7FFF_FFFF, await reader.readexactly(head >> 8)
