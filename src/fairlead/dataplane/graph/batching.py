"""Natural batching, and which thread a unit's calls run on.

A `Lane` is one unit's way in: one call at a time (units are not thread-safe unless they say so), on the event loop
while calls are short, on a thread once they measure longer, so that health and other requests stay live. A
`RowQueue` in front of it joins the rows of requests that arrive in one turn of the loop, or while the unit is busy,
into one call. Nothing here ever waits for a timer to collect more.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from fairlead.dataplane.graph.driving import CallLater, Done, Later
from fairlead.dataplane.tallies import UnitTally
from fairlead.errors import Overloaded
from fairlead.runtimes.base import Rows

Array = np.ndarray[Any, Any]
Work = Callable[..., Any]

PATIENCE_S = 30.0
"""How long a call may have to wait for its turn."""
# Two thresholds, so that a unit near one does not hop to and fro.
TO_THREAD_S = 0.002
TO_LOOP_S = 0.001
_WEIGHT = 0.2
_FAR_BELOW_S = TO_LOOP_S / 4
_MOST_ROWS = 1024
# Fewer requests than this are not worth the question how long they take.
_BACKLOG = 64
# Calls up to this size are taken to cost what the average one does; larger ones cost more in proportion.
_USUAL_ROWS = 64


class Pace:
    """How long a unit's calls take: a moving average, and what it says about the loop. The first call is not
    counted because libraries set themselves up in it."""

    __slots__ = ("_calls", "_rows", "_seconds", "is_quick")

    def __init__(self) -> None:
        self.is_quick = False
        self._calls = 0
        self._seconds = 0.0
        self._rows = 1.0

    @property
    def seconds(self) -> float:
        """What a call takes."""
        return self._seconds

    @property
    def rows(self) -> float:
        """How many rows it has."""
        return self._rows

    def note(self, seconds: float, rows: int) -> None:
        """Count one call over so many rows."""
        self._calls += 1
        if self._calls <= 2:
            self._seconds, self._rows = seconds, rows
            self.is_quick = self._calls == 2 and seconds < TO_LOOP_S
            return
        # On a busy machine a call is now and then put aside for many milliseconds; one such call says nothing of the
        # unit, so what it counts for is bounded. A unit that turns slow is found out by its third slow call.
        bounded = min(seconds, 10 * self._seconds + 0.001)
        self._seconds += _WEIGHT * (bounded - self._seconds)
        self._rows += _WEIGHT * (rows - self._rows)
        self.is_quick = self._seconds < (TO_THREAD_S if self.is_quick else TO_LOOP_S)

    def note_quick(self, seconds: float) -> None:
        """Count one call over one row that ran on the loop. What is far below the threshold cannot change the verdict
        of a pace that is quick, so it is not averaged. Measured: 0.06 us against 0.25 us."""
        if seconds > _FAR_BELOW_S or self._seconds > _FAR_BELOW_S:
            self.note(seconds, 1)

    def allows(self, rows: int) -> bool:
        """Whether a call over so many rows may hold the loop."""
        return self.is_quick and self._seconds * rows <= TO_THREAD_S * max(self._rows, _USUAL_ROWS)


class _Job:
    __slots__ = ("args", "finish", "later", "queued", "rows", "tickets", "work")

    def __init__(
        self,
        work: Work,
        args: tuple[Any, ...],
        rows: int,
        finish: Done[Any],
        later: Later[Any] | None,
        tickets: "Sequence[Ticket]" = (),
    ) -> None:
        self.later = later
        self.tickets = tickets
        self.queued = perf_counter()
        self.work = work
        self.args = args
        self.rows = rows
        self.finish = finish

    @property
    def is_wanted(self) -> bool:
        """Whether somebody may still wait for what it gives."""
        if self.later is not None:
            return not self.later.is_abandoned
        return not self.tickets or any(ticket.is_wanted for ticket in self.tickets)


class Lane:
    """The calls of one unit, in order. Everything but the work itself happens on the loop's thread."""

    def __init__(
        self,
        name: str,
        loop: asyncio.AbstractEventLoop,
        *,
        threads: int = 1,
        patience_s: float = PATIENCE_S,
        tally: UnitTally | None = None,
    ) -> None:
        self.pace = Pace()
        self.tally = tally if tally is not None else UnitTally()
        self._patience_s = patience_s
        self.when_free: Callable[[], None] | None = None
        """Called whenever a call ended and nothing waits."""
        self._name = name
        self._loop = loop
        self._threads = threads
        self._running = 0
        self._started = 0
        self._waiting: deque[_Job] = deque()
        self._inbox: SimpleQueue[_Job | None] = SimpleQueue()

    @property
    def is_free(self) -> bool:
        """Whether a call would start at once."""
        return self._running < self._threads and not self._waiting

    @property
    def is_open(self) -> bool:
        """Whether a call may run here and now."""
        return self.pace.is_quick and self._running < self._threads and not self._waiting

    def run(self, work: Work, *args: Any) -> Any:
        """Run `work(*args)` here and now; only while `is_open`."""
        # Nothing else can start meanwhile: this is the loop's thread, and the work does not come back here.
        started = perf_counter()
        try:
            return work(*args)
        finally:
            elapsed = perf_counter() - started
            self.pace.note(elapsed, 1)
            self.tally.inside.observe(elapsed)

    def later(self, work: Work, *args: Any) -> Later[Any]:
        """Run `work(*args)` in turn; what it gives settles the `Later`."""
        later: Later[Any] = Later()
        self._queue(_Job(work, args, 1, later.settle, later))
        return later

    async def call(self, work: Work, *args: Any) -> Any:
        """Run `work(*args)` now or in turn and give what it gives."""
        return self.run(work, *args) if self.is_open else await self.later(work, *args)

    def submit(
        self,
        work: Work,
        args: tuple[Any, ...],
        finish: Done[Any],
        *,
        rows: int = 1,
        tickets: "Sequence[Ticket]" = (),
    ) -> None:
        """Run `work(*args)` in turn and call `finish` on the loop, possibly before this returns. `tickets` are those
        it answers. Raises `Overloaded` when its turn would come too late for anybody to wait for."""
        self._queue(_Job(work, args, rows, finish, None, tickets))

    @property
    def call_later(self) -> CallLater:
        """The loop's."""
        return self._loop.call_later

    def refuse_if_late(self, calls: float, requests: int) -> None:
        """Raise `Overloaded` when so many calls ahead take longer than anybody should wait: a queue that only grows
        helps nobody, and a client that is told at once can go elsewhere."""
        late_s = calls * self.pace.seconds / self._threads
        if late_s > self._patience_s:
            raise Overloaded(
                f"unit {self._name!r}: {requests} requests wait, about {late_s:.0f} s of work; the limit is "
                f"{self._patience_s:g} s",
                after_s=late_s - self._patience_s,
            )

    def close(self) -> None:
        """End the threads once they have done what they hold."""
        for _ in range(self._started):
            self._inbox.put(None)

    def _queue(self, job: _Job) -> None:
        if self.is_free:
            self._start(job)
            return
        if self._waiting:
            try:
                self.refuse_if_late(len(self._waiting), len(self._waiting))
            except Overloaded:
                self._waiting = deque(job for job in self._waiting if job.is_wanted)
                self.refuse_if_late(len(self._waiting), len(self._waiting))
        self._waiting.append(job)
        self._advance()

    def _advance(self) -> None:
        while self._waiting and self._running < self._threads:
            job = self._waiting.popleft()
            if job.is_wanted:
                self._start(job)

    def _start(self, job: _Job) -> None:
        if self.pace.allows(job.rows):
            self._settle_here(job)
        else:
            self._hand_over(job)

    def _settle_here(self, job: _Job) -> None:
        value, problem = None, None
        started = perf_counter()
        try:
            value = job.work(*job.args)
        except Exception as error:
            problem = error
        elapsed = perf_counter() - started
        self.pace.note(elapsed, job.rows)
        self._count(job, started, elapsed)
        job.finish(value, problem)

    def _count(self, job: _Job, started: float, elapsed: float) -> None:
        if job.tickets:
            self.tally.called_for(job.tickets, job.rows, started, elapsed)
        else:
            self.tally.called(started - job.queued, elapsed)

    def _hand_over(self, job: _Job) -> None:
        self._running += 1
        if self._started < self._running:
            self._started += 1
            threading.Thread(target=self._serve, name=f"{self._name}-{self._started}", daemon=True).start()
        self._inbox.put(job)

    def _serve(self) -> None:
        while (job := self._inbox.get()) is not None:
            value, problem = None, None
            started = perf_counter()
            try:
                value = job.work(*job.args)
            except Exception as error:
                problem = error
            elapsed = perf_counter() - started
            try:
                self._loop.call_soon_threadsafe(self._handed_back, job, value, problem, started, elapsed)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return

    def _handed_back(self, job: _Job, value: Any, problem: Exception | None, started: float, elapsed: float) -> None:
        self._running -= 1
        self.pace.note(elapsed, job.rows)
        self._count(job, started, elapsed)
        job.finish(value, problem)
        self._advance()
        if self.when_free is not None and self.is_free:
            self.when_free()


class Ticket(Protocol):
    """A request's place in a batch. `give` gets the rows of its answer, or `None`: then it must ask alone, which
    keeps a bad row's failure to itself and its error in the unit's own words. `started` is when it was made, by
    `perf_counter`."""

    rows: Array
    started: float

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for the answer."""

    def give(self, answer: Array | None) -> None: ...


class RowQueue:
    """Rows that wait for their unit. Only rows of one dtype and width share a call, so that nobody's integers
    become floats because of a neighbour."""

    def __init__(self, model: Rows, lane: Lane, loop: asyncio.AbstractEventLoop) -> None:
        self._model = model
        self._lane = lane
        self._loop = loop
        self._waiting: list[Ticket] = []
        self._is_scheduled = False
        lane.when_free = self._freed

    def submit(self, ticket: Ticket) -> None:
        """Answer this ticket with the next call. Raises `Overloaded` as `Lane.submit`."""
        waiting = len(self._waiting)
        if waiting >= _BACKLOG:
            try:
                self._lane.refuse_if_late(waiting / self._lane.pace.rows, waiting)
            except Overloaded:
                self._drop_left()
                waiting = len(self._waiting)
                self._lane.refuse_if_late(waiting / self._lane.pace.rows, waiting)
        self._waiting.append(ticket)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._is_scheduled = False
        if self._lane.is_free:
            self._flush()

    def _freed(self) -> None:
        if self._waiting:
            self._drop_left()
            self._flush()

    def _drop_left(self) -> None:
        """Clients leave a queue; whose answer nobody wants is not worked for."""
        self._waiting = [ticket for ticket in self._waiting if ticket.is_wanted]

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for batch in _batches(waiting):
            self._predict(batch)

    def _predict(self, batch: list[Ticket]) -> None:
        rows = batch[0].rows if len(batch) == 1 else np.concatenate([ticket.rows for ticket in batch])
        total = len(rows)
        self._lane.submit(
            self._model.predict,
            (rows,),
            lambda value, error: _deliver(batch, total, value, error),
            rows=total,
            tickets=batch,
        )


def _batches(tickets: list[Ticket]) -> list[list[Ticket]]:
    """Tickets whose rows may share a call, in order of arrival, none larger than one call should be."""
    if _are_alike(tickets):
        return [tickets]
    open_: dict[tuple[Any, Any], list[Ticket]] = {}
    sizes: dict[tuple[Any, Any], int] = {}
    batches: list[list[Ticket]] = []
    for ticket in tickets:
        rows = ticket.rows
        kind = (rows.dtype, rows.shape[1:])
        size = sizes.get(kind, _MOST_ROWS) + len(rows)
        if size > _MOST_ROWS:
            open_[kind] = []
            batches.append(open_[kind])
            size = len(rows)
        open_[kind].append(ticket)
        sizes[kind] = size
    return batches


def _are_alike(tickets: list[Ticket]) -> bool:
    """Whether all of them make one call, as nearly always. Looked at first because grouping costs a fast request
    0.6 us and this a quarter of it. Arrays made from numbers share their dtype objects."""
    if not tickets:
        return False
    first = tickets[0].rows
    dtype, shape = first.dtype, first.shape
    if len(tickets) * shape[0] > _MOST_ROWS:
        return False
    for ticket in tickets:  # noqa: SIM110 - a generator would cost most of what this saves
        if ticket.rows.dtype is not dtype or ticket.rows.shape != shape:
            return False
    return True


def _deliver(batch: list[Ticket], total: int, value: Any, error: Exception | None) -> None:
    answer = None if error is not None else np.asarray(value)
    if answer is None or not answer.ndim or len(answer) != total:
        for ticket in batch:
            ticket.give(None)
        return
    if len(batch) == 1:
        batch[0].give(answer)
        return
    start = 0
    for ticket in batch:
        end = start + len(ticket.rows)
        ticket.give(answer[start:end])
        start = end
