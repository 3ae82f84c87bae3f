"""The public SeldonClient (PyPI `seldon-core`) against a gateway and a bare unit. Facts: SeldonClient 1.18.2."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench.ports import free_ports

from support.instance import FAIRLEAD, Installation, call, installation, until
from support.manifests import images, sdep, sklearn
from support.models import train_iris_sklearn
from support.peers import SeldonClientProcess, seldon_client

pytestmark = pytest.mark.slow

NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
ROW = {"$array": [[5.1, 3.5, 1.4, 0.2]]}


@pytest.fixture(scope="module")
def client() -> Iterator[SeldonClientProcess]:
    with seldon_client() as process:
        yield process


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("client")
    with installation(folder / "home") as running:
        running.run("apply", "-f", "-", stdin="apiVersion: v1\nkind: Namespace\nmetadata: {name: seldon}\n")
        running.apply(sdep("iris", sklearn(train_iris_sklearn(folder / "iris")), namespace="seldon"))
        running.apply(sdep("echo", images("main", {"name": "m"}, {"m": "seldonio/echo-model:1.0"}), namespace="seldon"))
        running.wait_for("iris", namespace="seldon")
        running.wait_for("echo", namespace="seldon")
        yield running


def through(served: Installation, deployment: str, **more: Any) -> dict[str, Any]:
    endpoint = served.url.removeprefix("http://")
    return {"deployment_name": deployment, "namespace": "seldon", "gateway_endpoint": endpoint, **more}


@pytest.mark.parametrize("gateway", ["ambassador", "istio"])
@pytest.mark.parametrize("payload_type", ["ndarray", "tensor"])
def test_predict_through_a_gateway(
    served: Installation, client: SeldonClientProcess, gateway: str, payload_type: str
) -> None:
    result = client(
        "predict", through(served, "iris", gateway=gateway), data=ROW, payload_type=payload_type, names=NAMES
    )

    assert (result["success"], result["msg"]) == (True, "")
    data = result["response"]["data"]
    assert data["names"] == ["t:0", "t:1", "t:2"]
    values = data["ndarray"][0] if payload_type == "ndarray" else data["tensor"]["values"]
    assert sum(values) == pytest.approx(1.0)


def test_predict_with_the_proto_return_type(served: Installation, client: SeldonClientProcess) -> None:
    result = client("predict", through(served, "iris", client_return_type="proto"), data=ROW)

    assert result["success"] is True
    assert result["response"]["data"]["tensor"]["shape"] == [1, 3]
    assert result["response"]["meta"]["requestPath"] == {"classifier": "seldonio/sklearnserver:1.18.2"}


def test_a_tftensor_is_read_and_answered_as_one(served: Installation, client: SeldonClientProcess) -> None:
    tensor = {
        "dtype": "DT_DOUBLE",
        "tensorShape": {"dim": [{"size": "1"}, {"size": "4"}]},
        "doubleVal": [5.1, 3.5, 1.4, 0.2],
    }

    result = client("predict", through(served, "iris"), raw_data={"data": {"tftensor": tensor}})

    assert result["success"] is True
    answered = result["response"]["data"]["tftensor"]
    assert [int(dim["size"]) for dim in answered["tensorShape"]["dim"]] == [1, 3]


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
    result = client("predict", through(served, "echo"), **{argument: value})

    assert result["success"] is True
    assert result["response"][field] == expected


def test_tags_in_meta_come_back(served: Installation, client: SeldonClientProcess) -> None:
    result = client("predict", through(served, "echo"), data=ROW, meta={"batch": 7})

    assert result["success"] is True
    assert result["response"]["meta"]["tags"] == {"batch": 7}


def test_the_gateway_type_seldon_reaches_the_only_deployment_of_a_service(
    client: SeldonClientProcess, tmp_path: Path
) -> None:
    with installation(tmp_path / "home") as running:
        running.apply(sdep("only", images("main", {"name": "m"}, {"m": "seldonio/fixed-model:0.1"})))
        running.wait_for("only")
        endpoint = running.url.removeprefix("http://")

        result = client(
            "predict", {"gateway": "seldon", "gateway_endpoint": endpoint}, data=ROW, payload_type="ndarray"
        )

    assert result["success"] is True
    assert result["response"]["data"]["ndarray"] == [1, 2, 3, 4]


def test_feedback_with_a_reward(served: Installation, client: SeldonClientProcess) -> None:
    request = {"data": {"ndarray": [[5.1, 3.5, 1.4, 0.2]]}}
    raw = {"request": request, "response": {"meta": {"routing": {}}}, "reward": 1.0}

    result = client("feedback", through(served, "echo"), prediction_request=None, prediction_response=None, reward=1.0,
                    raw_request=raw)  # fmt: skip

    assert result["success"] is True


def test_a_model_that_cannot_use_the_shape_is_400_with_the_reason_phrase(
    served: Installation, client: SeldonClientProcess
) -> None:
    result = client("predict", through(served, "iris"), data={"$array": [[1.0, 2.0]]})

    assert (result["success"], result["msg"]) == (False, "400:Bad Request")
    assert result["response"]["status"]["reason"] == "MICROSERVICE_BAD_DATA"
    assert result["response"]["status"]["info"].endswith(":None")


def test_a_deployment_that_is_not_there_is_404(served: Installation, client: SeldonClientProcess) -> None:
    result = client("predict", through(served, "nobody"), data=ROW)

    assert (result["success"], result["msg"]) == (False, "404:Not Found")


@pytest.fixture(scope="module")
def unit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A user's class served alone, as `seldon-core-microservice` would."""
    folder = tmp_path_factory.mktemp("unit")
    (folder / "Doubler.py").write_text(
        "class Doubler:\n"
        "    def predict(self, X, names, meta=None):\n        return X * 2\n"
        "    def transform_input(self, X, names):\n        return X + 1\n"
        "    def transform_output(self, X, names):\n        return X - 1\n"
        "    def route(self, X, names):\n        return 1\n"
        "    def aggregate(self, Xs, names):\n        return Xs[0] + Xs[1]\n"
        "    def send_feedback(self, X, names, reward, truth, routing=None):\n        return [[reward]]\n"
    )
    port, grpc_port, metrics_port = free_ports(3)
    process = subprocess.Popen(
        [str(FAIRLEAD), "serve", "Doubler", "--http-port", str(port), "--grpc-port", str(grpc_port),
         "--metrics-port", str(metrics_port)],
        cwd=folder,
    )  # fmt: skip
    try:
        until(lambda: _pings(port), what="the unit")
        yield f"127.0.0.1:{port}"
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
    result = client(
        "microservice", {"microservice_endpoint": unit}, method=method, data={"$array": [[2.0]]}, payload_type="ndarray"
    )

    assert result["success"] is True
    assert result["response"]["data"]["ndarray"] == [[expected]]


def test_microservice_aggregate(unit: str, client: SeldonClientProcess) -> None:
    result = client(
        "microservice", {"microservice_endpoint": unit}, method="aggregate", payload_type="ndarray",
        datas=[{"$array": [[1.0]]}, {"$array": [[2.0]]}], ndatas=2,
    )  # fmt: skip

    assert result["success"] is True
    assert result["response"]["data"]["ndarray"] == [[3.0]]


def test_every_answer_carries_a_puid(served: Installation) -> None:
    url = f"{served.url}/seldon/seldon/echo/api/v1.0/predictions"
    fresh = call(url, "POST", b'{"strData":"x"}', {"Content-Type": "application/json"})
    given = call(url, "POST", b'{"strData":"x"}', {"Content-Type": "application/json", "Seldon-Puid": "mine"})

    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", fresh.headers["seldon-puid"])
    assert given.headers["seldon-puid"] == "mine"
