"""Work that must keep its order for each object, and that different objects need not wait for each other with.

Most of what the loop does is to wait until something is on disk. What waits together is written together, so a thousand
objects whose turn comes at once cost a few writes and not thousands of them, one after the other.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
_MOST = 64

Work = Callable[[], Awaitable[object]]


class Lanes(Generic[K]):
    """`most` is how much may be under way or queued; whoever brings more waits. The tasks are the group's."""

    def __init__(self, tasks: asyncio.TaskGroup, *, most: int = _MOST) -> None:
        self._tasks = tasks
        self._room = asyncio.Semaphore(most)
        self._lanes: dict[K, deque[Work]] = {}
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    async def put(self, key: K, work: Work) -> None:
        """Have this done, after what was put for the same key."""
        await self._room.acquire()
        lane = self._lanes.get(key)
        if lane is not None:
            lane.append(work)
            return
        self._lanes[key] = deque([work])
        self._is_idle.clear()
        self._tasks.create_task(self._work_off(key))

    async def idle(self) -> None:
        """Return when everything is done."""
        await self._is_idle.wait()

    async def _work_off(self, key: K) -> None:
        lane = self._lanes[key]
        while lane:
            try:
                await lane.popleft()()
            finally:
                self._room.release()
        del self._lanes[key]
        if not self._lanes:
            self._is_idle.set()
