"""Counting in the hot path: plain integers in lists, summed up when somebody asks.

How often a series was observed is the sum of its buckets, so an observation is one search and two additions.
Measured: 0.15 us.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Protocol

from fairlead.protocols.exposition import Labels

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Those of Seldon's orchestrator, which are those of Prometheus' clients and so KServe's too."""
FINE_BOUNDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""For what takes microseconds when all is well."""
_FINEST = FINE_BOUNDS[0]
ROW_BOUNDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
QUANTILES = (0.5, 0.75, 0.9, 0.98, 0.99, 1.0)
_RECENT = 1024


class Arrival(Protocol):
    """Something that arrived at a moment of `perf_counter`."""

    started: float


class Tally:
    """A histogram."""

    __slots__ = ("bounds", "buckets", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.total = 0.0

    @property
    def count(self) -> int:
        """How many were observed."""
        return sum(self.buckets)

    def observe(self, value: float) -> None:
        """Count one."""
        self.buckets[bisect_left(self.bounds, value)] += 1
        self.total += value


class Latency:
    """Durations of one labelled series: a histogram, and the latest ones for quantiles."""

    __slots__ = ("_recent", "buckets", "labels", "total")

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.total = 0.0
        self._recent: deque[float] = deque(maxlen=_RECENT)

    @property
    def count(self) -> int:
        """How many calls were observed."""
        return sum(self.buckets)

    def observe(self, seconds: float) -> None:
        """Count one call."""
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds
        self._recent.append(seconds)

    def quantiles(self) -> Iterator[tuple[float, float]]:
        """Quantiles of the latest calls, with their values."""
        ordered = sorted(self._recent)
        for quantile in QUANTILES:
            yield quantile, ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]


class Quick:
    """Observes calls of one method that a unit answered the moment they came: they took as long inside the unit as
    their caller waited."""

    __slots__ = ("_coarse", "_fine", "_inside", "_latency", "_remember")

    def __init__(self, inside: Tally, latency: Latency) -> None:
        self._inside = inside
        self._latency = latency
        self._fine = inside.buckets
        self._coarse = latency.buckets
        self._remember = latency._recent.append

    def observe(self, seconds: float) -> None:
        """Count one call in both. What is in the first bucket of the fine bounds is in the first of the others, so it
        needs no search. Measured, both together: 0.17 us against 0.28 us."""
        if seconds > _FINEST:
            self._inside.observe(seconds)
            self._latency.observe(seconds)
            return
        self._fine[0] += 1
        self._coarse[0] += 1
        self._inside.total += seconds
        self._latency.total += seconds
        self._remember(seconds)


class UnitTally:
    """What one unit's calls cost: how long they waited for it, how long it took, and over how many rows."""

    __slots__ = ("calls_in_turn", "inside", "refused", "rows", "waits")

    def __init__(self) -> None:
        self.inside = Tally(FINE_BOUNDS)
        self.waits = Tally(FINE_BOUNDS)
        self.rows = Tally(ROW_BOUNDS)
        self.refused = 0
        self.calls_in_turn = 0
        """Calls whose wait is in `waits`; all others were answered the moment they came."""

    def called(self, waited_s: float, elapsed_s: float) -> None:
        """One call that had to take its turn."""
        self.calls_in_turn += 1
        self.waits.observe(waited_s)
        self.inside.observe(elapsed_s)

    def called_for(self, arrivals: Sequence[Arrival], rows: int, started: float, elapsed_s: float) -> None:
        """One call for several requests, in the order they arrived. Those of one turn of the loop waited about as
        long, so they are counted together; measured: 0.04 us a request."""
        self.calls_in_turn += 1
        self.inside.observe(elapsed_s)
        self.rows.observe(rows)
        waits = self.waits
        slot = bisect_left(FINE_BOUNDS, started - arrivals[0].started)
        if slot == bisect_left(FINE_BOUNDS, started - arrivals[-1].started):
            waits.buckets[slot] += len(arrivals)
            waits.total += started * len(arrivals) - sum([one.started for one in arrivals])
            return
        for one in arrivals:
            waits.observe(started - one.started)

    def wait_buckets(self) -> list[int]:
        """The waits with those that were none."""
        first, *others = self.waits.buckets
        return [first + self.inside.count - self.calls_in_turn, *others]
