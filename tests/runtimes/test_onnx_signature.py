from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from fairlead.runtimes.onnx_signature import read_signature


def saved(path: Path, *, has_listed_weights: bool = False) -> Path:
    """A small model: rows [N, 4] times weights, and a count."""
    rows = helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["N", 4])
    weights = helper.make_tensor_value_info("weights", TensorProto.FLOAT, [4, 3])
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["rows", "weights"], ["scores"]), helper.make_node("Shape", ["rows"], ["count"])],
        "iris",
        [rows, weights] if has_listed_weights else [rows],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3]),
            helper.make_tensor_value_info("count", TensorProto.INT64, [2]),
        ],
        [helper.make_tensor("weights", TensorProto.FLOAT, [4, 3], [0.5] * 12)],
    )
    onnx.save(helper.make_model(graph, producer_name="test"), str(path))
    return path


@pytest.mark.parametrize("has_listed_weights", [False, True])
def test_inputs_and_outputs_are_read_and_weights_are_neither(tmp_path: Path, has_listed_weights: bool) -> None:
    inputs, outputs = read_signature(saved(tmp_path / "model.onnx", has_listed_weights=has_listed_weights))

    assert inputs == [{"name": "rows", "datatype": "FP32", "shape": [-1, 4]}]
    assert outputs == [
        {"name": "scores", "datatype": "FP32", "shape": [-1, 3]},
        {"name": "count", "datatype": "INT64", "shape": [2]},
    ]


@given(content=st.binary(min_size=1, max_size=200))
def test_whatever_the_bytes_are_there_is_an_answer_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "some.onnx"
    path.write_bytes(content)

    try:
        inputs, outputs = read_signature(path)
    except ValueError:
        return
    assert isinstance(inputs, list)
    assert isinstance(outputs, list)


def test_a_file_that_ends_early_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.onnx")
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(ValueError, match="ends within a field"):
        read_signature(path)
