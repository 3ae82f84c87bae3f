"""KServe's batcher under its V1 protocol: the shape of answers, who shares a batch, what a bad row does."""

import asyncio
import json
from typing import Any

import pytest

from fairlead.plan.model import Batching, Protocol
from fairlead.protocols.exchange import Response
from fairlead.runtimes.base import Servable
from fairlead.runtimes.component import Component
from support.serving import Fake, Served, Times, call, served, unit, worker_spec

pytestmark = pytest.mark.anyio

PREDICT = "/v1/models/m:predict"


def gathered(fake: Servable, *, max_rows: int = 4, max_latency_s: float = 60.0) -> Served:
    policy = Batching(max_rows=max_rows, max_latency_s=max_latency_s)
    return served(worker_spec([unit("m")], call("m"), protocol=Protocol.V1, batching=policy), m=fake)


def bodies(responses: list[Response]) -> list[Any]:
    return [json.loads(response.body) for response in responses]


async def ask(surface: Served, *instances: list[Any]) -> list[Response]:
    """Every list of instances at the same time."""
    return await asyncio.gather(*(surface.post(PREDICT, {"instances": rows}) for rows in instances))


async def test_everybody_in_a_batch_gets_its_id_and_their_own_rows() -> None:
    fake = Fake("m", rows=Times())

    responses = await ask(gathered(fake), [[1.0]], [[2.0], [3.0]], [[4.0]])

    first, *others = bodies(responses)
    assert list(first) == ["message", "batchId", "predictions"]
    assert responses[0].body.startswith(b'{"message":"","batchId":"')
    assert (first["message"], len(first["batchId"]), first["predictions"]) == ("", 36, [[2.0]])
    assert [other["predictions"] for other in others] == [[[4.0], [6.0]], [[8.0]]]
    assert {other["batchId"] for other in others} == {first["batchId"]}


async def test_rows_of_different_widths_share_no_batch() -> None:
    fake = Fake("m", predict=lambda rows: rows.sum(axis=1))
    narrow = [[[float(number)]] for number in range(8)]
    wide = [[[float(number), 100.0]] for number in range(8)]
    mixed = [rows for pair in zip(narrow, wide, strict=True) for rows in pair]

    answers = bodies(await ask(gathered(fake), *mixed))

    assert [answer["predictions"] for answer in answers[::2]] == [[float(number)] for number in range(8)]
    assert [answer["predictions"] for answer in answers[1::2]] == [[number + 100.0] for number in range(8)]
    ids = [{answer["batchId"] for answer in part} for part in (answers[::2], answers[1::2])]
    assert [len(part) for part in ids] == [2, 2]
    assert not ids[0] & ids[1]
    assert sorted({value.shape for _, value in fake.asked}) == [(4, 1), (4, 2)]


async def test_a_bad_row_fails_alone_with_its_real_status() -> None:
    def predict(rows: Any) -> Any:
        if (rows < 0).any():
            raise ValueError("negative")
        return rows * 2

    responses = await ask(gathered(Fake("m", predict=predict), max_rows=3), [[1.0]], [[-1.0]], [[3.0]])

    assert [response.status for response in responses] == [200, 500, 200]
    good, bad, also = bodies(responses)
    assert [good["predictions"], also["predictions"]] == [[[2.0]], [[6.0]]]
    assert bad == {"error": "negative"}
    assert good["batchId"] != also["batchId"]


async def test_what_cannot_share_a_batch_is_one_by_itself() -> None:
    class Same:
        def predict(self, rows: Any, names: Any) -> Any:
            return rows

    servable = Component(Same(), unit("m"), env={})

    [answer] = bodies(await ask(gathered(servable), [1, {"b": 2}]))

    assert len(answer["batchId"]) == 36
    assert answer["predictions"] == [1, {"b": 2}]


async def test_a_request_without_rows_is_refused_as_ever() -> None:
    response = await gathered(Fake("m", rows=Times())).post(PREDICT, {"rows": [[1]]})

    assert response.status == 400
    assert "instances" in json.loads(response.body)["error"]
