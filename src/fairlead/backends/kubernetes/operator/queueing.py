"""The queue between what triggers and what works: each object once, one reconcile at a time for it, and patience.

An object that changes while it is worked on is looked at again afterwards, however often it changed. One that fails
waits longer each time, with some randomness so that a thousand which failed together do not come back together.
"""

import asyncio
import heapq
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait after so many failures in a row: doubling from `first_s` to `longest_s`, of which `jitter` is
    the share that is left to chance."""

    first_s: float = 0.5
    longest_s: float = 300.0
    jitter: float = 0.3

    def delay_s(self, failures: int, chance: float) -> float:
        """`chance` is a number from 0 to 1."""
        whole = min(self.longest_s, self.first_s * 2.0 ** min(max(failures, 1) - 1, 40))
        return whole * (1 - self.jitter * chance)


@dataclass(slots=True)
class WorkQueue(Generic[K]):
    """Whoever takes a key must say when it is `done`. `now` is a monotonic clock in seconds, `chance` draws from 0 to
    1."""

    now: Callable[[], float]
    chance: Callable[[], float]
    patience: Patience = field(default_factory=Patience)
    _waiting: dict[K, float] = field(default_factory=dict)
    _order: list[tuple[float, int, K]] = field(default_factory=list)
    _working: set[K] = field(default_factory=set)
    _again: dict[K, float] = field(default_factory=dict)
    _at_leisure: dict[K, None] = field(default_factory=dict)
    _failures: dict[K, int] = field(default_factory=dict)
    _count: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _is_idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._is_idle.set()

    def __len__(self) -> int:
        """How many wait, those among them whose time has not come."""
        return len(self._waiting) + len(self._again) + len(self._at_leisure)

    @property
    def working(self) -> int:
        """How many are being worked on."""
        return len(self._working)

    def add(self, key: K, *, after_s: float = 0.0) -> None:
        """Have this looked at. An earlier wish for it stands when it is for an earlier time."""
        at = self.now() + after_s
        self._at_leisure.pop(key, None)
        if key in self._working:
            self._again[key] = min(at, self._again.get(key, at))
        elif at < self._waiting.get(key, at + 1):
            self._put(key, at)

    def add_at_leisure(self, key: K) -> None:
        """Have this looked at when nothing else is due: what has just changed goes before all that there is."""
        if key in self._working:
            self.add(key)
        elif key not in self._waiting:
            self._at_leisure[key] = None
            self._news.set()

    def retry(self, key: K, *, at_least_s: float = 0.0) -> float:
        """It failed: look again after a while, which is returned."""
        self._failures[key] = self._failures.get(key, 0) + 1
        delay_s = max(at_least_s, self.patience.delay_s(self._failures[key], self.chance()))
        self.add(key, after_s=delay_s)
        return delay_s

    def forgive(self, key: K) -> None:
        """It went well: the next failure is a first one."""
        self._failures.pop(key, None)

    async def take(self) -> K:
        """The next one whose time has come."""
        while True:
            key, wait_s = self.pop()
            if key is not None:
                return key
            self._news.clear()
            # With a time limit of its own instead of a task per wait: an idle queue costs nothing.
            try:
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            except TimeoutError:
                continue

    def pop(self) -> tuple[K | None, float | None]:
        """The next one if its time has come, else the seconds until it does; `None` when nothing waits."""
        while self._order:
            at, _, key = self._order[0]
            if self._waiting.get(key) != at:
                heapq.heappop(self._order)  # wished for at another time since
            elif at > self.now():
                return self._leisurely(at - self.now())
            else:
                heapq.heappop(self._order)
                del self._waiting[key]
                return self._taken(key), None
        return self._leisurely(None)

    def _leisurely(self, wait_s: float | None) -> tuple[K | None, float | None]:
        if not self._at_leisure:
            return None, wait_s
        key = next(iter(self._at_leisure))
        del self._at_leisure[key]
        return self._taken(key), None

    def _taken(self, key: K) -> K:
        self._working.add(key)
        self._is_idle.clear()
        return key

    def done(self, key: K) -> None:
        """Nobody works on it any more."""
        self._working.discard(key)
        if not self._working:
            self._is_idle.set()
        at = self._again.pop(key, None)
        if at is not None:
            self._put(key, at)

    async def idle(self) -> None:
        """Return when nothing is being worked on."""
        await self._is_idle.wait()

    def _put(self, key: K, at: float) -> None:
        self._waiting[key] = at
        self._count += 1
        heapq.heappush(self._order, (at, self._count, key))
        self._news.set()
