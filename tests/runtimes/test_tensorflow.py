import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairlead.errors import BadRequest, LoadError
from fairlead.plan.model import Method
from fairlead.protocols.message import Form
from fairlead.runtimes import registry
from fairlead.runtimes.base import Servable, TensorSpec
from fairlead.runtimes.tensor_unit import TensorUnit
from support.formats import needed, save_tensorflow
from support.units import answered, asking, context, tensors_asking, unit

tf = needed("tensorflow", "make setup")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model that tests copy or read."""
    return save_tensorflow(tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture
def model(tmp_path: Path, saved: Path) -> Path:
    """A copy laid out as TensorFlow Serving wants it."""
    shutil.copytree(saved, tmp_path / "1")
    return tmp_path


def load(folder: Path | None, **parameters: Any) -> Servable:
    return registry.load(context(unit("tensorflow", **parameters), folder))


def infer(
    servable: Servable, arrays: dict[str, Any], *outputs: str, signature: str = ""
) -> dict[str, tuple[str, list[int], Any]]:
    return answered(servable.invoke(Method.PREDICT, tensors_asking(arrays, *outputs, signature=signature)))


@pytest.mark.slow
def test_the_default_signature_answers(model: Path) -> None:
    servable = load(model)

    answers = infer(servable, {"x": [[1, 2], [3, 4]]})

    assert answers == {"y": ("FP32", [2], [4.0, 10.0]), "double": ("FP32", [2, 2], [[2.0, 4.0], [6.0, 8.0]])}
    assert servable.inputs == (TensorSpec(name="x", datatype="FP32", shape=(-1, 2)),)
    assert servable.platform == "tensorflow_savedmodel"


def test_a_request_chooses_a_signature_and_its_outputs(model: Path) -> None:
    answers = infer(load(model), {"text": ["é", "b"]}, "upper", signature="upper")

    assert answers["upper"][:2] == ("BYTES", [2])
    assert answers["upper"][2][1] == b"B"


def test_a_parameter_chooses_the_signature_of_requests_that_name_none(model: Path) -> None:
    assert infer(load(model, signature_name="upper"), {"text": ["abc"]}, "length") == {"length": ("INT32", [1], [3])}


def test_the_newest_version_is_served_and_told(model: Path) -> None:
    shutil.copytree(model / "1", model / "0010")
    (model / "9").mkdir()

    servable = load(model)

    assert isinstance(servable, TensorUnit)
    assert servable.version == "10"
    assert servable.metadata()["versions"] == ["10"]


def test_a_folder_without_versions_is_a_model_without_one(saved: Path) -> None:
    servable = load(saved)

    assert isinstance(servable, TensorUnit)
    assert servable.version == ""
    assert infer(servable, {"x": [[1.0, 2.0]]}, "y") == {"y": ("FP32", [1], [4.0])}


def test_signatures_are_told_with_what_they_are_for(model: Path) -> None:
    servable = load(model)
    assert isinstance(servable, TensorUnit)

    signatures = servable.signatures()

    assert sorted(signatures) == ["serving_default", "upper"]
    assert signatures["upper"].method == "tensorflow/serving/predict"
    assert [(spec.name, spec.datatype, spec.shape) for spec in signatures["upper"].outputs] == [
        ("length", "INT32", (-1,)),
        ("upper", "BYTES", (-1,)),
    ]


def test_a_model_of_the_first_tensorflow_is_served(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = tf.Graph()
        with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
            given = tf.compat.v1.placeholder(tf.float32, [None], "given")
            builder = tf.compat.v1.saved_model.Builder(str(tmp_path / "3"))
            info = tf.compat.v1.saved_model.build_signature_def(
                {"x": tf.compat.v1.saved_model.build_tensor_info(given)},
                {"y": tf.compat.v1.saved_model.build_tensor_info(given / 2 + 2)},
                "tensorflow/serving/regress",
            )
            builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map={"serving_default": info})
            builder.save()

    servable = load(tmp_path)

    assert isinstance(servable, TensorUnit)
    assert infer(servable, {"x": [1.0, 2.0, 5.0]}) == {"y": ("FP32", [3], [2.5, 3.0, 4.5])}
    assert servable.signatures()["serving_default"].method == "tensorflow/serving/regress"


@pytest.mark.parametrize("name", ["model.keras", "iris.h5"])
def test_a_keras_file_is_a_model_of_one_signature(tmp_path: Path, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = tf.keras.Sequential([tf.keras.Input((2,), name="features"), tf.keras.layers.Dense(1)])
        network.save(tmp_path / name)
        expected = network(np.array([[1.0, 2.0]], dtype=np.float32)).numpy().tolist()

        servable = load(tmp_path)

    answers = infer(servable, {"input-0": [[1.0, 2.0]]})
    assert [spec.shape for spec in servable.inputs] == [(-1, 2)]
    assert [spec[2] for spec in answers.values()] == [expected]


def test_a_seldon_array_is_the_input_and_several_outputs_are_json(model: Path) -> None:
    answer = load(model).invoke(Method.PREDICT, asking([[1.0, 2.0]], Form.TENSOR))

    assert answer.payload.form is Form.JSON
    assert answer.payload.value == {"double": [[2.0, 4.0]], "y": [4.0]}


def test_seldons_parameter_chooses_the_output_of_arrays_and_a_list_is_a_row(model: Path) -> None:
    servable = load(model, model_output="y")

    answer = servable.invoke(Method.PREDICT, asking([[1.0, 2.0], [3.0, 4.0]], Form.TENSOR))

    assert answer.payload.form is Form.TENSOR
    assert answer.payload.value.tolist() == [[4.0, 10.0]]
    assert answer.payload.names == ["t:0", "t:1"]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"instances": [[1.0, 2.0]]}, {"predictions": [{"double": [2.0, 4.0], "y": 4.0}]}),
        ({"inputs": {"x": [[1, 2]]}}, {"outputs": {"double": [[2.0, 4.0]], "y": [4.0]}}),
        ({"signature_name": "upper", "instances": ["a"]}, {"predictions": [{"length": 1, "upper": "A"}]}),
        ({"instances": [[1.0]]}, {"error": "input 'x': expected FP32 [-1, 2], got FP32 [1, 1]"}),
    ],
)
def test_a_request_of_tensorflows_own_protocol_is_answered_in_json_data(
    model: Path, request_: dict[str, Any], expected: dict[str, Any]
) -> None:
    answer = load(model).invoke(Method.PREDICT, asking(request_, Form.JSON))

    assert answer.payload.form is Form.JSON
    assert answer.payload.value == expected


@pytest.mark.parametrize(
    ("arrays", "outputs", "signature", "message"),
    [
        ({"x": [[1.0]]}, [], "", "input 'x': expected FP32 [-1, 2], got FP64 [1, 1]"),
        ({"x": [["a", "b"]]}, [], "", "input 'x': expected FP32 [-1, 2], got BYTES [1, 2]"),
        ({"x": [[1.0, 2.0]], "z": [1]}, [], "", "unknown input 'z'; this model takes 'x' (FP32 [-1, 2])"),
        ({"x": [[1.0, 2.0]]}, ["zzz"], "", "Unexpected inference output 'zzz' for model 'iris'"),
        ({"x": [[1.0, 2.0]]}, [], "zzz", "this model has no signature 'zzz'; it has: serving_default, upper"),
    ],
)
def test_a_wrong_request_is_told_what_the_model_wants(
    saved: Path, arrays: dict[str, Any], outputs: list[str], signature: str, message: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        infer(load(saved), arrays, *outputs, signature=signature)

    assert str(refused.value).replace("upper, serving_default", "serving_default, upper") == message


# --- what cannot be loaded --------------------------------------------------------------------------------------


def failure(folder: Path | None, **parameters: Any) -> str:
    with pytest.raises(LoadError) as failed:
        load(folder, **parameters)
    assert "\n" not in str(failed.value)
    return str(failed.value)


def test_a_folder_without_model_says_what_it_should_hold(tmp_path: Path) -> None:
    (tmp_path / "model.bin").touch()

    assert "no TensorFlow model: found model.bin; its folder should hold saved_model.pb" in failure(tmp_path)


def test_a_version_without_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "2").mkdir()

    assert failure(tmp_path) == "unit classifier: version 2 holds an empty folder; expected saved_model.pb"


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_a_file_that_is_no_model_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "saved_model.pb").write_bytes(content)

    assert failure(tmp_path).startswith("unit classifier: saved_model.pb cannot be loaded as a SavedModel: ")


def test_a_signature_that_is_not_there_is_refused_when_loading(saved: Path) -> None:
    assert "the model has no signature 'zzz'; it has: " in failure(saved, signature_name="zzz")


def test_a_broken_keras_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"garbage")

    assert "model.keras cannot be loaded as a Keras model" in failure(tmp_path)
