"""Knative's decision, against worked numbers and against a second reading of its formulas."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.backends.local.scaling.kpa import Decision, State, Terms, begin, decide, excess_at_start
from fairlead.plan.scaling import KnativeScaling, ScaleMetric
from support.naive_kpa import NaiveKpa, Settings

DEFAULT = Terms(scaling=KnativeScaling())


def terms(*, limit: int = 0, **changes: object) -> Terms:
    return Terms(scaling=KnativeScaling(**changes), concurrency_limit=limit)  # type: ignore[arg-type]  # fields by name


def loaded(terms: Terms, value: float, *, seconds: int = 60, ready: int = 1) -> State:
    """After so many seconds of one load, at second 1000."""
    state = begin(terms, ready=min(ready, 1), now=0.0)
    for second in range(1001 - seconds, 1001):
        state = state.measured(second, value)
    return state


def desired(terms: Terms, value: float, *, ready: int = 1, seconds: int = 60) -> Decision:
    decision, _ = decide(loaded(terms, value, seconds=seconds), terms, ready=ready, now=1000.0)
    assert decision is not None
    return decision


@pytest.mark.parametrize(
    ("limit", "load", "ready", "wanted"),
    [
        (0, 50.0, 1, 1),
        (0, 141.0, 3, 3),
        (1, 10.0, 1, 15),
        (0, 0.0, 1, 0),
        (0, 0.0, 2, 1),
        (0, 0.0, 9, 4),
        (0, 70.0, 1, 1),
        (0, 70.00001, 1, 2),
    ],
)
def test_the_load_over_the_target_rounded_up_is_what_is_wanted(
    limit: int, load: float, ready: int, wanted: int
) -> None:
    assert desired(terms(limit=limit), load, ready=ready).desired == wanted


def test_twice_of_what_is_ready_in_the_short_window_is_panic() -> None:
    assert desired(DEFAULT, 140.0, seconds=2).is_panicking
    assert not desired(DEFAULT, 140.0, seconds=2, ready=2).is_panicking


def test_panic_never_goes_down_and_ends_a_window_after_the_last_peak() -> None:
    _, state = decide(loaded(DEFAULT, 700.0, seconds=4), DEFAULT, ready=1, now=1000.0)
    wishes = []
    for second in range(1002, 1100, 2):
        state = state.measured(second - 1, 0.0).measured(second, 0.0)
        decision, state = decide(state, DEFAULT, ready=10, now=float(second))
        assert decision is not None
        wishes.append((second, decision.desired, decision.is_panicking))

    assert all(wish == 10 for second, wish, is_panicking in wishes if is_panicking)
    assert next(second for second, _, is_panicking in wishes if not is_panicking) == 1062
    assert wishes[-1][1] == 5


def test_without_a_measurement_nothing_is_decided() -> None:
    decision, _ = decide(begin(DEFAULT, ready=1, now=0.0), DEFAULT, ready=1, now=10.0)
    assert decision is None
    decision, _ = decide(loaded(DEFAULT, 5.0), DEFAULT, ready=1, now=1060.0)
    assert decision is None


def test_what_has_several_replicas_without_a_known_past_keeps_them_for_a_window() -> None:
    state = begin(DEFAULT, ready=7, now=1000.0)
    decision, state = decide(state.measured(1002, 0.0), DEFAULT, ready=7, now=1002.0)
    assert decision is not None
    assert (decision.desired, decision.is_panicking) == (7, True)

    decision, _ = decide(state.measured(1062, 0.0), DEFAULT, ready=7, now=1062.0)
    assert decision is not None
    assert (decision.desired, decision.is_panicking) == (3, False)


def test_what_nobody_can_reach_may_lose_all_replicas_at_once() -> None:
    assert desired(replace(DEFAULT, is_reachable=False), 0.0, ready=9).desired == 0


def test_the_activation_scale_is_the_least_that_any_load_gets() -> None:
    several = terms(activation_scale=4)
    assert desired(several, 1.0).desired == 4
    assert desired(several, 0.0).desired == 0
    assert desired(several, 350.0, ready=5).desired == 5


def test_going_down_waits_for_the_delay() -> None:
    slow = terms(down_delay_s=10.0, stable_window_s=6.0)
    state, seen = loaded(slow, 140.0, seconds=6), []
    for second in range(1000, 1030, 2):
        if second > 1000:
            state = state.measured(second - 1, 70.0).measured(second, 70.0)
        decision, state = decide(state, slow, ready=2, now=float(second))
        assert decision is not None
        seen.append(decision.desired)
    assert seen == [2] * 7 + [1] * 8


def test_room_for_a_burst_is_what_is_left_of_all_replicas_after_it() -> None:
    assert desired(DEFAULT, 10.0, ready=1).excess_burst == 100 - 211 - 10
    assert desired(DEFAULT, 10.5, ready=3).excess_burst == 78
    assert desired(DEFAULT, 0.0, ready=0).excess_burst == -211
    assert desired(terms(burst_capacity=0.0), 10.0).excess_burst == 0
    assert desired(terms(burst_capacity=-1.0), 10.0, ready=50).excess_burst == -1
    assert excess_at_start(DEFAULT) == -111
    assert excess_at_start(terms(burst_capacity=-1.0)) == -1


def test_a_limit_of_concurrent_requests_bounds_the_target() -> None:
    assert terms(limit=5).total == 5
    assert terms(limit=5, target=3.0).total == 3
    assert terms(limit=5, target=50.0).total == 5
    assert terms(target=50.0).total == 50
    assert terms(metric=ScaleMetric.RPS, limit=5).total == 200
    assert terms(metric=ScaleMetric.RPS, limit=5, target=12.0).target == pytest.approx(8.4)
    assert terms(target=0.001).target == 0.01


def test_a_decision_says_why() -> None:
    reason = desired(DEFAULT, 141.0, ready=3).reason
    assert reason == "141 concurrent requests over 60 s at 70 per replica ask for 3"
    assert "the rate of change allows no fewer than 4" in desired(DEFAULT, 1.0, ready=9).reason
    assert "over 6 s" in desired(terms(), 700.0, seconds=2).reason or "over 60 s" in desired(terms(), 700.0).reason
    panicking, _ = decide(begin(DEFAULT, ready=7, now=1000.0).measured(1002, 0.0), DEFAULT, ready=7, now=1002.0)
    assert panicking is not None
    assert panicking.reason.endswith("ask for 0; panic mode keeps 7")


@st.composite
def policies(draw: st.DrawFn) -> Settings:
    return Settings(
        metric=draw(st.sampled_from(["concurrency", "rps"])),
        annotation_target=draw(st.none() | st.sampled_from([0.001, 0.5, 1.0, 7.0, 150.0])),
        cc=draw(st.sampled_from([0, 0, 1, 3, 10])),
        utilisation=draw(st.sampled_from([0.01, 0.5, 0.7, 1.0])),
        stable_window=draw(st.sampled_from([6, 12, 25, 60])),
        panic_percentage=draw(st.sampled_from([1.0, 10.0, 50.0, 100.0])),
        panic_threshold=draw(st.sampled_from([110.0, 200.0, 1000.0])),
        max_scale_up_rate=draw(st.sampled_from([1.1, 2.0, 1000.0])),
        max_scale_down_rate=draw(st.sampled_from([1.1, 2.0, 10.0])),
        activation_scale=draw(st.sampled_from([1, 2, 5])),
        tbc=draw(st.sampled_from([-1.0, 0.0, 10.0, 211.0])),
        scale_down_delay=draw(st.sampled_from([0.0, 4.0, 30.0])),
        weighted=draw(st.booleans()),
        reachable=draw(st.booleans()),
    )


def same_terms(policy: Settings) -> Terms:
    scaling = KnativeScaling(
        metric=ScaleMetric(policy.metric),
        target=policy.annotation_target or 0.0,
        utilization=policy.utilisation,
        stable_window_s=float(policy.stable_window),
        panic_window_percent=policy.panic_percentage,
        panic_threshold_percent=policy.panic_threshold,
        max_up_rate=policy.max_scale_up_rate,
        max_down_rate=policy.max_scale_down_rate,
        burst_capacity=policy.tbc,
        down_delay_s=policy.scale_down_delay,
        activation_scale=policy.activation_scale,
        is_weighted=policy.weighted,
    )
    return Terms(scaling=scaling, concurrency_limit=policy.cc, is_reachable=policy.reachable)


LOADS = st.sampled_from([0.0, 0.1, 1.0, 5.0, 50.0, 69.3, 140.0, 1000.0])
STEPS = st.tuples(
    st.lists(LOADS, max_size=3),
    st.integers(0, 12).map(lambda roll: roll if roll < 10 else roll * 6),
    st.integers(0, 20),
)


@settings(max_examples=300, deadline=None)
@given(policy=policies(), at_start=st.integers(0, 8), steps=st.lists(STEPS, max_size=40))
def test_any_trace_is_decided_as_the_formulas_say(
    policy: Settings, at_start: int, steps: list[tuple[list[float], int, int]]
) -> None:
    naive, like = NaiveKpa(policy, at_start, 0.0), same_terms(policy)
    state, second = begin(like, ready=at_start, now=0.0), 0
    for values, pause, ready in steps:
        for value in values:
            second += 1
            naive.samples.append((second, value))
            state = state.measured(second, value)
        second += pause

        decision, state = decide(state, like, ready=ready, now=float(second))

        expected = naive.tick(ready, float(second))
        if decision is None:
            assert expected is None
        else:
            assert (decision.desired, decision.excess_burst, decision.is_panicking) == expected


@settings(max_examples=100, deadline=None)
@given(
    policy=policies(), trace=st.lists(LOADS, min_size=1, max_size=90), lag=st.integers(0, 70), start=st.integers(1, 9)
)
def test_averages_of_any_trace_are_those_of_the_samples(
    policy: Settings, trace: list[float], lag: int, start: int
) -> None:
    naive, like = NaiveKpa(policy, 0, 0.0), same_terms(policy)
    state = begin(like, ready=0, now=0.0)
    for second, value in enumerate(trace, start):
        naive.samples.append((second, value))
        state = state.measured(second, value)
    now = float(start + len(trace) - 1 + lag)

    stable = state.stable.average(now, is_weighted=policy.weighted)
    panic = state.panic.average(now, is_weighted=policy.weighted)

    assert stable == pytest.approx(naive.window_average(policy.stable_window, now), abs=1.1e-6)
    assert panic == pytest.approx(naive.window_average(naive.panic_window(), now), abs=1.1e-6)
