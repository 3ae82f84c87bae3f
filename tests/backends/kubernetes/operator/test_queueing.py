"""The queue, with a clock that the test moves."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.backends.kubernetes.operator.queueing import Patience, WorkQueue


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WorkQueue[str]:
    return WorkQueue(clock, lambda: 0.0, Patience(first_s=1.0, longest_s=8.0))


def test_what_is_added_often_is_taken_once(queue: WorkQueue[str]) -> None:
    for _ in range(3):
        queue.add("a")

    assert queue.pop()[0] == "a"
    assert queue.pop() == (None, None)


def test_nothing_is_worked_on_twice_at_a_time_and_nothing_is_forgotten(queue: WorkQueue[str]) -> None:
    queue.add("a")
    queue.pop()
    queue.add("a")
    assert queue.pop() == (None, None)

    queue.done("a")

    assert queue.pop()[0] == "a"


def test_failures_wait_longer_each_time_up_to_a_limit(queue: WorkQueue[str], clock: Clock) -> None:
    waits = [queue.retry("a") for _ in range(5)]

    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0]
    queue.forgive("a")
    assert queue.retry("a") == 1.0


def test_a_server_that_names_a_time_is_listened_to(queue: WorkQueue[str]) -> None:
    assert queue.retry("a", at_least_s=30.0) == 30.0


def test_a_change_does_not_wait_for_a_failure_before_it(queue: WorkQueue[str], clock: Clock) -> None:
    queue.retry("a")
    assert queue.pop() == (None, 1.0)

    queue.add("a")

    assert queue.pop()[0] == "a"


def test_what_is_for_later_comes_then(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add("late", after_s=5.0)
    queue.add("soon", after_s=2.0)
    assert queue.pop() == (None, 2.0)

    clock.now_s = 5.0

    assert [queue.pop()[0], queue.pop()[0]] == ["soon", "late"]


def test_what_can_wait_comes_after_what_is_due_and_moves_up_when_it_changes(queue: WorkQueue[str]) -> None:
    for key in ("a", "b", "c"):
        queue.add_at_leisure(key)
    queue.add("late", after_s=9.0)
    queue.add("c")

    assert [queue.pop()[0] for _ in range(4)] == ["c", "a", "b", None]


@pytest.mark.anyio
async def test_whoever_waits_gets_what_comes() -> None:
    loop = asyncio.get_running_loop()
    queue: WorkQueue[str] = WorkQueue(loop.time, lambda: 0.0)
    async with asyncio.TaskGroup() as tasks:
        takers = [tasks.create_task(queue.take()) for _ in range(2)]
        tasks.create_task(_add(queue, "a", "b"))

    assert {taker.result() for taker in takers} == {"a", "b"}
    queue.done("a")
    queue.done("b")
    await queue.idle()


async def _add(queue: WorkQueue[str], *keys: str) -> None:
    for key in keys:
        queue.add(key)


@given(st.lists(st.tuples(st.sampled_from(["add", "leisure", "pop", "done", "retry", "tick"]), st.sampled_from("abc"))))
def test_no_wish_is_lost_and_no_key_is_taken_while_it_is_worked_on(steps: list[tuple[str, str]]) -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock, lambda: 0.5, Patience(first_s=1.0, longest_s=4.0))
    wished, working = set[str](), set[str]()
    for step, key in steps:
        if step == "add":
            queue.add(key)
            wished.add(key)
        elif step == "leisure":
            queue.add_at_leisure(key)
            wished.add(key)
        elif step == "pop":
            taken, _ = queue.pop()
            if taken is not None:
                assert taken not in working
                working.add(taken)
                wished.discard(taken)
        elif step == "retry":
            queue.retry(key)
            wished.add(key)
        elif step == "done" and key in working:
            queue.done(key)
            working.discard(key)
        elif step == "tick":
            clock.now_s += 1.0
    for key in working:
        queue.done(key)
    clock.now_s += 100.0

    left = set()
    while (taken := queue.pop()[0]) is not None:
        left.add(taken)

    assert left == wished


@given(st.integers(1, 200), st.floats(0, 1))
def test_patience_stays_within_its_bounds(failures: int, chance: float) -> None:
    patience = Patience(first_s=0.5, longest_s=60.0, jitter=0.3)

    assert 0.35 * 0.99 <= patience.delay_s(failures, chance) <= 60.0
