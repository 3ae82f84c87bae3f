"""Who gets the next request when several may: exact shares, with nothing left to chance.

Seldon splits at random. Over any whole cycle of the weights the turns here are exact instead and spread evenly (a
smooth weighted round robin), so a canary of 10 % gets 10 of 100 requests and not 4 or 17, and weight 0 gets none.
"""

from collections.abc import Sequence


class Splitter:
    """Takes turns among weighted choices."""

    __slots__ = ("_credit", "_only", "_total", "_weights")

    def __init__(self, weights: Sequence[int]) -> None:
        self._weights = [(index, weight) for index, weight in enumerate(weights) if weight > 0]
        self._credit = [0] * len(weights)
        self._total = sum(weight for _, weight in self._weights)
        self._only = self._weights[0][0] if len(self._weights) == 1 else None

    def next(self) -> int | None:
        """The index of the choice whose turn it is; `None` when no choice has a weight."""
        if self._only is not None:
            return self._only
        if not self._weights:
            return None
        credit = self._credit
        best = -1
        for index, weight in self._weights:
            credit[index] += weight
            if best < 0 or credit[index] > credit[best]:
                best = index
        credit[best] -= self._total
        return best


class Sampler:
    """Says yes to a percentage of questions, evenly spread."""

    __slots__ = ("_credit", "_percent")

    def __init__(self, percent: float) -> None:
        self._percent = percent
        self._credit = 0.0

    def take(self) -> bool:
        """Whether this one is in the sample."""
        self._credit += self._percent
        if self._credit < 100:
            return False
        self._credit -= 100
        return True
