"""One component that scales by its load: what is known of it, and its rule. Two kinds for the two rules."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from fairlead.backends.local.scaling import hpa, knative
from fairlead.backends.local.scaling.applying import Counts
from fairlead.backends.local.scaling.hpa import Bounds, Reading
from fairlead.backends.local.scaling.kpa import Terms
from fairlead.backends.local.scaling.rule import Verdict
from fairlead.plan.model import Component
from fairlead.plan.scaling import HorizontalScaling, KnativeScaling, ScaleMetric

Key = tuple[str, str]
"""A plan's key and a component's name."""


class Load(NamedTuple):
    """What the gateway measured of a component: requests that were here on average since the last time, those that
    arrived in it, and those that wait. `is_poke`: some wait, and no replica can be reached."""

    key: Key
    concurrency: float
    requests: int
    waiting: int = 0
    is_poke: bool = False

    def value(self, metric: ScaleMetric) -> float:
        """As the measurement of one second."""
        return float(self.requests) if metric is ScaleMetric.RPS else self.concurrency


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the back-end sees of a component: replicas it wants, how many are ready, and the processes of each ready
    one, by its name."""

    desired: int
    ready: int
    pids: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def counts(self) -> Counts:
        """For decisions."""
        return Counts(current=self.desired, ready=self.ready)


@dataclass(slots=True)
class KnativeWatch:
    """By requests. `memory` begins with the first look at its replicas."""

    key: Key
    scaling: KnativeScaling
    terms: Terms
    seen: Seen | None = None
    memory: knative.Memory | None = None
    verdict: Verdict | None = None

    def reword(self, component: Component, scaling: KnativeScaling) -> None:
        """Its owner asks for something else."""
        self.scaling, self.terms = scaling, terms_of(component, scaling)
        if self.memory is not None:
            self.memory = knative.resized(self.memory, self.terms)

    def see(self, seen: Seen, *, now: float) -> None:
        """Its replicas now."""
        self.seen = seen
        if self.memory is None:
            self.memory = knative.begin(self.terms, seen.counts, now=now)

    def take(self, load: Load, second: int) -> None:
        """Its load in a second."""
        if self.memory is None or self.seen is None:
            return
        if self.seen.ready and self.memory.load.stable.values:
            self.memory = knative.quiet(self.memory, second - 1)
        self.memory = knative.measured(self.memory, second, load.value(self.scaling.metric))

    def carry(self, second: int) -> None:
        """Nobody measured until this second."""
        if self.memory is not None:
            self.memory = knative.carried(self.memory, second)

    def look(self, second: int) -> Verdict | None:
        """How many replicas there should be. What was not told of and has replicas had no load."""
        if self.seen is None or self.memory is None:
            return None
        if self.seen.ready:
            self.memory = knative.quiet(self.memory, second)
        self.verdict, self.memory = knative.look(self.memory, self.terms, self.seen.counts, now=second)
        return self.verdict

    def is_at_rest(self, second: int) -> bool:
        """Whether looking again is pointless until something is heard of it."""
        if self.seen is None or self.memory is None:
            return True
        return knative.is_at_rest(self.memory, self.terms, self.seen.counts, now=second)


@dataclass(slots=True)
class HorizontalWatch:
    """By what its processes use, or by what others measure."""

    key: Key
    rule: HorizontalScaling
    bounds: Bounds
    requested: dict[ScaleMetric, float]
    seen: Seen | None = None
    state: hpa.State | None = None
    readings: Sequence[Reading] = field(default_factory=tuple)
    verdict: Verdict | None = None

    def reword(self, component: Component, rule: HorizontalScaling) -> None:
        """Its owner asks for something else."""
        self.rule, self.bounds, self.requested = rule, bounds_of(component), requested_by(component)
        self.readings = ()

    def see(self, seen: Seen, *, now: float) -> None:
        """Its replicas now."""
        self.seen = seen
        if self.state is None:
            self.state = hpa.begin(seen.desired, now=now)

    def take(self, load: Load, *, now: float) -> None:
        """Requests, which keep the last replica."""
        if self.state is not None and (load.concurrency > 0 or load.requests or load.waiting):
            self.state = replace(self.state, active_at=now)

    def look(self, *, now: float) -> Verdict | None:
        """How many replicas there should be by the last readings."""
        if self.seen is None or self.state is None:
            return None
        self.verdict, self.state = hpa.decide(
            self.state, self.rule, self.bounds, self.readings, current=self.seen.desired, now=now
        )
        return self.verdict


def terms_of(component: Component, scaling: KnativeScaling) -> Terms:
    """What the owner of a component asks for."""
    scale = component.scale
    return Terms(
        scaling=scaling,
        concurrency_limit=component.revision.limits.concurrency,
        min_replicas=scale.min_replicas,
        max_replicas=scale.max_replicas,
        initial_replicas=scale.initial_replicas,
        is_reachable=scale.is_reachable,
        progress_deadline_s=component.progress_deadline_s,
    )


def bounds_of(component: Component) -> Bounds:
    """Between how many replicas."""
    scale = component.scale
    return Bounds(least=scale.min_replicas if scale.is_reachable else 0, most=scale.max_replicas)


def requested_by(component: Component) -> dict[ScaleMetric, float]:
    """What one replica asks for, in cores and bytes; 0 where no unit says."""
    resources = [unit.resources for unit in component.revision.units]
    return {
        ScaleMetric.CPU: sum(one.cpu_request or one.cpu_limit or 0.0 for one in resources),
        ScaleMetric.MEMORY: float(sum(one.memory_request_bytes or one.memory_limit_bytes or 0 for one in resources)),
    }
