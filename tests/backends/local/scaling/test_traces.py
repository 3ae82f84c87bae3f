"""Whole loads through the loop with simple replicas: what people would see happen."""

import pytest
from bench.scaling.simulating import Outcome, Point, component, simulate
from bench.scaling.traces import Trace, burst, idle, ramp

from fairlead.plan.scaling import KnativeScaling

START_S = 2.0


def run(trace: Trace, *, least: int = 0, most: int = 0, scaling: KnativeScaling | None = None) -> Outcome:
    return simulate(trace, component(scaling or KnativeScaling(), trace.limit, least=least, most=most), start_s=START_S)


def reasons(outcome: Outcome) -> list[str]:
    return [told.reason for _, told in outcome.told]


def between(outcome: Outcome, first: int, last: int) -> list[Point]:
    return [point for point in outcome.points if first <= point.second <= last]


def test_a_burst_is_served_within_seconds_and_let_go_of_after_a_minute() -> None:
    outcome = run(burst(), most=40)

    assert len(outcome.waits_s) == sum(burst().arrivals)
    assert sorted(outcome.waits_s)[int(0.95 * len(outcome.waits_s))] < 2 * START_S + 2
    assert all(point.waiting == 0 for point in between(outcome, 140, 180))
    assert {point.desired for point in between(outcome, 130, 180)} == {40}
    assert max(point.desired for point in between(outcome, 260, 300)) <= 5
    assert outcome.points[-1].desired == 0


def test_in_panic_nothing_is_taken_away() -> None:
    outcome = run(burst(), most=40)
    started = next(at for at, told in outcome.told if told.reason == "PanicStarted" and at > 115)
    ended = next(at for at, told in outcome.told if told.reason == "PanicEnded" and at > started)
    numbers = [point.desired for point in outcome.points if started < point.second < ended]

    assert ended - started >= 60
    assert numbers == sorted(numbers)


def test_a_ramp_is_followed_in_both_directions() -> None:
    outcome = run(ramp(), most=40)

    for point in between(outcome, 60, 235):
        assert point.waiting <= 12
    peak, later = outcome.points[240].desired, outcome.points[380].desired
    assert 10 <= peak <= 25
    assert later < peak / 2
    assert outcome.points[-1].ready == 0


def test_a_request_now_and_then_wakes_what_is_at_zero_and_waits_for_one_start() -> None:
    outcome = run(idle())

    assert max(outcome.waits_s) == pytest.approx(START_S, abs=0.2)
    assert reasons(outcome).count("Activated") == reasons(outcome).count("ScaledToZero") == 4
    assert {point.desired for point in between(outcome, 420, 618)} == {0}
    assert all(point.desired for point in between(outcome, 622, 680))


def test_with_a_minimum_of_one_nobody_waits_for_the_first_replica() -> None:
    outcome = run(idle(), least=1)

    assert max(outcome.waits_s) == 0.0
    assert min(point.ready for point in outcome.points) == 1


def test_a_constant_load_settles() -> None:
    steady = Trace("steady", "", (10,) * 600)
    outcome = run(steady)

    assert len({point.desired for point in between(outcome, 200, 600)}) == 1
    assert between(outcome, 599, 600)[-1].desired in (7, 8)  # 5 requests at a time, 0.7 for each
