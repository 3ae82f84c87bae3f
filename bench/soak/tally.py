"""What the soak's clients saw: outcomes and times by kind of traffic, and everything that must not happen."""

import json
import re
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

CALM, STORM, WARM_UP = "calm", "storm", "warm-up"
_KEPT_VIOLATIONS = 5
_DIGITS = re.compile(r"[0-9a-f]*[0-9][0-9a-f]*(\.[0-9]+)?")
_FAILURE = ("FAILURE", 1)
"""As Seldon's executor says it, and as its Python wrapper does."""


class Wrong(Exception):
    """An answer that is not the one its request must have."""


@dataclass(slots=True)
class Tally:
    """Counts of one run. `phase` is what the run is in now; times are kept for each phase."""

    phase: str = WARM_UP
    is_gateway_killed: bool = False
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    seconds: dict[tuple[str, str], "array[float]"] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    words: Counter[str] = field(default_factory=Counter)
    violation_count: int = 0
    violated: Counter[str] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.monotonic)

    def note(self, kind: str, outcome: str, taken_s: float | None = None) -> None:
        """One request ended as it may. What follows a bar in the outcome are the words of a refusal."""
        outcome, _, words = outcome.partition("|")
        if words:
            self.words[f"{outcome}: {_DIGITS.sub('#', words)}"] += 1
        self.counts.setdefault(kind, Counter())[outcome] += 1
        if taken_s is not None:
            self.seconds.setdefault((kind, self.phase), array("d")).append(taken_s)

    def violate(self, kind: str, words: str) -> None:
        """Something happened that must not."""
        self.violation_count += 1
        self.violated[kind] += 1
        if self.violated[kind] <= _KEPT_VIOLATIONS:
            self.violations.append(f"{time.monotonic() - self.started:.1f} s, {kind}: {words[:600]}")

    def lose(self, kind: str, words: str) -> None:
        """A connection broke. Only a killed gateway may do that."""
        if self.is_gateway_killed:
            self.excused[kind] += 1
        else:
            self.violate(kind, words)

    @property
    def requests(self) -> int:
        """How many ended so far."""
        return sum(sum(counts.values()) for counts in self.counts.values())

    @property
    def refused(self) -> int:
        """How many of them with a refusal."""
        return sum(n for counts in self.counts.values() for word, n in counts.items() if word.startswith("refused"))

    def percentile_ms(self, kind: str, phase: str, share: float) -> float | None:
        """A percentile of the times of right answers; nothing below twenty of them."""
        found = sorted(self.seconds.get((kind, phase), ()))
        return round(found[min(len(found) - 1, int(len(found) * share))] * 1000, 1) if len(found) >= 20 else None


def refusal_of(protocol: str, status: int, body: bytes) -> str:
    """The name of a refusal that is worded as its protocol words them; raises `Wrong` for another."""
    try:
        said: Any = json.loads(body)
        is_seldon = protocol == "seldon"
        words = said["status"]["info"] if is_seldon else said["error"]
        is_worded = isinstance(words, str) and (not is_seldon or said["status"]["status"] in _FAILURE)
    except (ValueError, KeyError, TypeError):
        is_worded, words = False, ""
    if not is_worded:
        raise Wrong(f"a refusal ({status}) that is not worded as {protocol} words them: {body[:300]!r}")
    return f"refused {status}|{words}"
