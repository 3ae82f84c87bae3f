"""The public SeldonClient over gRPC: through the gateway, at a worker, at a bare unit. Facts: SeldonClient 1.18.2."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench.ports import free_ports

from fairlead.dataplane.spec import Placement
from fairlead.plan.model import Protocol, Unit, UnitName
from support.instance import FAIRLEAD, Installation, call, installation, until
from support.manifests import images, sdep, sklearn
from support.models import train_iris_sklearn
from support.peers import SeldonClientProcess, seldon_client
from support.workers import running_worker

pytestmark = pytest.mark.slow

NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
ROW = {"$array": [[5.1, 3.5, 1.4, 0.2]]}


@pytest.fixture(scope="module")
def client() -> Iterator[SeldonClientProcess]:
    with seldon_client() as process:
        yield process


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_iris_sklearn(tmp_path_factory.mktemp("iris"))


@pytest.fixture(scope="module")
def served(iris: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("grpc") / "home") as running:
        running.run("apply", "-f", "-", stdin="apiVersion: v1\nkind: Namespace\nmetadata: {name: seldon}\n")
        running.apply(sdep("iris", sklearn(iris), namespace="seldon"))
        running.apply(sdep("echo", images("main", {"name": "m"}, {"m": "seldonio/echo-model:1.0"}), namespace="seldon"))
        running.wait_for("iris", namespace="seldon")
        running.wait_for("echo", namespace="seldon")
        yield running


@pytest.fixture(scope="module")
def worker(iris: Path) -> Iterator[str]:
    """The address of a worker that serves the model by itself, as the orchestrator of a predictor does."""
    unit = Unit(name=UnitName("classifier"), runtime="sklearn", image="seldonio/sklearnserver:1.18.2")
    placed = Placement(unit="classifier", folder=str(iris))
    with running_worker(unit, placement=placed, protocol=Protocol.SELDON) as running:
        yield f"127.0.0.1:{running.port}"


@pytest.fixture(params=["ambassador", "istio", "seldon"])
def through(served: Installation, worker: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """The client's arguments for each kind of gateway it knows; `seldon` is none, but the orchestrator itself."""
    if request.param == "seldon":
        return {"gateway": "seldon", "transport": "grpc", "gateway_endpoint": worker}
    return behind(served, "iris", gateway=request.param)


def behind(served: Installation, deployment: str, **more: Any) -> dict[str, Any]:
    found = json.loads((served.home / "instance.json").read_text())
    endpoint = f"127.0.0.1:{found['grpcPort']}"
    asked = {"deployment_name": deployment, "namespace": "seldon", "gateway_endpoint": endpoint, "transport": "grpc"}
    return {"gateway": "ambassador", **asked, **more}


@pytest.mark.parametrize("payload_type", ["ndarray", "tensor"])
def test_predict(through: dict[str, Any], client: SeldonClientProcess, payload_type: str) -> None:
    result = client("predict", through, data=ROW, payload_type=payload_type, names=NAMES)

    assert (result["success"], result["msg"]) == (True, "")
    data = result["response"]["data"]
    assert data["names"] == ["t:0", "t:1", "t:2"]
    values = data["ndarray"][0] if payload_type == "ndarray" else data["tensor"]["values"]
    assert sum(values) == pytest.approx(1.0)
    assert result["response"]["meta"]["requestPath"] == {"classifier": "seldonio/sklearnserver:1.18.2"}


def test_raw_data(through: dict[str, Any], client: SeldonClientProcess) -> None:
    result = client("predict", through, raw_data={"data": {"ndarray": ROW["$array"], "names": NAMES}})

    assert sum(result["response"]["data"]["ndarray"][0]) == pytest.approx(1.0)


def test_a_model_that_cannot_use_the_shape_is_an_invalid_argument(
    through: dict[str, Any], client: SeldonClientProcess
) -> None:
    result = client("predict", through, data={"$array": [[1.0, 2.0]]})

    assert result["success"] is False
    assert "StatusCode.INVALID_ARGUMENT" in result["msg"]


@pytest.mark.parametrize(
    ("argument", "value", "field", "expected"),
    [
        ("str_data", "hello", "strData", "hello"),
        ("bin_data", {"$bytes": "hello"}, "binData", "aGVsbG8="),
        ("json_data", {"a": [1, 2], "b": "x"}, "jsonData", {"a": [1, 2], "b": "x"}),
    ],
)
def test_other_payloads(
    served: Installation, client: SeldonClientProcess, argument: str, value: Any, field: str, expected: Any
) -> None:
    result = client("predict", behind(served, "echo"), **{argument: value})

    assert result["success"] is True
    assert result["response"][field] == expected


def test_tags_and_metrics_come_back(served: Installation, client: SeldonClientProcess) -> None:
    result = client("predict", behind(served, "echo"), data=ROW, meta={"batch": 7})

    meta = result["response"]["meta"]
    assert meta["tags"] == {"batch": 7}
    assert [(one["key"], one.get("type", "COUNTER")) for one in meta["metrics"]] == [
        ("mycounter", "COUNTER"),
        ("mygauge", "GAUGE"),
        ("mytimer", "TIMER"),
    ]


def test_feedback_with_a_reward(served: Installation, client: SeldonClientProcess) -> None:
    result = client("feedback", behind(served, "echo"), prediction_request=None, prediction_response=None, reward=1.0)

    assert result["success"] is True


def test_a_deployment_that_is_not_there_is_not_found_by_its_name(
    served: Installation, client: SeldonClientProcess
) -> None:
    result = client("predict", behind(served, "nobody"), data=ROW)

    assert result["success"] is False
    assert "StatusCode.NOT_FOUND" in result["msg"]
    assert "there is no service seldon/nobody here" in result["msg"]
    assert "served here: seldon/echo, seldon/iris" in result["msg"]


UNIT = """
class Doubler:
    def predict(self, X, names, meta=None):
        return X * 2

    def transform_input(self, X, names):
        return X + 1

    def transform_output(self, X, names):
        return X - 1

    def route(self, X, names):
        return 1

    def aggregate(self, Xs, names):
        return Xs[0] + Xs[1]

    def send_feedback(self, X, names, reward, truth, routing=None):
        return [[reward]]
"""


@pytest.fixture(scope="module")
def unit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The gRPC address of a user's class served alone, as `seldon-core-microservice` would."""
    folder = tmp_path_factory.mktemp("unit")
    (folder / "Doubler.py").write_text(UNIT)
    port, grpc_port, metrics_port = free_ports(3)
    flags = ["--http-port", str(port), "--grpc-port", str(grpc_port), "--metrics-port", str(metrics_port)]
    process = subprocess.Popen([str(FAIRLEAD), "serve", "Doubler", *flags], cwd=folder)
    try:
        until(lambda: _pings(port), what="the unit")
        yield f"127.0.0.1:{grpc_port}"
    finally:
        process.terminate()
        assert process.wait(20) == 0


def _pings(port: int) -> bool:
    try:
        return call(f"http://127.0.0.1:{port}/health/ping").body == b"pong"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("method", "expected"), [("predict", 4.0), ("transform-input", 3.0), ("transform-output", 1.0), ("route", 1)]
)
def test_microservice_calls(unit: str, client: SeldonClientProcess, method: str, expected: float) -> None:
    asked = {"microservice_endpoint": unit, "transport": "grpc"}

    result = client("microservice", asked, method=method, data={"$array": [[2.0]]}, payload_type="ndarray")

    assert result["success"] is True
    assert result["response"]["data"]["ndarray"] == [[expected]]


def test_microservice_aggregate(unit: str, client: SeldonClientProcess) -> None:
    result = client(
        "microservice", {"microservice_endpoint": unit, "transport": "grpc"}, method="aggregate",
        payload_type="ndarray", datas=[{"$array": [[1.0]]}, {"$array": [[2.0]]}], ndatas=2,
    )  # fmt: skip

    assert result["success"] is True
    assert result["response"]["data"]["ndarray"] == [[3.0]]
