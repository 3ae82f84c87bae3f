"""Deadlines of calls without a timer for each: one timer per server, set to the earliest.

A call that ends in time, as nearly all do, costs nothing when it ends; connections look through their open calls when
the timer fires, at most every few milliseconds.
"""

import asyncio
import math
from typing import Protocol

_STEP_S = 0.01


class Timed(Protocol):
    """A connection whose calls have deadlines."""

    def expire(self, now: float) -> float:
        """End what is due and say when the next call is, or infinity."""


class Deadlines:
    """The timer of one server's connections."""

    def __init__(self) -> None:
        self._watched: set[Timed] = set()
        self._next = math.inf
        self._handle: asyncio.TimerHandle | None = None

    def watch(self, connection: Timed, due: float) -> None:
        """Look at this connection at that time of the loop's clock."""
        self._watched.add(connection)
        if due < self._next:
            self._set(due)

    def forget(self, connection: Timed) -> None:
        """The connection is gone."""
        self._watched.discard(connection)

    def _set(self, due: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._next = due
        self._handle = asyncio.get_running_loop().call_at(due, self._look)

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        self._handle = None
        self._next = math.inf
        earliest = math.inf
        for connection in list(self._watched):
            due = connection.expire(now)
            if due == math.inf:
                self._watched.discard(connection)
            earliest = min(earliest, due)
        # A handler may have begun a call meanwhile, so what is set now can be earlier.
        if earliest < self._next:
            self._set(max(earliest, now + _STEP_S))
