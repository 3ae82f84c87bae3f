"""Batches that are waited for, through Seldon's surface: who shares one, when it goes, and what a bad row does."""

import asyncio
import json
from typing import Any

import numpy as np
import pytest

from fairlead.plan.model import Batching
from support.serving import Fake, Served, call, served, unit, worker_spec

pytestmark = pytest.mark.anyio

PATH = "/api/v1.0/predictions"


def gathered(fake: Fake, *, max_rows: int = 4, max_latency_s: float = 60.0) -> Served:
    policy = Batching(max_rows=max_rows, max_latency_s=max_latency_s)
    return served(worker_spec([unit("m")], call("m"), batching=policy), m=fake)


def ask(surface: Served, *rows: list[float], **beside: Any) -> "asyncio.Task[Any]":
    """Ask for rows in a task of its own."""

    async def answer() -> Any:
        response = await surface.post(PATH, {"data": {"ndarray": rows}, **beside})
        return response.status, json.loads(response.body)

    return asyncio.get_running_loop().create_task(answer())


def rows_of(result: Any) -> Any:
    status, body = result
    return body["data"]["ndarray"] if status == 200 else status


async def test_a_full_batch_goes_at_once_as_one_call() -> None:
    fake = Fake("m", predict=lambda value: value * 2)
    surface = gathered(fake)

    results = await asyncio.gather(ask(surface, [1.0]), ask(surface, [2.0], [3.0]), ask(surface, [4.0]))

    assert [rows_of(result) for result in results] == [[[2.0]], [[4.0], [6.0]], [[8.0]]]
    assert [len(value) for _, value in fake.asked] == [4]


async def test_the_first_waits_no_longer_than_allowed() -> None:
    fake = Fake("m", predict=lambda value: value * 2)

    assert rows_of(await ask(gathered(fake, max_latency_s=0.01), [1.0])) == [[2.0]]


async def test_more_than_a_batch_in_one_request_is_one_batch() -> None:
    fake = Fake("m")

    await ask(gathered(fake), *[[float(number)] for number in range(9)])

    assert [len(value) for _, value in fake.asked] == [9]


async def test_other_widths_dtypes_and_forms_never_share_a_batch() -> None:
    fake = Fake("m")
    surface = gathered(fake, max_rows=2)
    tensor = surface.post(PATH, {"data": {"tensor": {"shape": [2, 1], "values": [7.0, 8.0]}}})

    results = await asyncio.gather(
        ask(surface, [1.0]), ask(surface, [1.0, 2.0]), ask(surface, [1]), ask(surface, [2.0]), ask(surface, [3.0, 4.0]),
        ask(surface, [2]), tensor,
    )  # fmt: skip

    assert [rows_of(result) for result in results[:6]] == [[[1.0]], [[1.0, 2.0]], [[1]], [[2.0]], [[3.0, 4.0]], [[2]]]
    assert sorted(np.asarray(value).shape for _, value in fake.asked) == [(2, 1), (2, 1), (2, 1), (2, 2)]


async def test_what_says_more_than_its_rows_goes_alone() -> None:
    fake = Fake("m")
    surface = gathered(fake)

    status, body = await ask(surface, [1.0], meta={"tags": {"who": "me"}})

    assert (status, body["meta"]["tags"]) == (200, {"who": "me"})


async def test_each_keeps_its_own_puid_and_learns_the_route() -> None:
    surface = gathered(Fake("m"), max_rows=2)

    first, second = await asyncio.gather(
        ask(surface, [1.0], meta={"puid": "a"}), ask(surface, [2.0], meta={"puid": "b"})
    )

    assert [(result[1]["meta"]["puid"], result[1]["meta"]["routing"]) for result in (first, second)] == [
        ("a", {"m": -1}),
        ("b", {"m": -1}),
    ]


async def test_a_bad_row_fails_alone() -> None:
    def predict(value: Any) -> Any:
        if (value < 0).any():
            raise ValueError("negative")
        return value

    surface = gathered(Fake("m", predict=predict), max_rows=3)
    results = await asyncio.gather(*(ask(surface, [row]) for row in (1.0, -1.0, 2.0)))

    assert [rows_of(result) for result in results] == [[[1.0]], 500, [[2.0]]]
    assert "negative" in results[1][1]["status"]["info"]


async def test_an_answer_that_is_not_one_per_row_is_asked_again_one_by_one() -> None:
    fake = Fake("m", predict=lambda value: np.array([[value.sum()]]))

    surface = gathered(fake)
    results = await asyncio.gather(*(ask(surface, [row], [row]) for row in (1.0, 2.0)))

    assert [rows_of(result) for result in results] == [[[2.0]], [[4.0]]]


async def test_text_and_empty_requests_are_not_gathered() -> None:
    surface = gathered(Fake("m"))

    text = await surface.post(PATH, {"strData": "hello"})
    empty = await surface.post(PATH, {"data": {"ndarray": []}})

    assert (text.status, empty.status) == (200, 200)
