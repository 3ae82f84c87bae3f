"""Traces, request ids and access logs through a whole installation: client, gateway, worker, unit."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fairlead.protocols.protos import message
from support.grpc_channels import channel_to
from support.instance import Answer, Installation, call, installation, until
from support.manifests import sdep
from support.otlp_collector import Collector, collector

pytestmark = pytest.mark.slow

PARENT = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
CONFIG = """access_log = "all"

[tracing]
endpoint = "{url}"
propagators = "tracecontext,b3"
"""


@pytest.fixture(scope="module")
def collected() -> Iterator[Collector]:
    with collector() as made:
        yield made


@pytest.fixture(scope="module")
def running(collected: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("traced") / "home"
    with installation(home, config=CONFIG.format(url=collected.url)) as made:
        made.apply(sdep("traced", {"name": "default", "graph": {"name": "m", "implementation": "SIMPLE_MODEL"}}))
        made.wait_for("traced")
        yield made


def predict(running: Installation, **headers: str) -> Answer:
    url = f"{running.url}/seldon/default/traced/api/v1.0/predictions?key=secret"
    body = b'{"data":{"ndarray":[[1,2]]}}'
    return call(url, "POST", body, {"Content-Type": "application/json"} | headers)


def log_lines(log: Path) -> list[dict[str, Any]]:
    """The JSON lines of a log, whatever stands in front of them."""
    lines = [line[line.index("{") :] for line in log.read_text().splitlines() if '"at":' in line]
    return [json.loads(line) for line in lines]


def test_spans_of_gateway_worker_and_unit_are_of_the_clients_trace(running: Installation, collected: Collector) -> None:
    collected.spans.clear()
    assert predict(running, traceparent=PARENT).status == 200

    spans = collected.wait_for("POST /seldon/default/traced/", "predictions", "m predict")
    gateway, worker, unit = spans["POST /seldon/default/traced/"], spans["predictions"], spans["m predict"]
    assert (gateway.parent, worker.parent, unit.parent) == ("00f067aa0ba902b7", gateway.id, worker.id)
    assert {span.trace for span in spans.values()} == {PARENT.split("-")[1]}
    assert (gateway.service, worker.service) == ("fairlead-gateway", "executor")
    assert gateway.attributes["http.response.status_code"] == 200
    assert gateway.attributes["fairlead.replica"] == running.pods("traced")[0]["metadata"]["name"]


def test_grpc_calls_are_traced_by_their_method(running: Installation, collected: Collector) -> None:
    collected.spans.clear()
    port = json.loads((running.home / "instance.json").read_text())["grpcPort"]
    asked = message("seldon.protos.SeldonMessage")()
    asked.data.tensor.shape.extend([1, 2])
    asked.data.tensor.values.extend([1, 2])
    with channel_to(port) as channel:
        ask = channel.unary_unary("/seldon.protos.Seldon/Predict")
        metadata = (("seldon", "traced"), ("namespace", "default"), ("traceparent", PARENT), ("x-request-id", "g-1"))
        _, answered = ask.with_call(asked.SerializeToString(), metadata=metadata, timeout=30)

    until(lambda: len(collected.spans) >= 3, what="spans of the call")
    gateway, worker = sorted(
        (span for span in collected.spans if span.name == "seldon.protos.Seldon/Predict"),
        key=lambda span: span.service != "fairlead-gateway",
    )
    assert (gateway.parent, worker.parent) == ("00f067aa0ba902b7", gateway.id)
    assert gateway.attributes["rpc.response.status_code"] == "OK"
    assert dict(answered.initial_metadata())["x-request-id"] == "g-1"


def test_a_request_id_is_made_or_kept_and_is_in_answer_and_both_logs(running: Installation) -> None:
    made = predict(running).headers["x-request-id"]
    assert predict(running, **{"X-Request-Id": "mine"}).headers["x-request-id"] == "mine"
    assert len(made) == 32

    pod = running.pods("traced")[0]["metadata"]["name"]
    worker_log = running.home / "logs" / "default" / f"{pod}.log"

    def has_both(log: Path) -> bool:
        return {"mine", made} <= {line.get("request_id") for line in log_lines(log)}

    for log in (running.home / "logs" / "gateway.log", worker_log):
        until(partial(has_both, log), what=f"lines in {log}")
        assert "secret" not in log.read_text()
    (line,) = [one for one in log_lines(running.home / "logs" / "gateway.log") if one.get("request_id") == "mine"]
    assert line["puid"]
    assert (line["service"], line["component"], line["replica"], line["status"]) == ("traced", "default", pod, 200)
    assert line["duration_s"] >= line["queue_s"] >= 0


def test_what_no_route_takes_is_logged_too(running: Installation) -> None:
    assert call(f"{running.url}/nowhere").status == 404

    log = running.home / "logs" / "gateway.log"
    until(lambda: any(line["path"] == "/nowhere" and line["status"] == 404 for line in log_lines(log)), what="a line")
