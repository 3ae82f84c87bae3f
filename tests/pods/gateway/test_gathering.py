"""What several gateways measured, added up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fairlead.backends.local.gateway.demanding import Listener
from fairlead.backends.local.gateway.messages import ComponentDemand, Demand
from fairlead.backends.local.scaling.watching import Load
from fairlead.pods.gateway.gathering import Gatherer, Teller
from support.gateways import until

pytestmark = pytest.mark.anyio

KEY = ("Workload/n/s", "c")


class Reports:
    """A gateway that says what a test does."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        self.listeners.append(listener)

    def leave(self, listener: Listener) -> None:
        self.listeners.remove(listener)

    def say(self, concurrency: float, requests: int = 1, waiting: int = 0, *, is_poke: bool = False) -> None:
        one = ComponentDemand(
            kind="Workload",
            namespace="n",
            service="s",
            component="c",
            concurrency=concurrency,
            requests=requests,
            waiting=waiting,
            is_poke=is_poke,
        )
        for listener in self.listeners:
            listener(Demand((one,)))


@asynccontextmanager
async def two(peers: frozenset[str]) -> AsyncIterator[tuple[Reports, Reports, list[tuple[Load, ...]], Teller]]:
    """The leader's reports and another's, and what is heard of both."""
    own, other, heard = Reports(), Reports(), list[tuple[Load, ...]]()
    teller = Teller(demands=other, peers=lambda: peers)
    await teller.listen("127.0.0.1", 0)
    gatherer = Gatherer(demands=own, heard=lambda loads: heard.append(tuple(loads)))
    gatherer.begin()
    gatherer.follow([("127.0.0.1", teller.port)])
    try:
        yield own, other, heard, teller
    finally:
        gatherer.close()
        teller.close()
        await until(lambda: not other.listeners)


async def test_loads_of_a_second_are_added_up() -> None:
    async with two(frozenset({"127.0.0.1"})) as (own, other, heard, _):
        await until(lambda: bool(other.listeners))
        other.say(3.0, requests=4, waiting=1)
        other.say(0.0, requests=0, waiting=1, is_poke=True)
        # What cannot wait comes after the rest on the same connection, so the rest is here when it is.
        await until(lambda: len(heard) == 1)
        own.say(2.0, requests=1)

        assert heard[0] == (Load(KEY, 0.0, 0, 1, True),)
        assert heard[1] == (Load(KEY, 5.0, 5, 1, False),)


async def test_what_was_told_once_is_not_counted_again() -> None:
    async with two(frozenset({"127.0.0.1"})) as (own, other, heard, _):
        await until(lambda: bool(other.listeners))
        other.say(3.0)
        other.say(0.0, is_poke=True)
        await until(lambda: bool(heard))
        own.say(1.0)
        own.say(1.0)

        assert [load.concurrency for loads in heard[1:] for load in loads] == [4.0, 1.0]


async def test_nobody_else_is_told() -> None:
    async with two(frozenset({"10.0.0.9"})) as (_, other, _, teller):
        reader, writer = await asyncio.open_connection("127.0.0.1", teller.port)

        assert await reader.read() == b""
        assert not other.listeners
        writer.close()
