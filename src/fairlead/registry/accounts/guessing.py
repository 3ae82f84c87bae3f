"""How often somebody may be wrong: a few wrong passwords or codes, then a pause, by address and by name.

Counts are this process's own. Behind several control processes a guesser gets that many times as many tries, which
is still far from enough.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fairlead.errors import FairleadError, TooManyRequests

WINDOW_S = 300.0
_ALLOWED = {"address": 20, "name": 10}
_MOST_KEPT = 10_000


class Guesses:
    """Failures of the last minutes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: dict[tuple[str, str], list[float]] = {}

    @contextmanager
    def counted(self, *, address: str, name: str = "") -> Iterator[None]:
        """Refuse at once what has been guessed at too often, and count a refusal that the block raises."""
        keys = [("address", address), *([("name", name)] if name else [])]
        for key in keys:
            self._refuse_many(key)
        try:
            yield
        except FairleadError as error:
            if error.http in (400, 401, 403):
                self._count(keys)
            raise
        self._failures.pop(keys[-1], None)

    def _refuse_many(self, key: tuple[str, str]) -> None:
        since = self._clock() - WINDOW_S
        recent = [at for at in self._failures.get(key, ()) if at > since]
        if len(recent) >= _ALLOWED[key[0]]:
            wait_s = recent[-_ALLOWED[key[0]]] + WINDOW_S - self._clock()
            raise TooManyRequests(f"too many failed attempts: try again in {wait_s:.0f} s", after_s=wait_s)

    def _count(self, keys: list[tuple[str, str]]) -> None:
        if len(self._failures) >= _MOST_KEPT:
            self._drop_old()
        for key in keys:
            kept = self._failures.setdefault(key, [])
            kept.append(self._clock())
            del kept[: -_ALLOWED[key[0]]]

    def _drop_old(self) -> None:
        since = self._clock() - WINDOW_S
        self._failures = {key: times for key, times in self._failures.items() if times[-1] > since}
