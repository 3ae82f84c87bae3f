"""Manifests of every shape, applied to a real installation and asked through its gateway."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.instance import Installation, call, until
from support.manifests import images, sdep, sklearn
from support.models import save_mlflow, train_iris_xgboost

pytestmark = pytest.mark.slow

ROW = {"data": {"ndarray": [[5.1, 3.5, 1.4, 0.2]]}}


def test_a_prepackaged_server_answers_through_the_gateway(shared: Installation, iris: Path) -> None:
    shared.apply(sdep("iris", sklearn(iris)))
    shared.wait_for("iris")

    answer = shared.predict("iris", ROW)

    assert answer.status == 200
    document = answer.json()
    assert document["data"]["names"] == ["t:0", "t:1", "t:2"]
    assert sum(document["data"]["ndarray"][0]) == pytest.approx(1.0)
    assert document["meta"]["requestPath"] == {"classifier": "seldonio/sklearnserver:1.18.2"}
    assert document["meta"]["routing"] == {"classifier": -1}
    assert len(answer.headers["seldon-puid"]) == 36


def test_an_xgboost_server_answers_with_probabilities(shared: Installation, tmp_path: Path) -> None:
    graph = {"name": "booster", "implementation": "XGBOOST_SERVER", "modelUri": str(train_iris_xgboost(tmp_path / "m"))}
    shared.apply(sdep("booster", {"name": "default", "graph": graph}))
    shared.wait_for("booster")

    document = shared.predict("booster", ROW).json()

    assert np.argmax(document["data"]["ndarray"][0]) == 0
    assert document["meta"]["requestPath"] == {"booster": "seldonio/xgboostserver:1.18.2"}


@pytest.mark.parametrize("flavour", ["sklearn", "xgboost", "lightgbm", "pyfunc"])
def test_an_mlflow_server_answers_whatever_is_inside(shared: Installation, tmp_path: Path, flavour: str) -> None:
    folder = save_mlflow(tmp_path / "m", flavour)
    parameters = [{"name": "xtype", "value": "ndarray", "type": "STRING"}]
    graph = {"name": "m", "implementation": "MLFLOW_SERVER", "modelUri": str(folder), "parameters": parameters}
    shared.apply(sdep(f"mlflow-{flavour}", {"name": "default", "graph": graph}))
    shared.wait_for(f"mlflow-{flavour}")

    answer = shared.predict(f"mlflow-{flavour}", ROW)

    assert answer.status == 200, answer.body
    assert len(answer.json()["data"]["ndarray"]) == 1


def test_the_listing_names_what_is_served(shared: Installation, iris: Path) -> None:
    shared.apply(sdep("listed", sklearn(iris)))
    shared.wait_for("listed")

    document = call(f"{shared.url}/").json()

    assert "listed" in json.dumps(document)


def test_an_unknown_path_is_404_and_says_what_would_be_found(shared: Installation) -> None:
    answer = call(f"{shared.url}/seldon/default/nobody/api/v1.0/predictions", "POST", b"{}")

    assert answer.status == 404
    assert b"nobody" in answer.body


def test_weights_are_exact_and_zero_gets_nothing(shared: Installation, iris: Path) -> None:
    one = images("one", {"name": "m"}, {"m": "seldonio/fixed-model:0.1"}, traffic=75)
    two = images("two", {"name": "m"}, {"m": "seldonio/fixed-model:0.2"}, traffic=25)
    none = sklearn(iris, name="none", traffic=0)
    shared.apply(sdep("split", one, two, none))
    shared.wait_for("split")

    seen: Counter[int] = Counter()
    for _ in range(40):
        seen[shared.predict("split", ROW).json()["data"]["ndarray"][0]] += 1

    assert seen == {1: 30, 5: 10}


def test_a_shadow_gets_a_copy_and_its_answer_is_dropped(shared: Installation) -> None:
    live = images("live", {"name": "m"}, {"m": "seldonio/fixed-model:0.1"}, traffic=100)
    shadow = images("shadow", {"name": "m"}, {"m": "seldonio/fixed-model:0.2"}, shadow=True)
    shared.apply(sdep("shadowed", live, shadow))
    shared.wait_for("shadowed")

    answers = {shared.predict("shadowed", ROW).json()["data"]["ndarray"][0] for _ in range(5)}

    assert answers == {1}
    metrics = f"{shared.url}/-/metrics"
    until(lambda: b"mirror" in call(metrics).body, what="mirrored requests in the metrics")


def test_a_router_and_a_combiner_run_in_one_worker(shared: Installation) -> None:
    graph = {
        "name": "abtest",
        "implementation": "RANDOM_ABTEST",
        "parameters": [{"name": "ratioA", "value": "1.0", "type": "FLOAT"}],
        "children": [
            {
                "name": "mean",
                "implementation": "AVERAGE_COMBINER",
                "type": "COMBINER",
                "children": [{"name": "a", "type": "MODEL"}, {"name": "b", "type": "MODEL"}],
            },
            {"name": "c", "type": "MODEL"},
        ],
    }
    units = dict.fromkeys("abc", "seldonio/mock_classifier:1.0")
    shared.apply(sdep("graph", images("main", graph, units)))
    shared.wait_for("graph")

    document = shared.predict("graph", {"data": {"ndarray": [[1.0, 2.0, 5.0]]}}).json()

    assert document["data"]["ndarray"][0][0] == pytest.approx(0.43782349911420193)
    assert document["meta"]["routing"] == {"abtest": 0, "mean": -1, "a": -1, "b": -1}
    assert len(shared.pods("graph")) == 1


def test_a_deployment_scales_to_zero_and_back(shared: Installation, iris: Path) -> None:
    shared.apply(sdep("scaled", sklearn(iris)))
    shared.wait_for("scaled")
    # The predictor's own number wins over the deployment's, so the subresource needs it out of the way.
    manifest = shared.get("scaled")
    del manifest["spec"]["predictors"][0]["replicas"]
    path = "/apis/machinelearning.seldon.io/v1/namespaces/default/seldondeployments/scaled"
    shared.api(path, "PUT", manifest)

    shared.scale("scaled", 0)
    until(lambda: shared.predict("scaled", ROW).status == 503, what="the refusal at zero")
    shared.scale("scaled", 2)
    until(lambda: len(shared.pods("scaled")) == 2, what="two replicas")
    shared.wait_for("scaled")

    assert shared.predict("scaled", ROW).status == 200


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({"strData": "hello"}, "strData"),
        ({"binData": "aGVsbG8="}, "binData"),
        ({"jsonData": {"a": [1, 2]}}, "jsonData"),
    ],
)
def test_every_payload_passes_through_an_echo(shared: Installation, message: dict[str, Any], kind: str) -> None:
    if shared.api_answer("/apis/machinelearning.seldon.io/v1/namespaces/default/seldondeployments/echo").status == 404:
        shared.apply(sdep("echo", images("main", {"name": "m"}, {"m": "seldonio/echo-model:1.0"})))
    shared.wait_for("echo")

    assert shared.predict("echo", message).json()[kind] == message[kind]


def test_the_status_carries_a_usable_address(shared: Installation, iris: Path) -> None:
    shared.apply(sdep("addressed", sklearn(iris)))
    shared.wait_for("addressed")

    address = shared.status("addressed")["address"]["url"]

    assert call(address, "POST", json.dumps(ROW).encode(), {"Content-Type": "application/json"}).status == 200


def test_a_deleted_deployment_stops_and_its_path_is_gone(shared: Installation, iris: Path) -> None:
    shared.apply(sdep("gone", sklearn(iris)))
    shared.wait_for("gone")

    shared.delete("gone")

    until(lambda: shared.predict("gone", ROW).status == 404, what="404 for a deleted deployment")
    until(lambda: shared.pods("gone") == [], what="the end of its replicas")
