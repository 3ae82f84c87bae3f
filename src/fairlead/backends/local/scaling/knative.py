"""Knative's rule as a whole: what the load asks for, then what may be done about it."""

import math
from dataclasses import dataclass, replace

from fairlead.backends.local.scaling import applying, kpa
from fairlead.backends.local.scaling.applying import Activity, Applied, Counts, Standing
from fairlead.backends.local.scaling.kpa import Decision, State, Terms
from fairlead.backends.local.scaling.rule import Gauges, Verdict

__all__ = ["Counts", "Memory", "Terms", "begin", "carried", "is_at_rest", "look", "measured", "quiet", "resized"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Everything that is remembered of one revision of a component. `excess_burst` is that of the last decision."""

    load: State
    standing: Standing
    excess_burst: int | None = None


def begin(terms: Terms, counts: Counts, *, now: float) -> Memory:
    """Look at a revision for the first time in this process."""
    return Memory(
        load=kpa.begin(terms, ready=counts.ready, now=now),
        standing=applying.begin(terms, counts, now=now),
        excess_burst=kpa.excess_at_start(terms),
    )


def measured(memory: Memory, second: int, value: float) -> Memory:
    """With the load of a second."""
    return replace(memory, load=memory.load.measured(second, value))


def quiet(memory: Memory, second: int) -> Memory:
    """With no load until this second, where nobody measured any. Not having been told of is a measurement too."""
    load = memory.load
    return replace(memory, load=load.quiet(second) if load.stable.values else load.measured(second, 0.0))


def carried(memory: Memory, second: int) -> Memory:
    """As if the load had stayed what it was until this second."""
    return replace(memory, load=memory.load.carried(second))


def resized(memory: Memory, terms: Terms) -> Memory:
    """For new terms: windows of another length keep what they can."""
    load = memory.load
    return replace(
        memory,
        load=replace(
            load, stable=load.stable.resized(terms.stable_window_s), panic=load.panic.resized(terms.panic_window_s)
        ),
    )


def look(memory: Memory, terms: Terms, counts: Counts, *, now: float) -> tuple[Verdict, Memory]:
    """How many replicas there should be now."""
    decision, load = kpa.decide(memory.load, terms, ready=counts.ready, now=now)
    excess = decision.excess_burst if decision else memory.excess_burst
    applied, standing = applying.apply(
        memory.standing,
        terms,
        counts,
        desired=decision.desired if decision else None,
        excess_burst=excess,
        now=now,
    )
    verdict = Verdict(
        replicas=applied.replicas,
        why=_why(decision, applied, memory.standing, terms, now),
        condition=applied.reason,
        message=applied.message,
        wake_at=applied.wake_at,
        gauges=_gauges(decision, terms, excess),
    )
    return verdict, Memory(load=load, standing=standing, excess_burst=excess)


def is_at_rest(memory: Memory, terms: Terms, counts: Counts, *, now: float) -> bool:
    """Nothing will change until a request comes: it has the least it may have, and nothing asks for more."""
    if counts.ready != counts.current or memory.load.panic_at is not None:
        return False
    if not counts.current:
        return memory.standing.activity is Activity.INACTIVE and memory.load.stable.average(now) is None
    is_quiet = memory.standing.activity is Activity.ACTIVE and not any(memory.load.stable.values)
    return is_quiet and counts.current == applying.bounds(memory.standing, terms)[0]


def _gauges(decision: Decision | None, terms: Terms, excess: int | None) -> Gauges:
    if decision is None:
        return Gauges(target=terms.target, excess_burst=excess or 0)
    return Gauges(
        is_panicking=decision.is_panicking,
        stable=decision.stable,
        panic=decision.panic,
        target=decision.target,
        excess_burst=decision.excess_burst,
    )


def _why(decision: Decision | None, applied: Applied, standing: Standing, terms: Terms, now: float) -> str:
    asked = decision.desired if decision else None
    text = decision.reason if decision else "nothing was measured yet"
    least, most = applying.bounds(standing, terms)
    if asked is not None and applied.replicas == least > asked:
        name = "the initial scale" if not standing.is_initialized and least > terms.min_replicas else "the minimum"
        return f"{text}; {name} is {least}"
    if asked is not None and most and applied.replicas == most < asked:
        return f"{text}; the maximum is {most}"
    if applied.replicas and not asked and not least:
        return _why_not_zero(text, applied, standing, terms, now)
    if not applied.replicas and applied.message:
        return applied.message
    return text


def _why_not_zero(text: str, applied: Applied, standing: Standing, terms: Terms, now: float) -> str:
    if not terms.scaling.may_reach_zero:
        return f"{text}; scale to zero is disabled"
    if applied.wake_at is None or standing.activity is Activity.ACTIVATING:
        return text
    wait_s = math.ceil(applied.wake_at - now)
    return f"{text}; the last replica is kept for {wait_s} s more" if wait_s > 0 else text
