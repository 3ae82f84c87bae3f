"""Kubernetes' rule, and KEDA's way to zero."""

from dataclasses import replace

import pytest

from fairlead.backends.local.scaling.hpa import Bounds, Reading, State, begin, decide
from fairlead.backends.local.scaling.rule import Verdict
from fairlead.plan.scaling import HorizontalScaling, MetricTarget, ScaleMetric, ScalingPolicy, ScalingRules

CPU = MetricTarget(metric=ScaleMetric.CPU, kind="utilization", target=80.0)
MEMORY = MetricTarget(metric=ScaleMetric.MEMORY, kind="average", target=1000.0)
QUEUE = MetricTarget(metric=ScaleMetric.EXTERNAL, kind="average", target=10.0, server="prometheus", address="http://p")
QUICK = ScalingRules(window_s=0.0, policies=(ScalingPolicy(type="Percent", value=10_000, period_s=15.0),))
RULE = HorizontalScaling(metrics=(CPU,), up=QUICK, down=QUICK)
BOUNDS = Bounds(least=1, most=20)


def cpu(percent: float, replicas: int = 1, *, measured: int | None = None) -> Reading:
    measured = replicas if measured is None else measured
    return Reading(target=CPU, total=percent / 100 * 2.0 * measured, measured=measured, requested=2.0)


def once(*readings: Reading, current: int = 1, rule: HorizontalScaling = RULE, bounds: Bounds = BOUNDS) -> Verdict:
    verdict, _ = decide(begin(current, now=0.0), rule, bounds, readings, current=current, now=1000.0)
    return verdict


@pytest.mark.parametrize(
    ("percent", "current", "wanted"),
    [(80.0, 2, 2), (87.0, 2, 2), (73.0, 2, 2), (89.0, 2, 3), (160.0, 2, 4), (40.0, 4, 2), (1.0, 4, 1), (800.0, 4, 20)],
)
def test_replicas_follow_the_ratio_with_a_tolerance_of_a_tenth(percent: float, current: int, wanted: int) -> None:
    assert once(cpu(percent, current), current=current).replicas == wanted


def test_the_largest_of_all_metrics_wins() -> None:
    memory = Reading(target=MEMORY, total=6000.0, measured=2)
    verdict = once(cpu(80.0, 2), memory, current=2)
    assert verdict.replicas == 6
    assert verdict.why == "memory 3e+03 bytes per replica of 1000 bytes asks for 6"


def test_replicas_that_are_not_up_yet_count_as_idle_when_more_are_wanted() -> None:
    assert once(cpu(160.0, measured=2), current=4).replicas == 4
    assert once(cpu(400.0, measured=2), current=4).replicas == 10


def test_what_cannot_be_measured_never_takes_replicas_away() -> None:
    missing = Reading(target=MEMORY, problem="memory was not measured yet")
    assert once(cpu(10.0, 4), missing, current=4).replicas == 4
    verdict = once(cpu(160.0, 4), missing, current=4)
    assert verdict.replicas == 8
    assert "memory was not measured yet" in verdict.why
    assert once(missing, current=3).replicas == 3


def test_the_bounds_hold_and_the_last_replica_stays() -> None:
    assert once(cpu(0.0), bounds=Bounds(least=0, most=3)).replicas == 1
    assert once(cpu(0.0), bounds=Bounds(least=2, most=3)).replicas == 2
    assert once(cpu(8000.0), bounds=Bounds(least=1)).replicas == 100
    assert "the maximum is 3" in once(cpu(8000.0), bounds=Bounds(least=1, most=3)).why


def walk(rule: HorizontalScaling, loads: list[float], *, current: int, step_s: float = 15.0) -> list[int]:
    """The numbers after each sync; each reading is what all replicas together use, in percent of one's request."""
    state, now, seen = begin(current, now=-1000.0), 0.0, []
    for load in loads:
        verdict, state = decide(state, rule, BOUNDS, [cpu(load / current, current)], current=current, now=now)
        current, now = verdict.replicas, now + step_s
        seen.append(current)
    return seen


def test_going_down_waits_for_the_most_wished_for_in_its_window() -> None:
    rule = HorizontalScaling(metrics=(CPU,), up=QUICK, down=replace(QUICK, window_s=60.0))
    assert walk(rule, [640.0, 80.0, 80.0, 80.0, 80.0, 80.0], current=1) == [8, 8, 8, 8, 1, 1]


def test_going_up_waits_for_the_least_wished_for_in_its_window() -> None:
    rule = HorizontalScaling(metrics=(CPU,), up=replace(QUICK, window_s=30.0), down=QUICK)
    assert walk(rule, [80.0, 640.0, 640.0, 320.0], current=1) == [1, 1, 8, 4]


def test_the_pace_is_kubernetes_own_unless_said_otherwise() -> None:
    rule = HorizontalScaling(metrics=(CPU,))
    assert walk(rule, [4000.0] * 4, current=1) == [5, 10, 20, 20]


def test_policies_limit_the_change_in_a_period() -> None:
    slow = ScalingRules(window_s=0.0, policies=(ScalingPolicy(type="Pods", value=2, period_s=60.0),))
    rule = HorizontalScaling(metrics=(CPU,), up=slow, down=slow)
    assert walk(rule, [4000.0] * 6, current=1) == [3, 3, 3, 3, 5, 5]
    assert walk(rule, [80.0] * 6, current=9) == [7, 7, 7, 7, 5, 5]


def test_the_smaller_policy_can_be_chosen_or_a_direction_be_disabled() -> None:
    both = (ScalingPolicy(type="Pods", value=1, period_s=15.0), ScalingPolicy(type="Percent", value=50, period_s=15.0))
    careful = ScalingRules(window_s=0.0, select="Min", policies=both)
    bold = ScalingRules(window_s=0.0, policies=both)
    assert walk(HorizontalScaling(metrics=(CPU,), up=careful), [4000.0], current=8) == [9]
    assert walk(HorizontalScaling(metrics=(CPU,), up=bold), [4000.0], current=8) == [12]
    never = ScalingRules(window_s=0.0, select="Disabled")
    assert walk(HorizontalScaling(metrics=(CPU,), up=bold, down=never), [80.0], current=8) == [8]


def outside(value: float) -> Reading:
    return Reading(target=QUEUE, total=value)


ZERO = HorizontalScaling(metrics=(QUEUE,), up=QUICK, down=QUICK, may_reach_zero=True)


def test_an_outside_metric_is_shared_by_the_replicas() -> None:
    assert once(outside(95.0), current=3, rule=ZERO).replicas == 10
    assert once(outside(31.0), current=3, rule=ZERO).replicas == 3
    total = Reading(target=replace(QUEUE, kind="value"), total=20.0)
    assert once(total, current=3, rule=ZERO).replicas == 6


def test_what_nothing_asks_for_goes_to_zero_after_its_cooldown() -> None:
    bounds = Bounds(least=0, most=5)
    state = State(active_at=0.0, wishes=((0.0, 1),))
    verdict, state = decide(state, ZERO, bounds, [outside(0.0)], current=1, now=299.0)
    assert verdict.replicas == 1
    verdict, state = decide(state, ZERO, bounds, [outside(0.0)], current=1, now=300.0)
    assert verdict.replicas == 0
    verdict, state = decide(state, ZERO, bounds, [outside(0.0)], current=0, now=315.0)
    assert verdict.replicas == 0
    verdict, state = decide(state, ZERO, bounds, [outside(25.0)], current=0, now=330.0)
    assert verdict.replicas == 3


def test_a_request_brings_back_what_is_at_zero() -> None:
    state = replace(begin(0, now=0.0), active_at=50.0)
    verdict, _ = decide(state, ZERO, Bounds(least=0, most=5), [outside(0.0)], current=0, now=50.01)
    assert verdict.replicas == 1


def test_at_zero_a_server_that_does_not_answer_changes_nothing() -> None:
    silent = Reading(target=QUEUE, problem="prometheus at p cannot be asked")
    bounds = Bounds(least=0, most=5)
    assert decide(begin(0, now=0.0), ZERO, bounds, [silent], current=0, now=500.0)[0].replicas == 0
    assert decide(begin(2, now=0.0), ZERO, bounds, [silent], current=2, now=500.0)[0].replicas == 2
