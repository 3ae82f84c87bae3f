"""Deadlines for many requests at the price of a set's `add` and `discard` for each.

Deadlines are rounded up to a tick and kept in one set per tick, so that one timer serves all of them and a request
that ends in time leaves nothing behind.
"""

import asyncio
import heapq
import math
from typing import Protocol

_TICK_S = 0.02


class Timed(Protocol):
    """Something with a deadline."""

    def expire(self) -> None: ...


Bucket = set[Timed]


class TimerWheel:
    """Calls `expire` of what was added, within a tick after its delay."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, tick_s: float = _TICK_S) -> None:
        self._loop = loop
        self._tick_s = tick_s
        self._buckets: dict[int, Bucket] = {}
        self._ticks: list[int] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, item: Timed, delay_s: float) -> Bucket:
        """Remember a deadline. `discard` the item from the set that is returned when it is no longer of interest."""
        tick = math.ceil((self._loop.time() + delay_s) / self._tick_s)
        bucket = self._buckets.get(tick)
        if bucket is None:
            bucket = self._buckets[tick] = set()
            heapq.heappush(self._ticks, tick)
            if self._ticks[0] == tick:
                self._arm()
        bucket.add(item)
        return bucket

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._ticks[0] * self._tick_s, self._turn) if self._ticks else None

    def _turn(self) -> None:
        now = self._loop.time()
        while self._ticks and self._ticks[0] * self._tick_s <= now + 0.001:
            bucket = self._buckets.pop(heapq.heappop(self._ticks))
            while bucket:
                bucket.pop().expire()
        self._timer = None
        if self._ticks:
            self._arm()

    def close(self) -> None:
        """Forget everything."""
        self._ticks.clear()
        self._buckets.clear()
        self._arm()
