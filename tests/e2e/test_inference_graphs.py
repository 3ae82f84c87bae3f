"""InferenceGraphs through a whole installation, over services that are local HTTP servers."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from support.instance import Answer, Installation, call, until
from support.loopback_server import loopback_server

pytestmark = pytest.mark.slow

GRAPHS = "/apis/serving.kserve.io/v1alpha1/namespaces/default/inferencegraphs"
SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"


class Named(BaseHTTPRequestHandler):
    """A service that answers who it is, what it was asked and what came along; `/busy` is busy."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = 429 if self.path == "/busy" else 200
        answer = {"by": self.path[1:], "asked": json.loads(body), "tenant": self.headers.get("X-Tenant")}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def services() -> Iterator[str]:
    with ExitStack() as stack:
        yield f"http://127.0.0.1:{stack.enter_context(loopback_server(Named))}"


@pytest.fixture
def graph(shared: Installation, services: str) -> Iterator[tuple[Installation, str]]:
    document = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {
            "name": "pipeline",
            "namespace": "default",
            "annotations": {"fairlead.dev/propagate-headers": "x-tenant"},
        },
        "spec": {
            "nodes": {
                "root": {
                    "routerType": "Switch",
                    "steps": [
                        {"nodeName": "both", "condition": "instances"},
                        {"name": "busy", "serviceUrl": f"{services}/busy", "condition": "busy"},
                    ],
                },
                "both": {
                    "routerType": "Ensemble",
                    "steps": [{"name": name, "serviceUrl": f"{services}/{name}"} for name in ("a", "b")],
                },
            }
        },
    }
    shared.api(GRAPHS, "POST", document)
    until(lambda: condition(shared, "Ready").get("status") == "True", what="the graph is ready")
    yield shared, f"{shared.url}/serving/default/pipeline/"
    shared.api(f"{GRAPHS}/pipeline", "DELETE")


def condition(running: Installation, type_: str) -> dict[str, Any]:
    status = running.api(f"{GRAPHS}/pipeline").get("status") or {}
    return next((one for one in status.get("conditions") or () if one["type"] == type_), {})


def ask(url: str, value: Any, **headers: str) -> Answer:
    return call(url, "POST", json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


def test_a_graph_answers_by_path_and_by_host(graph: tuple[Installation, str]) -> None:
    running, url = graph
    told = running.api(f"{GRAPHS}/pipeline")["status"]["url"]
    host = told.removeprefix("http://")

    by_path = ask(url, {"instances": [1]}, **{"X-Tenant": "t"})
    by_host = ask(f"{running.url}/v1/models/anything:predict", {"instances": [1]}, Host=host)

    assert host.startswith("pipeline.default.")
    assert by_path.json() == {name: {"by": name, "asked": {"instances": [1]}, "tenant": "t"} for name in ("a", "b")}
    assert by_host.status == 200
    assert set(by_host.json()) == {"a", "b"}


def test_a_graph_is_found_by_its_short_name(graph: tuple[Installation, str]) -> None:
    running, _ = graph

    head, line = running.run("get", "ig", "pipeline").stdout.splitlines()
    shown = dict(zip(head.split(), line.split(), strict=True))

    assert (shown["NAME"], shown["READY"]) == ("pipeline", "True")
    assert shown["URL"].startswith("http://pipeline.default.")


def test_failures_keep_their_status_and_name_their_step(graph: tuple[Installation, str]) -> None:
    _, url = graph

    busy, nowhere = ask(url, {"busy": 1}), ask(url, {"nothing": 1})

    assert (busy.status, busy.headers["fairlead-step"]) == (429, "root/busy")
    assert (nowhere.status, nowhere.headers["fairlead-step"]) == (404, "root")
    assert nowhere.json() == {
        "error": "Failed to process request",
        "cause": "None of the routes matched with the switch condition",
    }


def test_a_graph_can_be_changed_and_stopped(graph: tuple[Installation, str], services: str) -> None:
    running, url = graph
    nodes = {"root": {"routerType": "Sequence", "steps": [{"name": "c", "serviceUrl": f"{services}/c"}]}}
    patch = {"spec": {"nodes": {**nodes, "both": None}}}

    running.api(f"{GRAPHS}/pipeline", "PATCH", patch, "application/merge-patch+json")
    until(lambda: ask(url, {"instances": [1]}).json().get("by") == "c", what="the new graph answers")
    stop = {"metadata": {"annotations": {"serving.kserve.io/stop": "true"}}}
    running.api(f"{GRAPHS}/pipeline", "PATCH", stop, "application/merge-patch+json")
    until(lambda: condition(running, "Stopped").get("status") == "True", what="the graph is stopped")

    assert condition(running, "Ready")["reason"] == "Stopped"
    assert ask(url, {"instances": [1]}).status >= 400


@pytest.fixture(scope="module")
def models(shared: Installation, iris: Path) -> Iterator[Installation]:
    """Two InferenceServices of the same model: `one` speaks V1 and starts at zero, `two` speaks V2."""
    for name, fields in (("one", {"minReplicas": 0}), ("two", {})):
        model: dict[str, Any] = {"modelFormat": {"name": "sklearn"}, "storageUri": f"file://{iris}"}
        if name == "two":
            model["protocolVersion"] = "v2"
        document = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"predictor": {**fields, "model": model}},
        }
        shared.api(SERVICES, "POST", document)
    yield shared
    for name in ("one", "two"):
        shared.api(f"{SERVICES}/{name}", "DELETE")


@pytest.mark.parametrize("fuse", ["false", "true"])
def test_a_graph_of_inference_services_is_ready_when_they_are_and_asks_their_models(
    models: Installation, fuse: str
) -> None:
    steps = [{"serviceName": "one", "condition": "instances"}, {"serviceName": "two", "condition": "inputs"}]
    document = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {"name": "pipeline", "namespace": "default", "annotations": {"fairlead.dev/fuse": fuse}},
        "spec": {"nodes": {"root": {"routerType": "Switch", "steps": steps}}},
    }
    rows = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
    tensor = {"name": "x", "shape": [2, 4], "datatype": "FP64", "data": rows}

    models.api(GRAPHS, "POST", document)
    until(lambda: condition(models, "Ready").get("status") == "True", what="the graph is ready")
    first = ask(f"{models.url}/serving/default/pipeline/", {"instances": rows})
    second = ask(f"{models.url}/serving/default/pipeline/", {"inputs": [tensor]})
    events = models.api("/api/v1/namespaces/default/events")["items"]
    models.api(f"{GRAPHS}/pipeline", "DELETE")

    assert [event["message"] for event in events if "asked where they are" in event["message"]] == []
    assert (first.status, first.json()) == (200, {"predictions": [0, 2]})
    assert (second.status, second.json()["outputs"][0]["data"]) == (200, [0, 2])


def test_a_graph_of_a_service_that_is_not_there_says_so(shared: Installation) -> None:
    nodes = {"root": {"routerType": "Sequence", "steps": [{"serviceName": "nobody"}]}}
    document = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {"name": "pipeline", "namespace": "default"},
        "spec": {"nodes": nodes},
    }

    shared.api(GRAPHS, "POST", document)
    until(lambda: bool(condition(shared, "Ready")), what="the graph has a status")
    told = condition(shared, "Ready")
    shared.api(f"{GRAPHS}/pipeline", "DELETE")

    assert (told["status"], told["reason"]) == ("False", "ServiceNotFound")
    assert told["message"] == "Failed to find graph service nobody"


def test_a_graph_that_is_wrong_is_refused_with_kserves_words(shared: Installation) -> None:
    document = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {"name": "pipeline", "namespace": "default"},
        "spec": {"nodes": {"first": {"routerType": "Sequence", "steps": []}}},
    }

    refused = shared.api_answer(GRAPHS, "POST", document)

    assert refused.status in (400, 422, 403)
    assert "root node not found, InferenceGraph needs a node with name 'root'" in refused.json()["message"]
