"""What of a scaling decision is worth telling people: changes, not every look."""

from collections.abc import Iterator
from typing import NamedTuple

from fairlead.backends.local.scaling.rule import Verdict

TIMED_OUT = "TimedOut"


class Told(NamedTuple):
    """An Event: a reason, and a sentence."""

    reason: str
    message: str
    is_warning: bool = False


def changes(name: str, before: Verdict | None, now: Verdict, *, current: int, is_poked: bool) -> Iterator[Told]:
    """What is new since the last verdict. `current` is how many replicas were wanted until now."""
    was_panicking = before is not None and before.gauges.is_panicking
    # The first verdict of a process may be panic only because nothing is known of the time before it.
    if now.gauges.is_panicking and before is not None and not was_panicking:
        yield Told("PanicStarted", f"{name}: much more load than its replicas are meant for: {now.why}")
    elif was_panicking and not now.gauges.is_panicking:
        yield Told("PanicEnded", f"{name}: the load is steady again: {now.why}")
    if now.replicas != current:
        yield _changed(name, now, current, is_poked=is_poked)


def _changed(name: str, now: Verdict, current: int, *, is_poked: bool) -> Told:
    step = f"{name}: {current} -> {now.replicas} replicas"
    if not now.replicas:
        if now.condition == TIMED_OUT:
            return Told(TIMED_OUT, f"{step}: {now.message}", is_warning=True)
        return Told("ScaledToZero", f"{step}: {now.why}")
    if not current:
        return Told("Activated", f"{step}: {'a request arrived; ' if is_poked else ''}{now.why}")
    return Told("ScaledUp" if now.replicas > current else "ScaledDown", f"{step}: {now.why}")
