"""TENSORFLOW_SERVER for clients of Seldon's protocol: what its proxy before TensorFlow Serving showed them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from fairlead.errors import BadRequest
from fairlead.plan.model import Method, Parameter
from fairlead.protocols.message import Asked, Form, Message, Meta, Payload
from fairlead.protocols.tensors import Tensor, tensor
from fairlead.runtimes.base import TensorSpec
from fairlead.runtimes.tensor_checks import fitted
from fairlead.runtimes.tensorflow_proxy import TensorflowProxy
from support.serving import unit


class Model:
    """The sum of each row, and its double."""

    platform = "tensorflow_savedmodel"
    is_row_wise = True
    inputs = (TensorSpec(name="x", datatype="FP32", shape=(-1, 2)),)

    def __init__(self, *outputs: str) -> None:
        self.outputs = tuple(TensorSpec(name=name, datatype="FP32", shape=(-1,)) for name in outputs)

    def infer(self, tensors: Sequence[Tensor], wanted: list[str], asked: Asked) -> list[Tensor]:
        rows = fitted(tensors, self.inputs)[0].array
        known = {"sum": rows.sum(axis=1), "double": rows.sum(axis=1) * 2}
        return [tensor(name, known[name]) for name in wanted or [spec.name for spec in self.outputs]]

    def close(self) -> None: ...


def proxy(*outputs: str, **parameters: Any) -> TensorflowProxy:
    given = tuple(Parameter(name=name, value=value) for name, value in parameters.items())
    return TensorflowProxy(Model(*outputs), unit("m", parameters=given), env={})  # type: ignore[arg-type]  # a fake


def asked(made: TensorflowProxy, form: Form, value: Any) -> Payload:
    meta = Meta(puid="p", tags={"a": 1})
    answer = made.invoke(Method.PREDICT, Message(Payload(form, value), meta))
    assert (answer.meta.puid, answer.meta.tags) == ("p", {"a": 1})
    return answer.payload


def test_an_array_is_answered_with_the_predictions_as_one_row() -> None:
    payload = asked(proxy("sum"), Form.NDARRAY, np.array([[1, 2], [3, 4]]))

    assert payload.form is Form.NDARRAY
    assert payload.value.tolist() == [[3.0, 7.0]]


def test_a_tensor_stays_a_tensor() -> None:
    assert asked(proxy("sum"), Form.TENSOR, np.array([[1.0, 2.0]])).form is Form.TENSOR


def test_json_is_a_request_of_tensorflow_serving() -> None:
    row = asked(proxy("sum", "double"), Form.JSON, {"instances": [[1, 2]]})
    column = asked(proxy("sum"), Form.JSON, {"inputs": {"x": [[0.1, 2]]}})

    assert (row.form, row.value) == (Form.JSON, {"predictions": [{"sum": 3.0, "double": 6.0}]})
    assert column.value == {"outputs": [2.1]}


def test_what_the_model_refuses_is_an_answer() -> None:
    payload = asked(proxy("sum"), Form.JSON, {"instances": [[1, 2], [3]]})

    assert payload.form is Form.JSON
    assert payload.value["error"].startswith("Failed to process 'instances' list.")


def test_other_json_is_inputs_by_name() -> None:
    assert asked(proxy("sum"), Form.JSON, {"x": [[1, 2]]}).value.tolist() == [3.0]


def test_a_parameter_chooses_the_output_of_arrays() -> None:
    chosen = asked(proxy("sum", "double", model_output="double"), Form.NDARRAY, np.array([[1, 2]]))

    assert chosen.value.tolist() == [[6.0]]


def test_rows_that_end_up_in_one_are_never_batched_with_others() -> None:
    assert proxy("sum").rows is None


def test_a_wrong_array_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match="'x'"):
        asked(proxy("sum"), Form.NDARRAY, np.array([1]))
