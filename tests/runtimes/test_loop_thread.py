import asyncio
import threading
from typing import Any

import pytest

from fairlead.runtimes.loop_thread import LoopThread


def test_values_pass_and_coroutines_run_on_one_loop() -> None:
    thread = LoopThread("t")

    async def where() -> tuple[Any, str]:
        return asyncio.get_running_loop(), threading.current_thread().name

    first, second = thread.settled(where()), thread.settled(where())

    assert thread.settled(3) == 3
    assert first == second
    assert first[1] == "t"
    thread.close()


def test_what_a_coroutine_raises_is_raised() -> None:
    thread = LoopThread("t")

    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        thread.settled(fail())
    thread.close()


def test_closing_cancels_what_still_runs() -> None:
    thread = LoopThread("t")
    ended = threading.Event()
    tasks: list[asyncio.Task[None]] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def start() -> None:
        tasks.append(asyncio.create_task(forever()))
        await asyncio.sleep(0)

    thread.settled(start())
    thread.close()
    thread.close()

    assert ended.is_set()
    assert tasks[0].cancelled()
