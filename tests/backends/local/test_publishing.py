import asyncio
from collections.abc import AsyncIterator

import pytest

from fairlead.backends.local.publishing import Publisher
from fairlead.plan.routing import RouteTable, Service
from support.local_world import FakeGateway

pytestmark = pytest.mark.anyio


def _table(name: str) -> RouteTable:
    return RouteTable(services=(Service(kind="K", namespace="n", name=name, routes=(), pools=()),))


class Stage:
    """`wanted` is what should be published; `done` what the gateway has confirmed."""

    def __init__(self) -> None:
        self.gateway = FakeGateway()
        self.wanted = _table("first")
        self.done: asyncio.Queue[RouteTable] = asyncio.Queue()
        self.publisher = Publisher(self.gateway, make=lambda: self.wanted, published=self.done.put_nowait)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    task = asyncio.create_task(made.publisher.run())
    yield made
    task.cancel()
    await asyncio.wait([task])


async def test_what_changes_meanwhile_goes_out_once(stage: Stage) -> None:
    for name in ("second", "third"):
        stage.wanted = _table(name)
        stage.publisher.want()

    assert await stage.done.get() == _table("third")
    assert stage.gateway.tables == [_table("third")]


async def test_an_unchanged_table_is_confirmed_without_asking(stage: Stage) -> None:
    stage.publisher.want()
    await stage.done.get()
    stage.publisher.want()

    assert await stage.done.get() == _table("first")
    assert len(stage.gateway.tables) == 1


async def test_a_gateway_that_is_away_gets_the_newest_table_when_it_is_back(stage: Stage) -> None:
    stage.gateway.is_up = False
    stage.publisher.want()
    await asyncio.sleep(0)
    stage.wanted = _table("second")
    stage.gateway.is_up = True

    assert await stage.done.get() == _table("second")
