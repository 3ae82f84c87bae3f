"""Kubernetes' horizontal rule: replicas times current over target, the largest of all metrics, and not too fast.

Pure, like Knative's. The least is one replica; with `may_reach_zero` (KEDA's extension of it) the last one goes when no
outside metric and no request has asked for it for a while. https://kubernetes.io/docs/tasks/run-application/
horizontal-pod-autoscale/ describes the rule, https://keda.sh/docs/ the extension.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fairlead.backends.local.scaling.rule import Gauges, Verdict
from fairlead.plan.scaling import HorizontalScaling, MetricTarget, ScaleMetric, ScalingPolicy, ScalingRules

SYNC_S = 15.0
"""How often the rule is applied."""
_TOLERANCE = 0.1
_COOLDOWN_S = 300.0
_FRESH_S = 1.0
"""What asked for a replica this short a time ago asks for it now."""
_UP = (ScalingPolicy(type="Pods", value=4, period_s=15.0), ScalingPolicy(type="Percent", value=100, period_s=15.0))
_DOWN = (ScalingPolicy(type="Percent", value=100, period_s=15.0),)
_UNITS = {ScaleMetric.CPU: "cores", ScaleMetric.MEMORY: "bytes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One metric now. `total` is over the `measured` replicas, or what the query answered; `requested` is what one
    replica asks for. A `problem` says why there is no value; a resource that was measured nowhere has one."""

    target: MetricTarget
    total: float = 0.0
    measured: int = 0
    requested: float = 0.0
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Between how many replicas; a most of 0 is none."""

    least: int
    most: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """`wishes` are the last recommendations with their times, `changes` by how many replicas were added then.
    `active_at` is when something asked for a replica last."""

    active_at: float
    wishes: tuple[tuple[float, int], ...] = ()
    changes: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True)
class _Proposal:
    replicas: int
    why: str


def begin(current: int, *, now: float) -> State:
    """Without a past: what there is counts as wished for."""
    return State(active_at=now, wishes=((now, current),)) if current else State(active_at=-math.inf)


def decide(
    state: State, rule: HorizontalScaling, bounds: Bounds, readings: Sequence[Reading], *, current: int, now: float
) -> tuple[Verdict, State]:
    """How many replicas there should be. Requests that come in now are told by `active_at`."""
    if any(reading.total > 0 for reading in readings if reading.target.metric is ScaleMetric.EXTERNAL):
        state = replace(state, active_at=now)
    if _is_idle(state, rule, bounds, readings, current=current, now=now):
        return _verdict(0, "nothing has asked for a replica", readings), replace(state, wishes=(), changes=())
    asked = _largest(readings, current)
    least = max(1, bounds.least)
    wish = min(max(asked.replicas, least), bounds.most or math.inf)
    state = replace(state, wishes=_recent(state.wishes, (now, int(wish)), rule, now))
    steady = _steady(state, rule, max(current, 1), now)
    allowed = min(max(_at_pace(state, rule, max(current, 1), steady, now), least), bounds.most or math.inf)
    replicas = int(allowed)
    if replicas != current:
        state = replace(state, changes=(*_lately(state.changes, rule, now), (now, replicas - current)))
    return _verdict(replicas, _why(asked, int(wish), steady, replicas, bounds), readings), state


def _is_idle(
    state: State, rule: HorizontalScaling, bounds: Bounds, readings: Sequence[Reading], *, current: int, now: float
) -> bool:
    if not rule.may_reach_zero or bounds.least > 0:
        return False
    idle_s = now - state.active_at
    if current == 0:
        return idle_s > _FRESH_S
    # What cannot be asked is no reason to go.
    return idle_s >= _COOLDOWN_S and not any(reading.problem for reading in readings)


def _largest(readings: Sequence[Reading], current: int) -> _Proposal:
    proposals = [_propose(reading, max(current, 1)) for reading in readings if not reading.problem]
    problems = [reading.problem for reading in readings if reading.problem]
    best = max(proposals, key=lambda one: one.replicas, default=_Proposal(current, "no metric says otherwise"))
    if problems:
        # Down only when every metric agrees to it.
        return _Proposal(max(best.replicas, current), "; ".join((best.why, *problems)))
    return best


def _propose(reading: Reading, current: int) -> _Proposal:
    target = reading.target
    if target.metric is ScaleMetric.EXTERNAL:
        return _outside(reading, current)
    share = reading.total / reading.measured
    value = 100 * share / reading.requested if target.kind == "utilization" else share
    unit = "%" if target.kind == "utilization" else f" {_UNITS[target.metric]}"
    why = f"{target.metric.value} {value:.3g}{unit} per replica of {target.target:.6g}{unit}"
    ratio = value / target.target
    counted = reading.measured
    if ratio > 1 and counted < current:
        # Those that are not up yet will take their part.
        ratio, counted = ratio * counted / current, current
    if abs(ratio - 1) <= _TOLERANCE or (value > target.target and ratio < 1):
        return _Proposal(current, why)
    return _Proposal(math.ceil(ratio * counted), why)


def _outside(reading: Reading, current: int) -> _Proposal:
    target = reading.target
    why = f"{target.server or 'external'} metric {reading.total:.6g} of {target.target:.6g}"
    is_average = target.kind == "average"
    ratio = reading.total / (target.target * current if is_average else target.target)
    if abs(ratio - 1) <= _TOLERANCE:
        return _Proposal(current, why)
    exact = reading.total / target.target if is_average else ratio * current
    return _Proposal(math.ceil(exact), f"{why} per replica" if is_average else why)


def _recent(
    wishes: tuple[tuple[float, int], ...], newest: tuple[float, int], rule: HorizontalScaling, now: float
) -> tuple[tuple[float, int], ...]:
    longest = max(rule.up.window_s, rule.down.window_s)
    return (*(wish for wish in wishes if wish[0] > now - longest), newest)


def _steady(state: State, rule: HorizontalScaling, current: int, now: float) -> int:
    """Up only to what was wished for all through one window, down only to the most wished for in the other."""
    newest = state.wishes[-1][1]
    up = min([wish for at, wish in state.wishes if at > now - rule.up.window_s], default=newest)
    down = max([wish for at, wish in state.wishes if at > now - rule.down.window_s], default=newest)
    return min(max(current, up), down)


def _at_pace(state: State, rule: HorizontalScaling, current: int, wanted: int, now: float) -> int:
    if wanted > current:
        return min(wanted, max(current, _limit(rule.up, _UP, state, current, now, direction=1)))
    if wanted < current:
        return max(wanted, min(current, _limit(rule.down, _DOWN, state, current, now, direction=-1)))
    return current


def _limit(
    rules: ScalingRules,
    defaults: tuple[ScalingPolicy, ...],
    state: State,
    current: int,
    now: float,
    *,
    direction: int,
) -> int:
    if rules.select == "Disabled":
        return current
    limits = []
    for policy in rules.policies or defaults:
        begun = current - sum(change for at, change in state.changes if at > now - policy.period_s)
        step = float(policy.value) if policy.type == "Pods" else begun * policy.value / 100
        exact = begun + direction * step
        limits.append(math.ceil(exact) if direction > 0 else math.floor(exact))
    farthest = max(limits) if direction > 0 else min(limits)
    nearest = min(limits) if direction > 0 else max(limits)
    return nearest if rules.select == "Min" else farthest


def _lately(
    changes: tuple[tuple[float, int], ...], rule: HorizontalScaling, now: float
) -> tuple[tuple[float, int], ...]:
    policies = (*(rule.up.policies or _UP), *(rule.down.policies or _DOWN))
    longest = max(policy.period_s for policy in policies)
    return tuple(change for change in changes if change[0] > now - longest)


def _why(asked: _Proposal, wish: int, steady: int, replicas: int, bounds: Bounds) -> str:
    text = f"{asked.why} asks for {asked.replicas}"
    if wish > asked.replicas:
        text += f"; the minimum is {max(1, bounds.least)}"
    elif wish < asked.replicas:
        text += f"; the maximum is {bounds.most}"
    if steady != wish:
        text += f"; {steady} for the stabilization window"
    if replicas != steady:
        text += f"; {replicas} for the rate of change"
    return text


def _verdict(replicas: int, why: str, readings: Sequence[Reading]) -> Verdict:
    first = next((reading for reading in readings if not reading.problem), None)
    gauges = Gauges(stable=_value(first), target=first.target.target) if first else Gauges()
    return Verdict(replicas=replicas, why=why, gauges=gauges)


def _value(reading: Reading) -> float:
    if not reading.measured:
        return reading.total
    share = reading.total / reading.measured
    return 100 * share / reading.requested if reading.target.kind == "utilization" else share
