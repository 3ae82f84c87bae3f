"""InferenceServices of many kinds on one installation, asked in V1, V2 and gRPC."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fairlead.protocols.protos import message
from support.cloud_event_sink import CloudEventSink, cloud_event_sink
from support.formats import save_lightgbm, save_onnx
from support.grpc_channels import channel_to
from support.inference_services import PATH, apply, ask, image, infer, isvc, model, predict
from support.instance import Installation, installation, until
from support.models import iris_classifier, save_mlflow_sklearn, train_iris_sklearn, train_iris_xgboost

pytestmark = pytest.mark.slow

ROWS = [[6.8, 2.8, 4.8, 1.4], [5.0, 3.4, 1.4, 0.2]]
CODE = """
from kserve import Model

class Scaled(Model):
    '''A transformer: rows come in tenths, classes leave by name.'''

    def __init__(self, name):
        super().__init__(name)
        self.ready = True

    async def preprocess(self, payload, headers=None):
        return {"instances": [[value / 10 for value in row] for row in payload["instances"]]}

    def postprocess(self, result, headers=None):
        return {"predictions": ["setosa versicolor virginica".split()[one] for one in result["predictions"]]}

class Counting(Model):
    '''A predictor of the user's own, by a name of its own.'''

    def __init__(self, name="counter", storage=""):
        super().__init__("counter")
        self.ready = True

    def predict(self, payload, headers=None):
        return {"predictions": [len(row) for row in payload["instances"]]}
"""
PROGRAM = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        answer = json.dumps({"path": self.path, "models": sorted(os.listdir(sys.argv[2]))}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

HTTPServer(("127.0.0.1", int(sys.argv[1].partition("=")[2])), Handler).serve_forever()
"""
CONFIG = """
[images."example/scaled"]
class = "mine.Scaled"
path = "code"

[images."example/program"]
command = ["{python}", "program.py"]
path = "code"

[images."example/counting"]
class = "mine.Counting"
path = "code"
"""


@pytest.fixture(scope="module")
def sink() -> Iterator[CloudEventSink]:
    with cloud_event_sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    train_iris_sklearn(root / "sklearn", "iris-v2.joblib")
    train_iris_xgboost(root / "xgboost")
    for name in ("lightgbm", "repository/flowers/1"):
        (root / name).mkdir(parents=True)
    save_lightgbm(root / "lightgbm", name="model.bst")
    save_onnx(root / "repository" / "flowers" / "1")
    save_mlflow_sklearn(root / "mlflow", iris_classifier())
    return root


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, models: Path, sink: CloudEventSink) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("kserve") / "home"
    (home / "code").mkdir(parents=True)
    (home / "code" / "mine.py").write_text(CODE)
    sklearn = model("sklearn", models / "sklearn")
    (home / "code" / "program.py").write_text(PROGRAM)
    with installation(home, config=CONFIG.replace("{python}", sys.executable)) as running:
        apply(
            running,
            [
                isvc("plain", sklearn),
                isvc("legacy", {"sklearn": {"storageUri": str(models / "sklearn")}}),
                isvc("proba", model("sklearn", models / "sklearn", env=[{"name": "PREDICT_PROBA", "value": "true"}])),
                isvc("called", model("sklearn", models / "sklearn", args=["--model_name=flowers"])),
                isvc("mlserver", model("sklearn", models / "sklearn", protocolVersion="v2")),
                isvc("boosted", model("xgboost", models / "xgboost", args=["--nthread=2"])),
                isvc("light", model("lightgbm", models / "lightgbm")),
                isvc("flow", model("mlflow", models / "mlflow", protocolVersion="v2")),
                isvc("triton", {"onnx": {"storageUri": str(models / "repository")}}),
                isvc("scaled", sklearn, transformer=image("example/scaled:1")),
                isvc(
                    "beside",
                    {**sklearn, "containers": [{"name": "transformer-container", "image": "example/scaled:1"}]},
                ),
                isvc(
                    "several",
                    {
                        "model": {"modelFormat": {"name": "sklearn"}},
                        "storageUris": [
                            {"uri": str(models / "sklearn"), "mountPath": "/mnt/models/first"},
                            {"uri": str(models / "sklearn"), "mountPath": "/mnt/models/second"},
                        ],
                    },
                ),
                isvc("own", image("example/counting:2")),
                isvc(
                    "program",
                    image(
                        "example/program:1",
                        args=["--http_port=8080", "/mnt/models"],
                        env=[{"name": "STORAGE_URI", "value": str(models / "sklearn")}],
                    ),
                ),
                isvc("logged", {**sklearn, "logger": {"mode": "all", "url": sink.url}}),
                isvc("batched", {**sklearn, "batcher": {"maxBatchSize": 2, "maxLatency": 50}}),
            ],
        )
        yield running


@pytest.mark.parametrize("name", ["plain", "legacy"])
def test_a_scikit_learn_model_answers_in_both_protocols(served: Installation, name: str) -> None:
    assert predict(served, name, ROWS) == [1, 0]
    assert infer(served, name, ROWS) == {"output-0": [1, 0]}
    assert ask(served, name, f"/v1/models/{name}").json() == {"name": name, "ready": True}


def test_a_service_answers_below_a_path_for_people_without_its_host(served: Installation) -> None:
    path = "/serving/default/plain/v1/models/plain:predict"

    assert ask(served, "anything", path, {"instances": ROWS}).json() == {"predictions": [1, 0]}


def test_probabilities_are_asked_for_by_a_variable(served: Installation) -> None:
    assert [len(row) for row in predict(served, "proba", ROWS)] == [3, 3]


def test_a_model_is_asked_by_the_name_that_its_arguments_give_it(served: Installation) -> None:
    assert predict(served, "called", ROWS, model_name="flowers") == [1, 0]
    assert ask(served, "called", "/v1/models").json() == {"models": ["flowers"]}


def test_mlserver_answers_in_its_own_words(served: Installation) -> None:
    assert infer(served, "mlserver", ROWS) == {"predict": [1, 0]}
    assert ask(served, "mlserver", "/v2/models/mlserver/ready").status == 200


@pytest.mark.parametrize("name", ["boosted", "light"])
def test_boosters_answer_in_both_protocols(served: Installation, name: str) -> None:
    rows = predict(served, name, ROWS)

    assert [max(range(3), key=row.__getitem__) for row in rows] == [1, 0]
    assert infer(served, name, ROWS)["output-0"] == pytest.approx([value for row in rows for value in row])


def test_an_mlflow_model_is_served_by_mlserver(served: Installation) -> None:
    assert list(infer(served, "flow", ROWS).values()) == [[1, 0]]


def test_an_onnx_model_is_served_from_a_repository(served: Installation) -> None:
    assert infer(served, "triton", ROWS, model_name="flowers", tensor="X")["output_label"] == [1, 0]


@pytest.mark.parametrize("name", ["scaled", "beside"])
def test_a_transformer_comes_before_and_after_its_predictor(served: Installation, name: str) -> None:
    tenths = [[value * 10 for value in row] for row in ROWS]

    assert predict(served, name, tenths) == ["versicolor", "setosa"]


def test_the_predictor_behind_a_transformer_has_a_name_of_its_own(served: Installation) -> None:
    assert predict(served, "scaled-predictor", ROWS, model_name="scaled") == [1, 0]


def test_several_addresses_are_several_models(served: Installation) -> None:
    assert [predict(served, "several", ROWS, model_name=name) for name in ("first", "second")] == [[1, 0], [1, 0]]
    assert ask(served, "several", "/v1/models").json() == {"models": ["first", "second"]}


def test_a_model_of_ones_own_is_asked_by_its_own_name(served: Installation) -> None:
    assert predict(served, "own", ROWS, model_name="counter") == [4, 4]
    assert ask(served, "own", "/v1/models").json() == {"models": ["counter"]}
    assert ask(served, "own", "/v1/models/other").status == 404


def test_a_program_of_ones_own_answers_any_path(served: Installation) -> None:
    answer = ask(served, "program", "/anything?else=1")

    assert answer.json() == {"path": "/anything?else=1", "models": ["iris-v2.joblib"]}


def test_payloads_are_logged_as_events(served: Installation, sink: CloudEventSink) -> None:
    predict(served, "logged", ROWS)

    request, response = sorted(sink.wait(2), key=lambda event: event.headers["ce-type"])
    assert request.headers["ce-inferenceservicename"] == "logged"
    assert request.headers["ce-component"] == "predictor"
    assert json.loads(request.data) == {"instances": ROWS}
    assert json.loads(response.data) == {"predictions": [1, 0]}


def test_batches_tell_their_id(served: Installation) -> None:
    answer = ask(served, "batched", "/v1/models/batched:predict", {"instances": ROWS}).json()

    assert answer["predictions"] == [1, 0]
    assert answer["batchId"]


def test_grpc_asks_by_the_name_of_the_model(served: Installation) -> None:
    asked = message("inference.ModelInferRequest")(model_name="plain")
    asked.inputs.add(name="x", datatype="FP64", shape=[2, 4]).contents.fp64_contents.extend(ROWS[0] + ROWS[1])
    with channel_to(json.loads((served.home / "instance.json").read_text())["grpcPort"]) as channel:
        raw = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")(asked.SerializeToString(), timeout=20)

    answer = message("inference.ModelInferResponse").FromString(raw)
    assert list(answer.outputs[0].contents.int64_contents) == [1, 0]


def test_a_model_that_cannot_be_found_says_why(served: Installation, tmp_path: Path) -> None:
    for name in ("a.joblib", "b.pkl"):
        train_iris_sklearn(tmp_path, name)
    served.api(PATH, "POST", isvc("twofold", model("sklearn", tmp_path)))

    def failure() -> dict[str, Any]:
        status = served.api(f"{PATH}/twofold").get("status") or {}
        found: dict[str, Any] = (status.get("modelStatus") or {}).get("lastFailureInfo") or {}
        return found

    until(lambda: bool(failure()), what="a failure")
    assert failure()["reason"] == "ModelLoadFailed"
    assert "More than one model file is detected" in failure()["message"]
    served.api(f"{PATH}/twofold", "DELETE")
