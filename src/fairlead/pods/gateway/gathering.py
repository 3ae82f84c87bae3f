"""What several gateways measure, put together: each tells its part, and the one that leads adds them up.

A gateway tells it over a connection that the leader makes, every second and at once when somebody waits in vain, in the
messages that one machine's gateway uses. It tells nobody but pods of its own Deployment, who are known by address.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from fairlead.backends.local.gateway.demanding import Listener
from fairlead.backends.local.gateway.messages import Demand, read_message, write_message
from fairlead.backends.local.scaling.hearing import loads_of
from fairlead.backends.local.scaling.watching import Key, Load
from fairlead.errors import BadRequest

_log = logging.getLogger(__name__)
_MOST_UNREAD_BYTES = 4 * 1024 * 1024
_SILENCE_S = 10.0
_AGAIN_S = 1.0


class Reports(Protocol):
    """What a gateway is asked, for whoever listens."""

    def listen(self, listener: Listener) -> None: ...
    def leave(self, listener: Listener) -> None: ...


@dataclass(slots=True, kw_only=True)
class Teller:
    """Tells the leader what is asked of this gateway. `peers` are the addresses that may ask."""

    demands: Reports
    peers: Callable[[], Collection[str]]
    port: int = 0
    _server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> None:
        """Begin; `port` 0 is a free one, which `port` tells."""
        self._server = await asyncio.start_server(self._converse, host, port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Tell nothing more."""
        if self._server is not None:
            self._server.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if writer.get_extra_info("peername")[0] in self.peers():
                await self._tell(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _tell(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def tell(demand: Demand) -> None:
            if writer.transport.get_write_buffer_size() > _MOST_UNREAD_BYTES:
                writer.transport.abort()
            else:
                write_message(writer, demand)

        self.demands.listen(tell)
        try:
            with contextlib.suppress(OSError):
                await reader.read()
        finally:
            self.demands.leave(tell)


@dataclass(slots=True, kw_only=True)
class Gatherer:
    """`heard` gets the sums: what the others told since the last time with each report of our own, and what cannot wait
    at once."""

    demands: Reports
    heard: Callable[[Iterable[Load]], None]
    _told: list[Load] = field(default_factory=list)
    _following: dict[tuple[str, int], asyncio.Task[None]] = field(default_factory=dict)

    def begin(self) -> None:
        """Hear this gateway."""
        self.demands.listen(self._own)

    def close(self) -> None:
        """Hear nobody."""
        self.demands.leave(self._own)
        self.follow(())

    def follow(self, others: Iterable[tuple[str, int]]) -> None:
        """Hear these other gateways, and no more."""
        wanted = set(others)
        for address in self._following.keys() - wanted:
            self._following.pop(address).cancel()
        for address in wanted - self._following.keys():
            self._following[address] = asyncio.create_task(self._follow(*address), name=f"hear {address[0]}")

    def _own(self, demand: Demand) -> None:
        loads = tuple(loads_of(demand))
        if loads and all(load.is_poke for load in loads) and not self._told:
            self.heard(loads)
            return
        told, self._told = self._told, []
        self.heard(tuple(added([*loads, *told])))

    def _other(self, demand: Demand) -> None:
        loads = tuple(loads_of(demand))
        pokes = [load for load in loads if load.is_poke]
        if pokes and len(pokes) == len(loads):
            self.heard(pokes)
        else:
            self._told += loads

    async def _follow(self, host: str, port: int) -> None:
        while True:
            with contextlib.suppress(OSError, TimeoutError, BadRequest, msgspec.DecodeError):
                async with asyncio.timeout(_SILENCE_S):
                    reader, writer = await asyncio.open_connection(host, port)
                try:
                    await self._listen(reader)
                finally:
                    writer.close()
            await asyncio.sleep(_AGAIN_S)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            async with asyncio.timeout(_SILENCE_S):
                body = await read_message(reader)
            if body is None:
                return
            self._other(msgspec.msgpack.decode(body, type=Demand))


def added(loads: Iterable[Load]) -> Iterator[Load]:
    """One for each revision."""
    sums: dict[Key, Load] = {}
    for one in loads:
        known = sums.get(one.key)
        sums[one.key] = one if known is None else _sum(known, one)
    return iter(sums.values())


def _sum(one: Load, other: Load) -> Load:
    return Load(
        one.key,
        one.concurrency + other.concurrency,
        one.requests + other.requests,
        one.waiting + other.waiting,
        one.is_poke or other.is_poke,
    )
