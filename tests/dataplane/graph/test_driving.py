"""Coroutines that run without tasks."""

import asyncio

import pytest

from fairlead.dataplane.graph.driving import Later, as_future, drive, gather, within

pytestmark = pytest.mark.anyio


class Outcome:
    def __init__(self) -> None:
        self.got: list[tuple[object, Exception | None]] = []

    def __call__(self, value: object, error: Exception | None) -> None:
        self.got.append((value, error))


async def value_of(later: Later[int]) -> int:
    return await later + 1


def test_a_coroutine_that_waits_for_nothing_ends_at_once() -> None:
    async def five() -> int:
        return 5

    outcome = Outcome()
    drive(five(), outcome)

    assert outcome.got == [(5, None)]


def test_a_waiting_coroutine_goes_on_when_its_value_comes() -> None:
    later: Later[int] = Later()
    outcome = Outcome()

    drive(value_of(later), outcome)
    assert outcome.got == []

    later.resolve(1)
    assert outcome.got == [(2, None)]


def test_a_failure_is_raised_where_it_is_awaited() -> None:
    later: Later[int] = Later()
    outcome = Outcome()
    drive(value_of(later), outcome)

    later.fail(error := ValueError("no"))

    assert outcome.got == [(None, error)]


def test_gathered_steps_keep_their_order_whatever_order_they_end_in() -> None:
    laters: list[Later[int]] = [Later(), Later(), Later()]
    outcome = Outcome()
    drive(gather([value_of(later) for later in laters]), outcome)

    for index in (2, 0, 1):
        laters[index].resolve(index)

    assert outcome.got == [([1, 2, 3], None)]


def test_gathering_nothing_gives_nothing() -> None:
    outcome = Outcome()
    drive(gather([]), outcome)

    assert outcome.got == [([], None)]


def test_the_first_failure_in_order_wins_after_all_have_ended() -> None:
    laters: list[Later[int]] = [Later(), Later()]
    outcome = Outcome()
    drive(gather([value_of(later) for later in laters]), outcome)

    laters[1].fail(ValueError("second"))
    assert outcome.got == []
    laters[0].fail(first := ValueError("first"))

    assert outcome.got == [(None, first)]


async def test_a_task_can_await_one() -> None:
    later: Later[int] = Later()
    future = as_future(value_of(later))

    later.resolve(2)

    assert await future == 3


async def test_what_comes_too_late_is_an_error_and_is_abandoned() -> None:
    later: Later[int] = Later()
    step = within(later, 0.01, asyncio.get_running_loop().call_later, lambda: TimeoutError("late"))

    with pytest.raises(TimeoutError, match="late"):
        await as_future(step)

    assert later.is_abandoned
    later.resolve(1)  # nobody minds


async def test_what_comes_in_time_is_the_value_or_the_error() -> None:
    call_later = asyncio.get_running_loop().call_later
    good: Later[int] = Later()
    bad: Later[int] = Later()
    asked = [as_future(within(later, 20, call_later, TimeoutError)) for later in (good, bad)]
    good.resolve(7)
    bad.fail(ValueError("no"))

    assert await asked[0] == 7
    with pytest.raises(ValueError, match="no"):
        await asked[1]
