"""TensorFlow Serving's REST protocol over real SavedModels."""

import json
from pathlib import Path
from typing import Any

import pytest

from fairlead.plan.model import Protocol
from fairlead.runtimes.base import LoadContext
from support.formats import needed, save_tensorflow
from support.serving import Served, call, served, unit, worker_spec

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def loaded(folder: Path) -> Any:
    from fairlead.runtimes import tensorflow

    return tensorflow.load(LoadContext(unit=unit("m"), folder=folder, protocol=Protocol.TENSORFLOW))


def surface(model: Any) -> Served:
    return served(worker_spec([unit("m")], call("m"), protocol=Protocol.TENSORFLOW), m=model)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    needed("tensorflow", "make setup")
    folder = tmp_path_factory.mktemp("saved") / "3"
    save_tensorflow(folder)
    return loaded(folder.parent)


async def test_rows_and_columns_of_a_model_of_two_outputs(model: Any) -> None:
    rows = await surface(model).post("/v1/models/m:predict", {"instances": [[1, 2], [3, 4]]})
    columns = await surface(model).post("/v1/models/m/versions/3:predict", {"inputs": {"x": [[1.5, 2]]}})

    assert json.loads(rows.body) == {
        "predictions": [{"double": [2.0, 4.0], "y": 4.0}, {"double": [6.0, 8.0], "y": 10.0}]
    }
    assert json.loads(columns.body) == {"outputs": {"double": [[3.0, 4.0]], "y": [5.0]}}


async def test_a_signature_of_texts(model: Any) -> None:
    response = await surface(model).post(
        "/v1/models/m:predict", {"signature_name": "upper", "instances": ["ab", {"b64": "Yw=="}]}
    )

    assert json.loads(response.body) == {"predictions": [{"length": 2, "upper": "AB"}, {"length": 1, "upper": "C"}]}


async def test_what_the_model_does_not_take_is_refused(model: Any) -> None:
    response = await surface(model).post("/v1/models/m:predict", {"instances": [["a", "b"]]})

    assert response.status == 400
    assert "'x'" in json.loads(response.body)["error"]


async def test_state_and_metadata_have_the_version_and_the_signatures(model: Any) -> None:
    state = json.loads((await surface(model).get("/v1/models/m")).body)
    known = json.loads((await surface(model).get("/v1/models/m/metadata")).body)

    signatures = known["metadata"]["signature_def"]["signature_def"]
    assert state["model_version_status"][0]["version"] == "3"
    assert signatures["serving_default"]["inputs"]["x"]["tensor_shape"]["dim"] == [
        {"size": "-1", "name": ""},
        {"size": "2", "name": ""},
    ]
    assert signatures["upper"]["outputs"]["length"]["dtype"] == "DT_INT32"


async def test_classify_and_regress_of_a_model_that_reads_examples(tmp_path: Path) -> None:
    tf = needed("tensorflow", "make setup")
    features = {"x": tf.io.FixedLenFeature([], tf.float32), "who": tf.io.FixedLenFeature([], tf.string, "nobody")}

    class Model(tf.Module):  # type: ignore[misc, name-defined]  # the library has no types
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])  # type: ignore[untyped-decorator]  # TensorFlow has no types
        def regress(self, inputs: Any) -> Any:
            return {"outputs": tf.io.parse_example(inputs, features)["x"] * 0.5 + 3}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])  # type: ignore[untyped-decorator]  # TensorFlow has no types
        def classify(self, inputs: Any) -> Any:
            given = tf.io.parse_example(inputs, features)
            return {"classes": given["who"][:, None], "scores": given["x"][:, None]}

    made = Model()
    tf.saved_model.save(made, str(tmp_path / "1"), signatures={"regress": made.regress, "classify": made.classify})
    _rename_methods(tmp_path / "1" / "saved_model.pb")
    served_model = surface(loaded(tmp_path))

    regressed = await served_model.post(
        "/v1/models/m:regress", {"signature_name": "regress", "examples": [{"x": 1.0}, {"x": 2.0}]}
    )
    classified = await served_model.post(
        "/v1/models/m:classify",
        {"signature_name": "classify", "context": {"who": {"b64": "YW5uYQ=="}}, "examples": [{"x": 0.5}]},
    )

    assert json.loads(regressed.body) == {"results": [3.5, 4.0]}
    assert json.loads(classified.body) == {"results": [[["anna", 0.5]]]}


def _rename_methods(path: Path) -> None:
    """What the Keras of TensorFlow 1 wrote and TensorFlow 2 can only be told in the file."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel.FromString(path.read_bytes())
    for graph in saved.meta_graphs:
        for name in ("regress", "classify"):
            graph.signature_def[name].method_name = f"tensorflow/serving/{name}"
    path.write_bytes(saved.SerializeToString())
