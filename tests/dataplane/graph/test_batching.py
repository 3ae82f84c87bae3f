"""Rows that share a call, and calls that leave the loop when they are long."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fairlead.dataplane.graph.batching import TO_LOOP_S, TO_THREAD_S, Lane, Pace, RowQueue
from fairlead.dataplane.graph.driving import Later, as_future
from fairlead.errors import Overloaded
from support.serving import Times

pytestmark = pytest.mark.anyio

Array = np.ndarray[Any, Any]


class Ticket:
    is_wanted = True

    def __init__(self, rows: list[list[float]]) -> None:
        self.rows = np.array(rows)
        self.started = time.perf_counter()
        self.answer: asyncio.Future[Array | None] = asyncio.get_running_loop().create_future()

    def give(self, answer: Array | None) -> None:
        self.answer.set_result(answer)


class Gated(Times):
    """A model that waits in its first call until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.gate = threading.Event()

    def predict(self, rows: Array) -> Array:
        self.entered.set()
        assert self.gate.wait(10)
        return super().predict(rows)


def queue_of(model: Times) -> RowQueue:
    loop = asyncio.get_running_loop()
    return RowQueue(model, Lane("m", loop), loop)


async def answers(queue: RowQueue, *asked: list[list[float]]) -> list[Any]:
    tickets = [Ticket(rows) for rows in asked]
    for ticket in tickets:
        queue.submit(ticket)
    given = await asyncio.gather(*(ticket.answer for ticket in tickets))
    return [None if answer is None else answer.tolist() for answer in given]


async def test_rows_of_one_turn_share_a_call() -> None:
    model = Times()

    got = await answers(queue_of(model), [[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]], [[7.0, 8.0]])

    assert got == [[[2.0, 4.0]], [[6.0, 8.0], [10.0, 12.0]], [[14.0, 16.0]]]
    assert len(model.calls) == 1


async def test_rows_that_come_while_the_model_is_busy_share_the_next_call() -> None:
    model = Gated()
    queue = queue_of(model)
    first = Ticket([[1.0]])
    queue.submit(first)
    await asyncio.to_thread(model.entered.wait, 10)

    later = [Ticket([[2.0]]), Ticket([[3.0]])]
    for ticket in later:
        queue.submit(ticket)
        await asyncio.sleep(0)
    model.gate.set()
    await asyncio.gather(first.answer, *(ticket.answer for ticket in later))

    assert [len(rows) for rows in model.calls] == [1, 2]


async def test_rows_of_another_width_or_dtype_have_a_call_of_their_own() -> None:
    model = Times(factor=2)

    got = await answers(queue_of(model), [[1, 2]], [[1.5, 2]], [[3, 4]], [[1.0]])

    assert got == [[[2, 4]], [[3.0, 4.0]], [[6, 8]], [[2.0]]]
    assert [(rows.dtype.kind, rows.shape) for rows in model.calls] == [("i", (2, 2)), ("f", (1, 2)), ("f", (1, 1))]


async def test_a_failed_batch_sends_everybody_to_ask_alone() -> None:
    class Picky(Times):
        def predict(self, rows: Array) -> Array:
            if (rows < 0).any():
                raise ValueError("negative")
            return super().predict(rows)

    assert await answers(queue_of(Picky()), [[1.0]], [[-1.0]]) == [None, None]


async def test_an_answer_of_another_length_is_a_failed_batch() -> None:
    class Short(Times):
        def predict(self, rows: Array) -> Array:
            return rows[:1]

    assert await answers(queue_of(Short()), [[1.0]], [[2.0]]) == [None, None]


async def test_one_call_has_no_more_rows_than_it_should() -> None:
    model = Times()

    await answers(queue_of(model), [[1.0]] * 1000, [[2.0]] * 1000)

    assert [len(rows) for rows in model.calls] == [1000, 1000]


def paced(seconds: list[float]) -> list[bool]:
    pace = Pace()
    quick = []
    for value in seconds:
        pace.note(value, 1)
        quick.append(pace.is_quick)
    return quick


def test_a_unit_is_on_the_loop_once_two_calls_say_it_is_quick() -> None:
    # The first call is not counted: libraries set themselves up in it.
    assert paced([1.0, 0.0001, 0.0001]) == [False, True, True]


def test_a_unit_that_turns_slow_leaves_the_loop_and_comes_back_below_a_lower_mark() -> None:
    between = (TO_LOOP_S + TO_THREAD_S) / 2

    assert paced([0, 0.0001, *[0.1] * 3])[-1] is False
    assert paced([0, 0.0001, *[between] * 50])[-1] is True
    assert paced([0, 0.1, *[between] * 50])[-1] is False
    assert paced([0, 0.1, *[0.0001] * 50])[-1] is True


def test_a_call_much_larger_than_usual_is_not_for_the_loop() -> None:
    pace = Pace()
    for _ in range(5):
        pace.note(0.0005, 1)

    assert pace.allows(64)
    assert not pace.allows(10_000)


async def where(lane: Lane) -> int:
    return await as_future(lane.call(threading.get_ident))


async def test_quick_calls_run_on_the_loop_and_the_first_ones_do_not() -> None:
    lane = Lane("m", asyncio.get_running_loop())
    here = threading.get_ident()

    places = [await where(lane) for _ in range(3)]

    assert [place == here for place in places] == [False, False, True]
    lane.close()


async def test_calls_of_one_unit_never_overlap() -> None:
    lane = Lane("m", asyncio.get_running_loop())
    inside = 0
    most = 0

    def work() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        threading.Event().wait(0.001)
        inside -= 1

    await asyncio.gather(*(as_future(lane.call(work)) for _ in range(10)))

    assert most == 1
    lane.close()


async def test_a_unit_with_two_threads_has_two_calls_at_a_time() -> None:
    lane = Lane("m", asyncio.get_running_loop(), threads=2)
    both = threading.Barrier(2, timeout=10)

    await asyncio.gather(*(as_future(lane.call(both.wait)) for _ in range(2)))

    lane.close()


async def test_a_failure_in_a_thread_is_raised_where_it_is_awaited() -> None:
    lane = Lane("m", asyncio.get_running_loop())

    def fail() -> None:
        raise MemoryError("too much")

    for _ in range(4):
        with pytest.raises(MemoryError):
            await as_future(lane.call(fail))
    lane.close()


async def test_the_loop_stays_live_while_a_call_is_long() -> None:
    lane = Lane("m", asyncio.get_running_loop())
    gate = threading.Event()
    asked: Callable[[], bool] = gate.wait

    running = as_future(lane.call(asked, 10))
    turns = [await asyncio.sleep(0, turn) for turn in range(100)]
    gate.set()

    assert turns == list(range(100))
    assert await running is True
    lane.close()


def test_a_call_that_the_machine_put_aside_does_not_send_a_quick_unit_to_a_thread() -> None:
    pace = Pace()
    for _ in range(10):
        pace.note(0.00002, 1)

    for _ in range(20):
        pace.note_quick(0.05)
        assert pace.is_quick
        for _ in range(20):
            pace.note_quick(0.00002)


def test_a_unit_that_turns_slow_is_found_out_by_its_third_slow_call() -> None:
    pace = Pace()
    for _ in range(10):
        pace.note(0.00002, 1)

    for _ in range(3):
        pace.note_quick(0.1)

    assert not pace.is_quick


async def test_a_call_whose_turn_would_come_too_late_is_refused_at_once() -> None:
    lane = Lane("slow", asyncio.get_running_loop(), patience_s=1.0)
    for _ in range(3):
        lane.pace.note(0.4, 1)
    release = threading.Event()
    first = lane.later(release.wait, 20)
    waiting = [lane.later(int) for _ in range(3)]

    with pytest.raises(Overloaded, match="unit 'slow': 3 requests wait, about 1 s") as caught:
        lane.later(int)

    assert caught.value.after_s == pytest.approx(0.2)
    release.set()
    for later in (first, *waiting):
        await as_future(_awaited(later))
    lane.close()


async def test_rows_are_refused_when_those_before_them_are_too_many() -> None:
    lane = Lane("slow", asyncio.get_running_loop(), patience_s=1.0)
    for _ in range(3):
        lane.pace.note(0.1, 1)
    queue = RowQueue(Times(), lane, asyncio.get_running_loop())
    release = threading.Event()
    busy = lane.later(release.wait, 20)

    for _ in range(64):
        queue.submit(Ticket([[1.0]]))

    with pytest.raises(Overloaded, match="64 requests wait"):
        queue.submit(Ticket([[1.0]]))

    release.set()
    await as_future(_awaited(busy))
    lane.close()


async def _awaited(later: Later[Any]) -> Any:
    return await later
