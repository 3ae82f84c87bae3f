"""Averages over the last seconds of what was measured once a second, as Knative takes them.

A window that has just begun is averaged over what there is of it, so a burst on something idle counts in full at once
instead of being thinned by the minute of silence before it.
"""

import math
from dataclasses import dataclass, replace

_MICRO = 1_000_000
_LEAST_WEIGHT = 0.2
_COVERED = 0.9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """One value for each second of a window. `values` end with that of the second `last`; a second between two written
    ones is zero."""

    window_s: int
    last: int = 0
    values: tuple[float, ...] = ()

    def record(self, second: int, value: float) -> "Buckets":
        """Add a value to its second. After a window without any, it begins anew; a second before the first one kept
        is too old to matter."""
        gap = second - self.last
        if not self.values or gap >= self.window_s:
            return replace(self, last=second, values=(value,))
        if gap > 0:
            values = (*self.values, *(0.0,) * (gap - 1), value)
            return replace(self, last=second, values=values[-self.window_s :])
        place = len(self.values) - 1 + gap
        if place < 0:
            return self
        return replace(self, values=(*self.values[:place], self.values[place] + value, *self.values[place + 1 :]))

    def filled(self, second: int, value: float) -> "Buckets":
        """With this value for every second after the last one, up to this one."""
        gap = second - self.last
        if not self.values or gap <= 0:
            return self
        values = (*self.values, *(value,) * min(gap, self.window_s))
        return replace(self, last=second, values=values[-self.window_s :])

    def carried(self, second: int) -> "Buckets":
        """As if every second up to this one had been like the last: for seconds that nobody measured."""
        return self.filled(second, self.values[-1]) if self.values else self

    def resized(self, window_s: int) -> "Buckets":
        """For another length of the window, with what there is of it."""
        return replace(self, window_s=window_s, values=self.values[-window_s:])

    def average(self, now: float, *, is_weighted: bool = False) -> float | None:
        """The mean of what there is of the window, or the sum in which each second counts for a fixed part of the next
        one. `None` when nothing in the window was written."""
        age = max(0, math.floor(now) - self.last)
        if not self.values or age >= self.window_s:
            return None
        # Seconds since the last value are not here yet, so they are no part of the mean.
        inside = self.values[-(self.window_s - age) :]
        if is_weighted:
            return _weighted(inside, age, self.window_s)
        return math.floor(math.fsum(inside) / len(inside) * _MICRO) / _MICRO


def _weighted(values: tuple[float, ...], age: int, window_s: int) -> float:
    # The weights of a whole window add up to nearly one; in a long window that alone would forget too slowly.
    weight = max(_LEAST_WEIGHT, 1 - (1 - _COVERED) ** (1 / window_s))
    return math.fsum(value * weight * (1 - weight) ** (age + back) for back, value in enumerate(reversed(values)))
