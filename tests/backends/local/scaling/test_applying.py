"""From decisions to replicas: bounds, and the way to zero."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.backends.local.scaling.applying import Activity, Applied, Counts, Standing, apply, begin
from fairlead.backends.local.scaling.kpa import Terms
from fairlead.plan.scaling import KnativeScaling
from support.naive_scale import NaiveScale

TERMS = Terms(scaling=KnativeScaling())
ACTIVE = Standing(activity=Activity.ACTIVE, since=0.0, is_initialized=True)
INACTIVE = Standing(activity=Activity.INACTIVE, since=0.0, is_initialized=True)


def terms(base: Terms = TERMS, **changes: object) -> Terms:
    return replace(base, **changes)  # type: ignore[arg-type]  # fields by name


def scaling(**changes: object) -> Terms:
    return replace(TERMS, scaling=KnativeScaling(**changes))  # type: ignore[arg-type]  # fields by name


def after(
    standing: Standing,
    desired: int | None,
    now: float,
    *,
    asked: Terms = TERMS,
    current: int = 1,
    ready: int = 1,
    excess: int | None = 0,
) -> tuple[Applied, Standing]:
    return apply(standing, asked, Counts(current=current, ready=ready), desired=desired, excess_burst=excess, now=now)


@pytest.mark.parametrize(("desired", "replicas"), [(1, 2), (3, 3), (9, 5), (0, 2)])
def test_a_wish_is_kept_within_the_bounds(desired: int, replicas: int) -> None:
    applied, _ = after(ACTIVE, desired, 5.0, asked=terms(min_replicas=2, max_replicas=5), current=2, ready=2)
    assert applied.replicas == replicas


def test_without_a_decision_nothing_changes() -> None:
    applied, standing = after(ACTIVE, None, 500.0, current=4, ready=4)
    assert (applied.replicas, standing.activity) == (4, Activity.ACTIVE)


def test_the_initial_scale_is_the_least_until_it_was_reached_once() -> None:
    asked = terms(initial_replicas=3)
    standing = begin(asked, Counts(current=3, ready=0), now=0.0)
    assert standing.activity is Activity.ACTIVATING
    applied, standing = after(standing, 1, 2.0, asked=asked, current=3, ready=2)
    assert (applied.replicas, standing.is_initialized) == (3, False)
    applied, standing = after(standing, 1, 4.0, asked=asked, current=3, ready=3)
    assert (applied.replicas, standing.is_initialized) == (3, True)
    applied, standing = after(standing, 1, 6.0, asked=asked, current=3, ready=3)
    assert applied.replicas == 1


def test_an_initial_scale_of_zero_starts_with_nothing() -> None:
    asked = terms(initial_replicas=0)
    standing = begin(asked, Counts(current=0, ready=0), now=0.0)
    applied, standing = after(standing, None, 2.0, asked=asked, current=0, ready=0)
    assert (applied.replicas, applied.reason, standing.activity) == (0, "NoTraffic", Activity.INACTIVE)


def test_the_least_does_not_count_for_what_nobody_can_reach() -> None:
    asked = terms(min_replicas=2, is_reachable=False)
    applied, _ = after(replace(INACTIVE, held_since=-100.0), 0, 100.0, asked=asked, current=2, ready=2)
    assert applied.replicas == 0


def test_with_scale_to_zero_disabled_one_stays() -> None:
    applied, standing = after(INACTIVE, 0, 10_000.0, asked=scaling(may_reach_zero=False))
    assert (applied.replicas, standing.activity) == (1, Activity.ACTIVE)


def test_what_has_not_been_active_for_a_window_keeps_one() -> None:
    applied, standing = after(ACTIVE, 0, 59.0, current=2)
    assert (applied.replicas, applied.wake_at, standing.activity) == (1, 60.0, Activity.ACTIVE)


def test_the_last_replica_goes_a_grace_period_after_it_became_idle() -> None:
    applied, standing = after(ACTIVE, 0, 60.0)
    assert (applied.replicas, standing.activity, standing.held_since) == (1, Activity.INACTIVE, 60.0)
    assert (applied.reason, applied.message) == ("NoTraffic", "The target is not receiving traffic.")
    applied, standing = after(standing, 0, 89.0)
    assert (applied.replicas, applied.wake_at) == (1, 90.0)
    applied, standing = after(standing, 0, 90.0)
    assert applied.replicas == 0


def test_requests_held_for_the_grace_period_already_shorten_it() -> None:
    held = replace(ACTIVE, held_since=10.0)
    _, standing = after(held, 0, 60.0, excess=-120)
    applied, _ = after(standing, 0, 62.0, excess=-120)
    assert applied.replicas == 0


def test_room_for_a_burst_lets_requests_past_the_queue_again() -> None:
    _, standing = after(ACTIVE, 1, 10.0, excess=-1)
    assert standing.held_since == 10.0
    _, standing = after(standing, 1, 12.0, excess=5)
    assert standing.held_since is None


def test_the_last_replica_is_retained_as_long_as_asked() -> None:
    asked = scaling(zero_retention_s=300.0)
    standing = replace(INACTIVE, held_since=-500.0)
    assert after(standing, 0, 299.0, asked=asked)[0].replicas == 1
    assert after(standing, 0, 300.0, asked=asked)[0].replicas == 0
    assert after(standing, 0, 40.0, asked=replace(asked, is_reachable=False))[0].replicas == 0


def test_a_wish_brings_back_what_was_inactive() -> None:
    applied, standing = after(INACTIVE, 1, 500.0, current=0, ready=0)
    assert (applied.replicas, standing.activity) == (1, Activity.ACTIVATING)
    assert applied.reason == "Queued"
    assert applied.message == "Requests to the target are being buffered as resources are provisioned."
    applied, standing = after(standing, 1, 502.0, ready=1)
    assert (standing.activity, standing.since, applied.reason) == (Activity.ACTIVE, 502.0, "")


def test_what_is_on_its_way_is_not_given_up_before_its_deadline() -> None:
    starting = Standing(activity=Activity.ACTIVATING, since=0.0, is_initialized=True)
    applied, standing = after(starting, 0, 629.0, ready=0)
    assert (applied.replicas, applied.wake_at, standing.activity) == (1, 630.0, Activity.ACTIVATING)
    applied, standing = after(starting, None, 629.0, ready=0)
    assert applied.replicas == 1


def test_what_never_got_ready_is_given_up_and_says_so() -> None:
    starting = Standing(activity=Activity.ACTIVATING, since=0.0, is_initialized=True)
    applied, standing = after(starting, None, 630.0, ready=0)
    assert (applied.replicas, applied.reason) == (0, "TimedOut")
    assert applied.message == "The target could not be activated."
    applied, standing = after(standing, None, 640.0, current=0, ready=0)
    assert applied.reason == "TimedOut"
    _, standing = after(standing, 1, 650.0, current=0, ready=0)
    assert not standing.has_timed_out


def test_an_earlier_life_is_gone_on_with() -> None:
    once_ready = terms(initial_replicas=0)
    at_zero = begin(once_ready, Counts(current=0, ready=0), now=5.0)
    assert (at_zero.activity, at_zero.is_initialized) == (Activity.INACTIVE, True)
    assert begin(once_ready, Counts(current=3, ready=3), now=5.0).activity is Activity.ACTIVE
    assert begin(once_ready, Counts(current=3, ready=0), now=5.0).activity is Activity.ACTIVATING
    assert begin(TERMS, Counts(current=0, ready=0), now=5.0).activity is Activity.ACTIVATING


def test_the_maximum_is_stronger_than_the_initial_scale() -> None:
    asked = terms(initial_replicas=5, max_replicas=2)
    standing = begin(asked, Counts(current=2, ready=0), now=0.0)
    assert after(standing, 9, 2.0, asked=asked, current=2, ready=2)[0].replicas == 2


STEPS = st.tuples(
    st.sampled_from([None, 0, 0, 0, 1, 2, 7]),  # the wish
    st.sampled_from([None, -5, 0, 40]),  # the room for a burst
    st.integers(0, 4),  # replicas that are ready, of those there are
    st.sampled_from([1.0, 2.0, 15.0, 29.0, 61.0, 400.0]),  # seconds until then
)


@settings(max_examples=300, deadline=None)
@given(
    least=st.integers(0, 3),
    most=st.integers(0, 5),
    initial=st.integers(1, 3),
    retention_s=st.sampled_from([0.0, 45.0, 500.0]),
    may_reach_zero=st.booleans(),
    is_reachable=st.booleans(),
    steps=st.lists(STEPS, max_size=40),
)
def test_any_history_is_applied_as_the_table_says(
    least: int,
    most: int,
    initial: int,
    retention_s: float,
    may_reach_zero: bool,
    is_reachable: bool,
    steps: list[tuple[int | None, int | None, int, float]],
) -> None:
    naive = NaiveScale(
        min_scale=least, max_scale=most, initial_scale=initial, stable_window=60.0, grace=30.0, retention=retention_s,
        enabled=may_reach_zero, reachable=is_reachable, progress_deadline=600.0,
    )  # fmt: skip
    asked = replace(
        scaling(zero_retention_s=retention_s, may_reach_zero=may_reach_zero), min_replicas=least, max_replicas=most,
        initial_replicas=initial, is_reachable=is_reachable,
    )  # fmt: skip
    now, current = 0.0, naive.least()
    standing = begin(asked, Counts(current=current, ready=0), now=now)
    for desired, excess, up, pause_s in steps:
        now, ready = now + pause_s, min(up, current)

        applied, standing = apply(
            standing, asked, Counts(current=current, ready=ready), desired=desired, excess_burst=excess, now=now
        )

        wish = -1 if desired is None else desired
        replicas, reason = naive.step(wish, excess, ready=ready, current=current, now=now)
        assert (applied.replicas, applied.reason.replace("TimedOut", "NoTraffic")) == (replicas, reason)
        current = applied.replicas
