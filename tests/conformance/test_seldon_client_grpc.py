"""The public SeldonClient (PyPI `seldon-core`) over gRPC, through a gateway."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.instance import Installation, installation
from support.manifests import images, sdep, sklearn
from support.models import train_iris_sklearn
from support.peers import SeldonClientProcess, seldon_client

pytestmark = pytest.mark.slow

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
    return {
        "deployment_name": deployment,
        "namespace": "seldon",
        "gateway_endpoint": endpoint,
        "transport": "grpc",
        "gateway": "istio",
        **more,
    }


@pytest.mark.parametrize("payload_type", ["ndarray", "tensor"])
def test_predict(served: Installation, client: SeldonClientProcess, payload_type: str) -> None:
    result = client("predict", through(served, "iris"), data=ROW, payload_type=payload_type)

    assert (result["success"], result["msg"]) == (True, "")
    data = result["response"]["data"]
    assert data["names"] == ["t:0", "t:1", "t:2"]
    values = data["ndarray"][0] if payload_type == "ndarray" else data["tensor"]["values"]
    assert sum(values) == pytest.approx(1.0)
    assert result["response"]["meta"]["requestPath"] == {"classifier": "seldonio/sklearnserver:1.18.2"}


def test_text_comes_back_with_metrics(served: Installation, client: SeldonClientProcess) -> None:
    result = client("predict", through(served, "echo"), str_data="hello")

    assert result["response"]["strData"] == "hello"
    kinds = {metric["key"]: metric.get("type", "COUNTER") for metric in result["response"]["meta"]["metrics"]}
    assert kinds == {"mycounter": "COUNTER", "mygauge": "GAUGE", "mytimer": "TIMER"}


def test_feedback_is_taken(served: Installation, client: SeldonClientProcess) -> None:
    answer = client("predict", through(served, "iris"), data=ROW)["response"]

    result = client(
        "feedback",
        through(served, "iris"),
        raw_request={"response": answer, "reward": 1.0},
    )

    assert result["success"] is True


def test_a_refusal_is_a_status_with_the_models_words(served: Installation, client: SeldonClientProcess) -> None:
    result = client("predict", through(served, "iris"), data={"$array": [[1.0, 2.0]]})

    assert result["success"] is False
    assert "StatusCode." in result["msg"]
