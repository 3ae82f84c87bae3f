"""How many calls a second the API server gets from us: a bucket of tokens that fills steadily.

A restart looks at every object at once; the bucket makes that a steady stream instead of a flood.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Bucket:
    """`per_s` tokens a second, at most `burst` of them saved up. `now` is a monotonic clock in seconds."""

    per_s: float
    burst: int
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _tokens: float = field(init=False)
    _filled_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._tokens, self._filled_at = float(self.burst), self.now()

    def take(self) -> float:
        """Take a token, in advance when there is none left: the seconds to wait before it may be used."""
        now = self.now()
        self._tokens = min(self.burst, self._tokens + (now - self._filled_at) * self.per_s) - 1
        self._filled_at = now
        return max(0.0, -self._tokens / self.per_s)

    async def wait(self) -> None:
        """Return when a token may be used."""
        delay_s = self.take()
        if delay_s:
            await self.sleep(delay_s)

    def spare(self) -> bool:
        """Take a token if there is one."""
        if self.take() == 0:
            return True
        self._tokens += 1
        return False
