"""An InferenceService for its own cluster alone: a graph of services reaches it, clients do not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.instance import Answer, Installation, call, until

pytestmark = pytest.mark.slow

KSERVE = "/apis/serving.kserve.io"
SERVICE = f"{KSERVE}/v1beta1/namespaces/default/inferenceservices"
GRAPH = f"{KSERVE}/v1alpha1/namespaces/default/inferencegraphs"
MANIFESTS = """
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: hidden
  namespace: default
  labels: {{networking.kserve.io/visibility: cluster-local}}
spec:
  predictor:
    model:
      modelFormat: {{name: sklearn}}
      storageUri: file://{folder}
---
apiVersion: serving.kserve.io/v1alpha1
kind: InferenceGraph
metadata: {{name: front, namespace: default}}
spec:
  nodes:
    root:
      routerType: Sequence
      steps: [{{serviceName: hidden}}]
"""
BODY = json.dumps({"instances": [[6.8, 2.8, 4.8, 1.4]]}).encode()


@pytest.fixture(scope="module")
def running(shared: Installation, iris: Path) -> Iterator[Installation]:
    shared.run("apply", "-f", "-", stdin=MANIFESTS.format(folder=iris))
    for path in (f"{SERVICE}/hidden", f"{GRAPH}/front"):
        until(lambda path=path: _is_ready(shared, path), what=f"{path} ready")  # type: ignore[misc]  # a default binds it
    yield shared
    for path in (f"{GRAPH}/front", f"{SERVICE}/hidden"):
        call(shared.control_url + path, "DELETE")


def _is_ready(running: Installation, path: str) -> bool:
    status: dict[str, Any] = call(running.control_url + path).json().get("status", {})
    return any((one["type"], one["status"]) == ("Ready", "True") for one in status.get("conditions", []))


def _ask(running: Installation, host: str, path: str) -> Answer:
    return call(running.url + path, "POST", BODY, {"Host": host, "Content-Type": "application/json"})


def test_a_graph_asks_a_service_that_no_client_can(running: Installation) -> None:
    through = _ask(running, "front.default.localhost", "/")

    assert (through.status, through.json()) == (200, {"predictions": [1]})


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("hidden.default.localhost", "/v1/models/hidden:predict"),
        ("hidden.default.svc.cluster.local", "/v1/models/hidden:predict"),
        ("hidden-predictor.default", "/v1/models/hidden:predict"),
        ("localhost", "/serving/default/hidden/v1/models/hidden:predict"),
    ],
)
def test_to_clients_it_is_not_there(running: Installation, host: str, path: str) -> None:
    assert _ask(running, host, path).status == 404


def test_it_is_not_listed_either(running: Installation) -> None:
    names = [service["name"] for service in call(running.url + "/").json()["services"]]

    assert "front" in names
    assert "hidden" not in names
