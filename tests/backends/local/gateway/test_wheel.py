"""Deadlines."""

import asyncio

import pytest

from fairlead.backends.local.gateway.wheel import TimerWheel

pytestmark = pytest.mark.anyio


class Item:
    """Notes when it expired."""

    def __init__(self, log: list[str], name: str) -> None:
        self._log, self._name = log, name
        self.done = asyncio.Event()

    def expire(self) -> None:
        self._log.append(self._name)
        self.done.set()


async def test_items_expire_in_the_order_of_their_deadlines_and_not_before() -> None:
    loop, log = asyncio.get_running_loop(), list[str]()
    wheel = TimerWheel(loop, tick_s=0.005)
    late, early, middle = (Item(log, name) for name in ("late", "early", "middle"))
    start = loop.time()

    wheel.add(late, 0.06)
    wheel.add(early, 0.02)
    wheel.add(middle, 0.04)
    await asyncio.wait_for(late.done.wait(), 5)

    assert log == ["early", "middle", "late"]
    assert loop.time() - start >= 0.059


async def test_what_is_discarded_never_expires() -> None:
    log = list[str]()
    wheel = TimerWheel(asyncio.get_running_loop(), tick_s=0.005)
    kept, discarded = Item(log, "kept"), Item(log, "discarded")

    wheel.add(discarded, 0.01).discard(discarded)
    wheel.add(kept, 0.03)
    await asyncio.wait_for(kept.done.wait(), 5)

    assert log == ["kept"]


async def test_an_item_may_add_another_while_it_expires() -> None:
    log = list[str]()
    wheel = TimerWheel(asyncio.get_running_loop(), tick_s=0.005)
    second = Item(log, "second")

    class Chain(Item):
        def expire(self) -> None:
            super().expire()
            wheel.add(second, 0)

    wheel.add(Chain(log, "first"), 0.01)
    await asyncio.wait_for(second.done.wait(), 5)

    assert log == ["first", "second"]


async def test_a_closed_wheel_forgets_everything() -> None:
    log = list[str]()
    wheel, other = (TimerWheel(asyncio.get_running_loop(), tick_s=0.005) for _ in range(2))
    last = Item(log, "last")

    wheel.add(Item(log, "forgotten"), 0.01)
    wheel.close()
    other.add(last, 0.03)
    await asyncio.wait_for(last.done.wait(), 5)

    assert log == ["last"]
