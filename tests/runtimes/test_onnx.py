import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairlead.errors import BadRequest, LoadError
from fairlead.plan.model import Method
from fairlead.protocols.message import Form
from fairlead.runtimes import registry
from fairlead.runtimes.base import Servable, TensorSpec
from support.formats import save_onnx, save_onnx_graph
from support.models import SETOSA, iris, iris_classifier
from support.units import answered, asking, context, tensors_asking, unit
from support.workers import running_worker

ROWS = iris()[0][::30].astype(np.float32)


def load(folder: Path | None, **parameters: Any) -> Servable:
    return registry.load(context(unit("onnx", **parameters), folder))


def infer(servable: Servable, arrays: dict[str, Any], *outputs: str) -> dict[str, tuple[str, list[int], Any]]:
    return answered(servable.invoke(Method.PREDICT, tensors_asking(arrays, *outputs)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["model.onnx", "iris.onnx"])
def test_a_converted_classifier_answers_labels_and_probabilities(tmp_path: Path, name: str) -> None:
    servable = load(save_onnx(tmp_path, name=name, zipmap=False))

    answers = infer(servable, {"X": ROWS})

    assert servable.inputs == (TensorSpec(name="X", datatype="FP32", shape=(-1, 4)),)
    assert [(spec.name, spec.datatype, spec.shape) for spec in servable.outputs] == [
        ("label", "INT64", (-1,)),
        ("probabilities", "FP32", (-1, 3)),
    ]
    assert servable.platform == "onnx_onnxv1"
    assert answers["label"] == ("INT64", [5], iris_classifier().predict(ROWS).tolist())
    np.testing.assert_allclose(answers["probabilities"][2], iris_classifier().predict_proba(ROWS), atol=1e-5)


def test_a_sequence_of_maps_is_a_table_of_probabilities(tmp_path: Path) -> None:
    answers = infer(load(save_onnx(tmp_path)), {"X": ROWS}, "output_probability")

    datatype, shape, values = answers["output_probability"]
    assert (datatype, shape) == ("FP32", [5, 3])
    np.testing.assert_allclose(values, iris_classifier().predict_proba(ROWS), atol=1e-5)


def test_labels_that_are_words_are_bytes(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    features, labels = iris()
    model = LogisticRegression(max_iter=1000).fit(features, np.array(["setosa", "versicolor", "virginica"])[labels])

    answers = infer(load(save_onnx(tmp_path, model)), {"X": [SETOSA]}, "output_label")

    assert answers == {"output_label": ("BYTES", [1], [b"setosa"])}


def test_every_datatype_goes_in_and_comes_out(tmp_path: Path) -> None:
    kinds = {
        "BOOL": ("BOOL", [True]),
        "UINT8": ("UINT8", [200]),
        "UINT16": ("UINT16", [60000]),
        "UINT32": ("UINT32", [2**31]),
        "UINT64": ("UINT64", [2**63]),
        "INT8": ("INT8", [-100]),
        "INT16": ("INT16", [-30000]),
        "INT32": ("INT32", [-(2**31)]),
        "INT64": ("INT64", [-(2**63)]),
        "FLOAT16": ("FP16", [0.5]),
        "FLOAT": ("FP32", [0.25]),
        "DOUBLE": ("FP64", [0.1]),
        "STRING": ("BYTES", [b"h\xc3\xa9"]),
    }
    inputs = {f"in_{kind}": (kind, ["n"]) for kind in kinds}
    outputs = {f"out_{kind}": (kind, ["n"]) for kind in kinds}
    nodes = [("Identity", [f"in_{kind}"], [f"out_{kind}"]) for kind in kinds]
    servable = load(save_onnx_graph(tmp_path, inputs, outputs, *nodes))
    values = {kind: np.array(value, dtype=object if kind == "STRING" else None) for kind, (_, value) in kinds.items()}

    answers = infer(servable, {f"in_{kind}": value for kind, value in values.items()})

    assert answers == {f"out_{kind}": (datatype, [1], value) for kind, (datatype, value) in kinds.items()}


def test_a_seldon_array_is_the_input_and_gets_an_array_back(tmp_path: Path) -> None:
    graph = save_onnx_graph(
        tmp_path, {"x": ("FLOAT", ["n", 2])}, {"y": ("FLOAT", ["n", 2])}, ("Add", ["x", "x"], ["y"])
    )

    answer = load(graph).invoke(Method.PREDICT, asking([[1, 2]], Form.TENSOR))

    assert answer.payload.form is Form.TENSOR
    assert answer.payload.value.tolist() == [[2.0, 4.0]]


def test_a_fraction_never_becomes_an_integer(tmp_path: Path) -> None:
    graph = {"x": ("INT64", ["n", 2])}
    servable = load(save_onnx_graph(tmp_path, graph, {"y": ("INT64", ["n", 2])}, ("Identity", ["x"], ["y"])))

    answer = servable.invoke(Method.PREDICT, asking([[1.0, 2.0]], Form.TENSOR))

    assert answer.payload.value.tolist() == [[1, 2]]
    with pytest.raises(BadRequest, match="its values are not all INT64"):
        servable.invoke(Method.PREDICT, asking([[1.5, 2.0]]))
    assert servable.rows is not None
    with pytest.raises(BadRequest, match="its values are not all INT64"):
        servable.rows.predict(np.array([[1.5, 2.0]]))


def test_several_outputs_reach_a_seldon_client_as_json(tmp_path: Path) -> None:
    answer = load(save_onnx(tmp_path, zipmap=False)).invoke(Method.PREDICT, asking([SETOSA]))

    assert answer.payload.form is Form.JSON
    assert answer.payload.value["label"] == [0]


def test_rows_share_a_call_when_the_first_dimension_is_open_everywhere(tmp_path: Path) -> None:
    wide = {"x": ("FLOAT", ["n", 2])}
    servable = load(save_onnx_graph(tmp_path, wide, {"y": ("FLOAT", ["n", 2])}, ("Add", ["x", "x"], ["y"])))

    assert servable.rows is not None
    assert servable.rows.output_name == "y"
    assert servable.rows.predict(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist() == [[2.0, 4.0], [6.0, 8.0]]
    assert load(tmp_path, row_wise=False).rows is None


@pytest.mark.parametrize(("given", "answered_"), [([2, 2], ["n", 2]), (["n", 2], [1, 2]), (["n", 2], ["m", 2])])
def test_rows_stay_apart_when_a_shape_does_not_promise_it(
    tmp_path: Path, given: list[Any], answered_: list[Any]
) -> None:
    graph = save_onnx_graph(tmp_path, {"x": ("FLOAT", given)}, {"y": ("FLOAT", answered_)}, ("Identity", ["x"], ["y"]))

    assert load(graph).rows is None


# --- requests that cannot be answered ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrays", "outputs", "message"),
    [
        ({"X": [[1.0, 2.0]]}, [], "input 'X': expected FP32 [-1, 4], got FP64 [1, 2]"),
        ({"X": [["a", "b", "c", "d"]]}, [], "input 'X': expected FP32 [-1, 4], got BYTES [1, 4]"),
        ({"X": [SETOSA], "Y": [SETOSA]}, [], "unknown input 'Y'; this model takes 'X' (FP32 [-1, 4])"),
        ({"X": [SETOSA]}, ["zzz"], "Unexpected inference output 'zzz' for model 'iris'"),
    ],
)
def test_a_wrong_request_is_told_what_the_model_wants(
    tmp_path: Path, arrays: dict[str, Any], outputs: list[str], message: str
) -> None:
    servable = load(save_onnx(tmp_path))

    with pytest.raises(BadRequest) as refused:
        infer(servable, arrays, *outputs)

    assert str(refused.value) == message


def test_what_the_graph_refuses_is_the_callers_too(tmp_path: Path) -> None:
    sides = {"a": ("FLOAT", ["n"]), "b": ("FLOAT", ["m"])}
    servable = load(save_onnx_graph(tmp_path, sides, {"c": ("FLOAT", [None])}, ("Add", ["a", "b"], ["c"])))

    with pytest.raises(BadRequest) as refused:
        infer(servable, {"a": [1.0, 2.0], "b": [1.0, 2.0, 3.0]})

    assert str(refused.value).startswith("the model's Add refused the inputs: ")
    assert "2 by 3" in str(refused.value)
    assert ".cc" not in str(refused.value)


# --- files that cannot be loaded --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is an empty file"),
        (b"garbage", "corrupt, truncated or another format?"),
        (b"<html></html>", "an HTML or XML page"),
    ],
)
def test_a_file_that_is_no_model_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "model.onnx").write_bytes(content)

    with pytest.raises(LoadError) as failed:
        load(tmp_path)

    assert str(failed.value).startswith("unit classifier: model.onnx cannot be loaded as an ONNX model: ")
    assert words in str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = save_onnx(tmp_path) / "model.onnx"
    path.write_bytes(path.read_bytes()[:-40])

    with pytest.raises(LoadError, match="corrupt, truncated"):
        load(tmp_path)


def test_a_folder_without_model_says_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"found an empty folder; accepted: model\.onnx, or a single \*\.onnx"):
        load(tmp_path)


def test_a_type_without_datatype_is_refused_when_loading(tmp_path: Path) -> None:
    kind = {"x": ("BFLOAT16", ["n"])}
    graph = save_onnx_graph(tmp_path, kind, {"y": ("BFLOAT16", ["n"])}, ("Identity", ["x"], ["y"]))

    with pytest.raises(LoadError, match=r"input 'x' is tensor\(bfloat16\), which cannot be served"):
        load(graph)


@pytest.mark.slow
def test_a_worker_answers_seldon_requests_with_an_onnx_model(tmp_path: Path) -> None:
    from fairlead.dataplane.spec import Placement

    graph = save_onnx_graph(
        tmp_path, {"x": ("FLOAT", ["n", 2])}, {"y": ("FLOAT", ["n", 2])}, ("Add", ["x", "x"], ["y"])
    )
    placement = Placement(unit="classifier", folder=str(graph))

    with running_worker(unit("onnx"), placement=placement) as worker:
        good = worker.request("POST", "/api/v1.0/predictions", b'{"data":{"ndarray":[[1,2]]}}', _JSON)
        bad = worker.request("POST", "/api/v1.0/predictions", b'{"data":{"ndarray":[[1,2,3]]}}', _JSON)

    assert json.loads(good.body)["data"] == {"names": ["t:0", "t:1"], "ndarray": [[2.0, 4.0]]}
    assert bad.status == 400
    assert "input 'x': expected FP32 [-1, 2], got FP32 [1, 3]" in bad.body.decode()


_JSON = {"Content-Type": "application/json"}
