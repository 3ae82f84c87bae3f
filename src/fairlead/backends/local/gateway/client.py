"""How other processes talk to the gateway. Each call is a connection of its own, so neither end has to notice that
the other was restarted."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec

from fairlead.backends.local.gateway.messages import (
    Admit,
    Amend,
    AskDemand,
    AskStats,
    Demand,
    FromGateway,
    GatewayStats,
    Publish,
    Refused,
    Scales,
    ToGateway,
    Unknown,
    read_message,
    write_message,
)
from fairlead.errors import ConfigError, NotReady
from fairlead.plan.routing import RouteTable, difference

_PATIENCE_S = 30.0
_SILENCE_S = 10.0
"""A gateway that says nothing for so long, where it should each second, does not run."""
_AGAIN_S = 0.1


class GatewayClient:
    """Calls raise `NotReady` while no gateway answers at the socket. `publish` is for one caller at a time."""

    def __init__(self, socket: Path, *, timeout_s: float = _PATIENCE_S) -> None:
        self._socket = socket
        self._timeout_s = timeout_s
        self._last = RouteTable()
        self._mark = ""

    async def publish(self, table: RouteTable) -> None:
        """Put a table in force; returns when requests follow it. Costs what differs from the last one, unless the
        gateway has another than that."""
        since, self._mark, mark = self._mark, "", secrets.token_hex(8)
        amendment = _amendment(self._last, table, since=since, mark=mark) if since else None
        if amendment is None or isinstance(await self._call(amendment), Unknown):
            await self._call(Publish(table, mark))
        self._last, self._mark = table, mark

    async def stats(self) -> GatewayStats:
        """What the gateway carries now."""
        reply = await self._call(AskStats())
        assert isinstance(reply, GatewayStats)
        return reply

    async def show(self, scales: Scales) -> None:
        """Have the metrics tell how components are scaled."""
        await self._call(scales)

    async def admit(self, admitted: Admit) -> None:
        """Say who may ask deployments that do not answer everybody; returns when requests follow it."""
        await self._call(admitted)

    async def demand(self) -> AsyncGenerator[Demand]:
        """What is asked of the components, every second and when somebody waits in vain; without end. A gateway that is
        gone is waited for, in silence."""
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                async with contextlib.aclosing(self._follow()) as told:
                    async for demand in told:
                        yield demand
            await asyncio.sleep(_AGAIN_S)

    async def _follow(self) -> AsyncGenerator[Demand]:
        reader, writer = await asyncio.open_unix_connection(self._socket)
        try:
            write_message(writer, AskDemand())
            while True:
                async with asyncio.timeout(_SILENCE_S):
                    body = await read_message(reader)
                if body is None:
                    return
                message: FromGateway = msgspec.msgpack.decode(body, type=FromGateway)
                if isinstance(message, Demand):
                    yield message
        finally:
            writer.close()

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


def _amendment(before: RouteTable, after: RouteTable, *, since: str, mark: str) -> Amend | None:
    """What to tell a gateway that has `before`; `None` when most of it is new anyway."""
    changed, gone = difference(before, after)
    if 2 * len(changed) > len(after.services):
        return None
    return Amend(since, mark, changed, tuple(service.identity for service in gone))
