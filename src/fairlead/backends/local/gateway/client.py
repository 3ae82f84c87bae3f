"""How other processes talk to the gateway. Each call is a connection of its own, so neither end has to notice that
the other was restarted."""

import asyncio
from pathlib import Path

import msgspec

from fairlead.backends.local.gateway.messages import (
    AskStats,
    FromGateway,
    GatewayStats,
    Publish,
    Refused,
    ToGateway,
    read_message,
    write_message,
)
from fairlead.errors import ConfigError, NotReady
from fairlead.plan.routing import RouteTable

_PATIENCE_S = 30.0


class GatewayClient:
    """Calls raise `NotReady` while no gateway answers at the socket."""

    def __init__(self, socket: Path, *, timeout_s: float = _PATIENCE_S) -> None:
        self._socket = socket
        self._timeout_s = timeout_s

    async def publish(self, table: RouteTable) -> None:
        """Put a table in force; returns when requests follow it. The same table again costs next to nothing."""
        await self._call(Publish(table))

    async def stats(self) -> GatewayStats:
        """What the gateway carries now."""
        reply = await self._call(AskStats())
        assert isinstance(reply, GatewayStats)
        return reply

    async def _call(self, message: ToGateway) -> FromGateway:
        try:
            async with asyncio.timeout(self._timeout_s):
                body = await self._exchange(message)
        except (OSError, TimeoutError) as error:
            raise NotReady(f"no gateway answers at {self._socket}: {error or 'timeout'}", after_s=0.2) from error
        if body is None:
            raise NotReady(f"the gateway at {self._socket} hung up before it answered", after_s=0.2)
        reply: FromGateway = msgspec.msgpack.decode(body, type=FromGateway)
        if isinstance(reply, Refused):
            raise ConfigError(f"the gateway refused: {reply.message}")
        return reply

    async def _exchange(self, message: ToGateway) -> bytes | None:
        reader, writer = await asyncio.open_unix_connection(self._socket)
        try:
            write_message(writer, message)
            await writer.drain()
            return await read_message(reader)
        finally:
            writer.close()
