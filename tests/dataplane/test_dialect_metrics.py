"""A worker's metrics under the names of the servers whose protocol it speaks."""

import asyncio
import json

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from fairlead.plan.model import Node, Protocol, UnitName
from support.serving import Fake, Served, Times, call, served, unit, worker_spec

pytestmark = pytest.mark.anyio

V1 = {"instances": [[1, 2], [3, 4]]}
V2 = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [1, 2]}]}


def worker(protocol: Protocol, *, is_seldon: bool = False, fake: Fake | None = None) -> Served:
    drawing = Node(unit=UnitName("m"), kind="model") if is_seldon else None
    spec = worker_spec([unit("m")], call("m"), protocol=protocol, drawing=drawing)
    return served(spec, m=fake or Fake("m", rows=Times()))


async def lines(one: Served, path: str = "/metrics") -> dict[str, dict[str, float]]:
    """Values by metric and by the labels that tell lines of it apart."""
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families((await one.get(path)).body.decode()):
        for sample in family.samples:
            labels = {k: v for k, v in sample.labels.items() if k in ("model_name", "model", "unit", "status", "le")}
            found.setdefault(sample.name, {})[",".join(labels.values())] = sample.value
    return found


async def test_v1_outside_of_seldon_has_kserves_histogram_of_predictions() -> None:
    one = worker(Protocol.V1)
    for _ in range(3):
        assert (await one.post("/v1/models/m:predict", V1)).status == 200

    found = await lines(one)

    assert found["request_predict_seconds_count"] == {"m": 3}
    assert found["request_predict_seconds_bucket"]["+Inf,m"] == 3
    assert "request_preprocess_seconds_count" not in found


async def test_the_hooks_of_user_code_are_timed_where_they_run() -> None:
    one = worker(Protocol.V1)
    assert (await one.post("/v1/models/m:predict", V1)).status == 200
    one.meters.hook_ran("m", "preprocess", 0.02)
    one.meters.hook_ran("m", "predict", 0.3)

    found = await lines(one)

    assert found["request_preprocess_seconds_sum"] == {"m": pytest.approx(0.02)}
    # The call as a whole is not counted as the hook that is a part of it.
    assert found["request_predict_seconds_sum"] == {"m": pytest.approx(0.3)}


async def test_v2_has_mlservers_counts_and_a_seldon_worker_not_kserves() -> None:
    one = worker(Protocol.V2, is_seldon=True)
    assert (await one.post("/v2/models/m/infer", V2)).status == 200
    wide = {"inputs": [{"name": "x", "shape": [1, 5], "datatype": "FP64", "data": [1, 2, 3, 4, 5]}]}
    assert (await one.post("/v2/models/m/infer", wide)).status >= 400

    found = await lines(one, "/prometheus")

    assert found["model_infer_request_success_total"] == {"m": 1}
    assert found["model_infer_request_failure_total"] == {"m": 1}
    assert found["model_infer_request_duration_count"] == {"m": 2}
    assert "request_predict_seconds_count" not in found


async def test_tensorflows_protocol_has_its_servers_count() -> None:
    one = worker(Protocol.TENSORFLOW)
    assert (await one.post("/v1/models/m:predict", V1)).status == 200

    assert (await lines(one))[":tensorflow:serving:request_count"] == {"m,OK": 1}


async def test_rows_waits_and_the_time_inside_are_counted_by_call_and_request() -> None:
    one = worker(Protocol.SELDON)
    body = {"data": {"ndarray": [[1, 2], [3, 4]]}}

    await asyncio.gather(*(one.post("/api/v1.0/predictions", body) for _ in range(8)))

    found = await lines(one)
    assert found["fairlead_queue_seconds_count"] == {"m": 8}
    assert found["fairlead_model_seconds_count"] == {"m": found["fairlead_batch_rows_count"]["m"]}
    assert found["fairlead_batch_rows_sum"] == {"m": 16}
    assert found["fairlead_refused_total"] == {"": 0, "m": 0}


async def test_calls_that_never_waited_are_waits_of_none() -> None:
    one = worker(Protocol.SELDON, fake=Fake("m", predict=lambda value: np.asarray(value)))
    for _ in range(5):
        answer = await one.post("/api/v1.0/predictions", {"data": {"ndarray": [[1]]}})
        assert json.loads(answer.body)["data"]["ndarray"] == [[1]]

    found = await lines(one)

    assert found["fairlead_queue_seconds_count"] == found["fairlead_model_seconds_count"] == {"m": 5}


async def test_what_every_program_says_of_its_process_is_there() -> None:
    found = await lines(worker(Protocol.SELDON))

    assert found["process_resident_memory_bytes"][""] > 10_000_000
    assert found["process_cpu_seconds_total"][""] > 0
    assert found["process_start_time_seconds"][""] > 1_600_000_000
    assert found["python_info"][""] == 1
