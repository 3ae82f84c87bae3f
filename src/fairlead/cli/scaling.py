"""Why components have as many replicas as they have: the newest of the Events that say so, one line for each."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

REASONS = frozenset({"Activated", "ScaledUp", "ScaledDown", "ScaledToZero", "TimedOut"})
_CHANGE = re.compile(r"(?P<component>\S+): \d+ -> (?P<count>\d+) replicas: (?P<why>.*)", re.DOTALL)


def lines(events: Sequence[dict[str, Any]], *, age: Callable[[dict[str, Any]], str]) -> Iterator[str]:
    """`events` come in the order of time."""
    newest: dict[str, tuple[dict[str, Any], re.Match[str]]] = {}
    for event in events:
        change = _CHANGE.fullmatch(str(event.get("message", ""))) if event.get("reason") in REASONS else None
        if change is not None:
            newest[change["component"]] = event, change
    for name, (event, change) in sorted(newest.items()):
        count = int(change["count"])
        replicas = "1 replica" if count == 1 else f"{count} replicas"
        yield f"{name}: {replicas} since {age(event)}: {change['why']}"
