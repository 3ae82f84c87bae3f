"""Predictor, transformer and explainer of InferenceServices on one installation: who asks whom, with which headers, and
what becomes of refusals."""

import concurrent.futures
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from support.cloud_event_sink import CloudEventSink, cloud_event_sink
from support.inference_services import apply, ask, image, infer, isvc, model, predict
from support.instance import Answer, Installation, installation, until

pytestmark = pytest.mark.slow

ROWS = [[6.8, 2.8, 4.8, 1.4], [5.0, 3.4, 1.4, 0.2]]
TENTHS = [[value * 10 for value in row] for row in ROWS]
CODE = '''
import asyncio
import os
from kserve import InferInput, InferRequest, InvalidInput, Model, ModelNotReady

NAMES = "setosa versicolor virginica".split()

class Scaled(Model):
    """Rows come in tenths, classes leave by name; in V1 and V2. Its process is told in a header."""

    def __init__(self, name):
        super().__init__(name, return_response_headers=True)
        self.ready = True

    async def preprocess(self, payload, headers=None, response_headers=None):
        response_headers["x-pid"] = str(os.getpid())
        if isinstance(payload, InferRequest):
            rows = payload.inputs[0].as_numpy().astype("float64") / 10
            scaled = InferInput(name="x", shape=list(rows.shape), datatype="FP64")
            scaled.set_data_from_numpy(rows, binary_data=False)
            return InferRequest(model_name=self.name, infer_inputs=[scaled], request_id=payload.id)
        if "instances" not in payload:
            raise InvalidInput("no instances")
        return {"instances": [[value / 10 for value in row] for row in payload["instances"]]}

    def postprocess(self, result, headers=None, response_headers=None):
        if isinstance(result, dict):
            return {**result, "predictions": [NAMES[one] for one in result["predictions"]]}
        return result

class Hands(Model):
    """Hands everything on."""

    def __init__(self, name):
        super().__init__(name)
        self.ready = True

class Seen(Model):
    """A predictor that says which headers it saw, and fails as it is asked to."""

    def __init__(self, name):
        super().__init__(name)
        self.ready = True

    async def predict(self, payload, headers=None):
        asked = payload["instances"][0]
        if asked == "invalid":
            raise InvalidInput("that is no flower")
        if asked == "late":
            await asyncio.Event().wait()
        if asked == "cold":
            raise ModelNotReady(self.name)
        return {"predictions": [asked], "headers": headers}

class Doubts(Model):
    """An explainer: the predictor's answer is its reason."""

    def __init__(self, name):
        super().__init__(name)
        self.ready = True

    async def explain(self, payload, headers=None):
        answer = await self.predict(payload, headers)
        return {"explanations": [f"because it is {one}" for one in answer["predictions"]]}
'''
CONFIG = "".join(
    f'[images."example/{name.lower()}"]\nclass = "mine.{name}"\npath = "code"\n'
    for name in ("Scaled", "Hands", "Seen", "Doubts")
)
TO_ZERO = {
    "autoscaling.knative.dev/window": "6s",
    "autoscaling.knative.dev/scale-to-zero-pod-retention-period": "0s",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    flowers, digits = load_iris(return_X_y=True), load_digits(return_X_y=True)
    for name, fitted in (
        ("iris", LogisticRegression(max_iter=500).fit(*flowers)),
        ("forest", RandomForestClassifier(n_estimators=5, max_depth=3, random_state=0).fit(*flowers)),
        ("digits", LogisticRegression(max_iter=500).fit(digits[0][:500] / 16, digits[1][:500])),
    ):
        (root / name).mkdir()
        joblib.dump(fitted, root / name / "model.joblib")
    (root / "background").mkdir()
    np.save(root / "background" / "background.npy", flowers[0][::10])
    return root


@pytest.fixture(scope="module")
def sink() -> Iterator[CloudEventSink]:
    with cloud_event_sink() as sink:
        yield sink


def shap(folder: Path, *args: str, **fields: Any) -> dict[str, Any]:
    env = [{"name": "STORAGE_URI", "value": str(folder)}]
    return image("fairlead/shap-explainer", env=env, args=list(args)) | fields


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, models: Path, sink: CloudEventSink) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("components") / "home"
    (home / "code").mkdir(parents=True)
    (home / "code" / "mine.py").write_text(CODE)
    iris = model("sklearn", models / "iris")
    proba = model("sklearn", models / "iris", env=[{"name": "PREDICT_PROBA", "value": "true"}])
    scaled, v2 = image("example/scaled:1"), image("example/scaled:1", args=["--predictor_protocol=v2"])
    beside = {"name": "transformer-container", "image": "example/scaled:1", "args": ["--predictor_host=localhost:8085"]}
    logged = {"logger": {"mode": "all", "url": sink.url, "metadataHeaders": ["X-Tenant"]}}
    batched, soon = ({"batcher": {"maxBatchSize": 2, "maxLatency": latency}} for latency in (5000, 20))
    documents = [
        isvc("cold", {**iris, "minReplicas": 0}, transformer={**scaled, "minReplicas": 0},
             explainer=shap(models / "forest", minReplicas=0), annotations=TO_ZERO),
        isvc("flow", {**proba, **logged, **soon}, transformer={**image("example/hands:1"), **logged},
             explainer={**shap(models / "background", "--nsamples=64"), **logged}),
        isvc("grpc", iris, transformer=image("example/scaled:1", args=["--predictor_protocol=grpc-v2"])),
        isvc("seen", {**image("example/seen:1"), "timeout": 1}, transformer=image("example/hands:1"),
             explainer=image("example/doubts:1"), annotations={"fairlead.dev/propagate-headers": "x-tenant"}),
        isvc("rest", iris, transformer=v2),
        isvc("beside", {**iris, **batched, "containers": [beside]}),
        isvc("forest", model("sklearn", models / "forest"), explainer=shap(models / "forest")),
        isvc("digits", model("sklearn", models / "digits"),
             explainer={"art": {"type": "SquareAttack", "config": {"nb_classes": "10", "max_iter": "20"}}}),
    ]  # fmt: skip
    with installation(home, config=CONFIG) as running:
        apply(running, documents)
        yield running


def explain(running: Installation, name: str, instances: Any, **headers: str) -> Answer:
    return ask(running, name, f"/v1/models/{name}:explain", {"instances": instances}, **headers)


def ask_v2(running: Installation, name: str, path: str, rows: list[list[float]]) -> Answer:
    flat = [value for row in rows for value in row]
    body = {"inputs": [{"name": "x", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": flat}]}
    return ask(running, name, path, body)


def components(running: Installation, name: str) -> dict[str, str]:
    """The process of each component's replica."""
    found = {}
    for pod in running.pods(name):
        role = pod["metadata"]["labels"]["component"]
        found[role] = pod["metadata"]["annotations"].get("fairlead.dev/pid", "")
    return found


def events(sink: CloudEventSink, component: str, *, holding: bytes) -> dict[str, Any]:
    """A component's events with this in their request, by their type, once request and response are there."""

    def found() -> dict[str, Any]:
        of = [event for event in sink.events if event.headers["ce-component"] == component]
        ids = {event.headers["ce-id"] for event in of if holding in event.data}
        return {e.headers["ce-type"].rpartition(".")[2]: e for e in of if e.headers["ce-id"] in ids}

    until(lambda: set(found()) == {"request", "response"}, timeout_s=20, what=f"events of the {component}")
    return found()


def test_requests_pass_the_transformer_in_both_protocols(served: Installation) -> None:
    running = components(served, "rest")

    answer = ask_v2(served, "rest", "/v2/models/rest/infer", TENTHS)

    assert set(running) == {"predictor", "transformer"}
    assert answer.headers["x-pid"] == running["transformer"]
    assert answer.json()["outputs"][0]["data"] == [1, 0]
    assert infer(served, "rest-predictor", ROWS, model_name="rest") == {"output-0": [1, 0]}


def test_a_transformer_over_grpcs_protocol_needs_no_package(served: Installation) -> None:
    assert infer(served, "grpc", TENTHS) == {"output-0": [1, 0]}


def test_a_collocated_transformer_shares_its_predictors_process_and_batches(served: Installation) -> None:
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        body = [{"instances": [row]} for row in TENTHS]
        answers = list(pool.map(lambda one: ask(served, "beside", "/v1/models/beside:predict", one).json(), body))

    assert set(components(served, "beside")) == {"predictor"}
    assert [answer["predictions"] for answer in answers] == [["versicolor"], ["setosa"]]
    assert len({answer["batchId"] for answer in answers}) == 1
    assert infer(served, "beside", TENTHS) == {"output-0": [1, 0]}
    assert ask(served, "beside", "/v1/models/beside:predict", {"x": 1}).json() == {"error": "no instances"}
    assert ask(served, "beside", "/v1/models/beside:predict", {"instances": [[1, 2]]}).status == 400


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"instances": ["invalid"]}, 400, "that is no flower"),
        ({"instances": ["cold"]}, 503, "Model with name seen is not ready."),
        ({"instances": ["late"]}, 504, "timeout"),
    ],
)
def test_a_predictors_refusal_reaches_the_client(served: Installation, asked: Any, status: int, words: str) -> None:
    for verb in ("predict", "explain"):
        answer = ask(served, "seen", f"/v1/models/seen:{verb}", asked)

        assert (answer.status, list(answer.json())) == (status, ["error"]), verb
        assert words in answer.json()["error"], verb


def test_a_model_that_the_predictor_does_not_have_is_404_through_a_transformer(served: Installation) -> None:
    answer = ask(served, "rest", "/v1/models/ghost:predict", {"instances": TENTHS})

    assert (answer.status, answer.json()) == (404, {"error": "Model with name ghost does not exist."})


def test_headers_travel_on_to_the_predictor_as_far_as_they_may(served: Installation) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    sent = {"X-Request-Id": "r1", "Traceparent": trace, "Authorization": "Bearer t", "X-Tenant": "acme", "Cookie": "c"}

    answer = ask(served, "seen", "/v1/models/seen:predict", {"instances": ["a"]}, **sent)

    seen = answer.json()["headers"]
    assert {name: seen.get(name.lower()) for name in sent} == {**sent, "Cookie": None}
    assert "authorization" not in answer.headers


def test_models_are_explained_from_a_table_and_from_the_predictors_own_file(served: Installation) -> None:
    for name, rows in (("flow", ROWS), ("forest", ROWS)):
        (first, _) = explain(served, name, rows).json()["explanations"]
        tensors = {
            one["name"]: one for one in ask_v2(served, name, f"/v2/models/{name}/explain", rows).json()["outputs"]
        }

        sums = np.sum(first["shap_values"], axis=1) + first["base_values"]
        assert sums.sum() == pytest.approx(1.0, abs=1e-6)
        assert tensors["shap_values"]["shape"] == [2, 3, 4]
        assert tensors["shap_values"]["data"][:4] == pytest.approx(first["shap_values"][0])


def test_images_are_attacked_with_arts_manifest_form(served: Installation) -> None:
    image = (load_digits().data[0] / 16).tolist()

    answer = explain(served, "digits", [[image], [[1.0] + [0.0] * 9]])

    assert answer.status == 200, answer
    found = answer.json()["explanations"]
    assert found["prediction"] == 0
    assert np.shape(found["adversarial_example"]) == (1, 64)


def test_an_explainer_of_ones_own_asks_the_predictor(served: Installation) -> None:
    answer = explain(served, "seen", ["a"])

    assert answer.json() == {"explanations": ["because it is a"]}


def test_every_component_logs_what_it_was_asked_and_answered(served: Installation, sink: CloudEventSink) -> None:
    marked = [[6.75, 2.8, 4.8, 1.4], [5.0, 3.4, 1.4, 0.2]]
    answer = ask(served, "flow", "/v1/models/flow:predict", {"instances": marked}, **{"X-Tenant": "acme"})
    explain(served, "flow", [[6.25, 2.8, 4.8, 1.4]])

    assert answer.json()["batchId"]
    for component, mark in (("transformer", b"6.75"), ("predictor", b"6.75"), ("explainer", b"6.25")):
        found = events(sink, component, holding=mark)
        assert found["request"].headers["ce-inferenceservicename"] == "flow"
        assert json.loads(found["response"].data)
    assert json.loads(events(sink, "transformer", holding=b"6.75")["request"].headers["ce-metadata"]) == {
        "X-Tenant": ["acme"]
    }


def test_components_at_zero_come_up_one_after_the_other(served: Installation) -> None:
    until(lambda: not components(served, "cold"), timeout_s=60, what="cold at zero")

    assert predict(served, "cold", TENTHS) == ["versicolor", "setosa"]
    assert set(components(served, "cold")) == {"predictor", "transformer"}
    assert explain(served, "cold", ROWS).status == 200
