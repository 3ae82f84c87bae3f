"""What changed lately, in order, and cursors over it for whoever watches.

Every watcher reads one shared window, so a slow one costs nothing: when it falls out of the window it is told to
list again. There is no polling; publishing a change wakes those who wait.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from fairlead.control.db import ObjectKey
from fairlead.errors import Gone


@dataclass(frozen=True, slots=True)
class Record:
    """One version of an object, as JSON, with the parts that are looked at without parsing it."""

    revision: int
    body: bytes
    uid: str
    labels: dict[str, str]
    owners: tuple[str, ...] = ()
    is_terminating: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """An object before and after. A deletion's `after` is its last state under the deletion's revision."""

    revision: int
    key: ObjectKey
    before: Record | None
    after: Record
    is_deletion: bool = False

    @property
    def size_bytes(self) -> int:
        """What keeping it costs, roughly."""
        return len(self.after.body) + (len(self.before.body) if self.before else 0) + 200


@dataclass(slots=True)
class History:
    """The last changes, bounded by number and bytes."""

    limit: int = 4096
    limit_bytes: int = 16 * 1024 * 1024
    _changes: deque[Change] = field(default_factory=deque)
    _bytes: int = 0
    _dropped: int = 0
    _floor: int = 0
    _waiters: set[asyncio.Future[None]] = field(default_factory=set)
    _is_closed: bool = False

    def start_at(self, revision: int) -> None:
        """Nothing at or before this revision is known."""
        self._floor = revision

    @property
    def end(self) -> int:
        """The position after the newest change."""
        return self._dropped + len(self._changes)

    @property
    def is_closed(self) -> bool:
        """Whether watchers should stop."""
        return self._is_closed

    def publish(self, changes: list[Change]) -> None:
        """Append, forget the oldest beyond the bounds, and wake every waiter."""
        for change in changes:
            self._changes.append(change)
            self._bytes += change.size_bytes
        while self._changes and (len(self._changes) > self.limit or self._bytes > self.limit_bytes):
            dropped = self._changes.popleft()
            self._bytes -= dropped.size_bytes
            self._dropped += 1
            self._floor = dropped.revision
        self._wake()

    def position_after(self, revision: int, newest: int) -> int:
        """Where to read on for someone who has seen everything up to `revision`."""
        if revision < self._floor or revision > newest:
            raise Gone(f"too old resource version: {revision} ({max(self._floor, 1)})")
        position = self.end
        for change in reversed(self._changes):
            if change.revision <= revision:
                break
            position -= 1
        return position

    def read(self, position: int) -> tuple[list[Change], int]:
        """The changes from a position on, and the next position."""
        if position < self._dropped:
            raise Gone("the watch is too far behind: list again")
        count = self.end - position
        newest = [self._changes[-1 - i] for i in range(count)]
        newest.reverse()
        return newest, self.end

    async def wait(self, position: int, timeout_s: float | None) -> bool:
        """Until there is something to read at a position (then true), the history closes or the time is over."""
        if self.end > position or self._is_closed:
            return self.end > position
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait_for(waiter, timeout_s)
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return self.end > position

    def close(self) -> None:
        """End every watch."""
        self._is_closed = True
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
