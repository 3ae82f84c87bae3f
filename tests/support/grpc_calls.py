"""A worker's surfaces behind a real port, called by the real gRPC client with the project's own messages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from fairlead.dataplane.net.server import HttpServer, Limits
from fairlead.dataplane.spec import TcpSocket, WorkerSpec
from fairlead.protocols import protos
from fairlead.protocols.streaming import is_streamed
from support.grpc_channels import channel_to
from support.serving import Served, served

Metadata = dict[str, Any]


class Failed(Exception):
    """A call that ended with another code than OK."""

    def __init__(self, code: str, words: str, trailers: Metadata) -> None:
        super().__init__(f"{code}: {words}")
        self.code = code
        self.words = words
        self.trailers = trailers


class Caller:
    """Calls to one port."""

    def __init__(self, port: int, served: Served) -> None:
        self.port = port
        self.served = served
        self.headers: Metadata = {}
        """Initial metadata of the latest answer."""

    async def __call__(
        self,
        path: str,
        request: str,
        answer: str,
        fields: Any = None,
        metadata: Metadata | None = None,
        **options: Any,
    ) -> Any:
        """One unary call: the answer as a message. `fields` are the request's, or a message, or bytes."""
        data = as_bytes(request, fields)
        return await asyncio.to_thread(self._call, path, data, answer, metadata or {}, options)

    async def stream(self, path: str, request: str, answer: str, *fields: Any) -> list[Any]:
        """A call with several messages either way."""
        sent = [as_bytes(request, one) for one in fields]
        return await asyncio.to_thread(self._stream, path, sent, answer)

    def _call(self, path: str, data: bytes, answer: str, metadata: Metadata, options: Any) -> Any:
        with channel_to(self.port) as channel:
            try:
                got, call = channel.unary_unary(path).with_call(
                    data, timeout=30, metadata=list(metadata.items()), **options
                )
            except grpc.RpcError as error:
                raise _failed(error) from error
        self.headers = dict(call.initial_metadata())
        return protos.message(answer).FromString(got)

    def _stream(self, path: str, sent: list[bytes], answer: str) -> list[Any]:
        with channel_to(self.port) as channel:
            try:
                got = list(channel.stream_stream(path)(iter(sent), timeout=30))
            except grpc.RpcError as error:
                raise _failed(error) from error
        return [protos.message(answer).FromString(one) for one in got]


def as_bytes(name: str, fields: Any) -> bytes:
    """A message's bytes from its fields as a dict, from a message, or as they are."""
    if isinstance(fields, bytes):
        return fields
    if fields is None or isinstance(fields, dict):
        return bytes(protos.message(name)(**(fields or {})).SerializeToString())
    return bytes(fields.SerializeToString())


@asynccontextmanager
async def calling(spec: WorkerSpec, **servables: Any) -> AsyncIterator[Caller]:
    """A caller of a worker with these units."""
    over = served(spec, **servables)
    limits = Limits(body_bytes=spec.max_body_bytes)
    server = HttpServer(over.handler, limits=limits, streams=is_streamed)
    port = await server.listen(TcpSocket("127.0.0.1", 0))
    try:
        yield Caller(port, over)
    finally:
        await server.drain(0)
        over.executor.close()


def _failed(error: Any) -> Failed:
    return Failed(error.code().name, error.details(), dict(error.trailing_metadata() or ()))
