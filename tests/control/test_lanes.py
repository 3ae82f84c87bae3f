import asyncio
from collections.abc import Awaitable, Callable

import pytest

from fairlead.control.lanes import Lanes

pytestmark = pytest.mark.anyio


class Diary:
    """Notes when each piece of work begins; it ends when its gate is opened."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}

    def work(self, name: str) -> Callable[[], Awaitable[None]]:
        gate = self.gates[name] = asyncio.Event()

        async def do() -> None:
            self.begun.append(name)
            await gate.wait()

        return do


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_key_keeps_its_order_and_others_do_not_wait() -> None:
    diary = Diary()
    async with asyncio.TaskGroup() as tasks:
        lanes: Lanes[str] = Lanes(tasks)
        for key, name in (("a", "a1"), ("a", "a2"), ("b", "b1")):
            await lanes.put(key, diary.work(name))
        await settle()
        assert diary.begun == ["a1", "b1"]

        diary.gates["a1"].set()
        await settle()
        assert diary.begun == ["a1", "b1", "a2"]
        for gate in diary.gates.values():
            gate.set()
        await lanes.idle()


async def test_who_brings_more_than_fits_waits() -> None:
    diary = Diary()
    async with asyncio.TaskGroup() as tasks:
        lanes: Lanes[str] = Lanes(tasks, most=2)
        await lanes.put("a", diary.work("a1"))
        await lanes.put("a", diary.work("a2"))
        third = asyncio.create_task(lanes.put("b", diary.work("b1")))
        await settle()
        assert not third.done()

        diary.gates["a1"].set()
        await third
        for gate in diary.gates.values():
            gate.set()
    assert diary.begun == ["a1", "a2", "b1"]


async def test_it_is_idle_when_everything_is_done() -> None:
    diary = Diary()
    async with asyncio.TaskGroup() as tasks:
        lanes: Lanes[str] = Lanes(tasks)
        await lanes.idle()
        await lanes.put("a", diary.work("a1"))
        idle = asyncio.create_task(lanes.idle())
        await settle()
        assert not idle.done()

        diary.gates["a1"].set()
        await idle
