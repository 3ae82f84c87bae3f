"""TensorFlow Serving's REST bodies and messages; the texts and forms of whole requests are in the surface's tests."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import BadRequest, UnitFailed
from fairlead.protocols.message import Asked, Form, Message, Payload
from fairlead.protocols.tensorflow_rest import TENSORFLOW_JSON
from fairlead.protocols.tensors import Tensor, tensor
from fairlead.protocols.wire import Body, GraphFailed

names = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=3)
cells = st.one_of(
    st.lists(st.integers(-(2**31), 2**31), min_size=2, max_size=2),
    st.lists(st.text(max_size=3).filter(lambda text: not text.endswith("\0")), min_size=2, max_size=2),
    st.lists(st.lists(st.floats(allow_nan=False), min_size=3, max_size=3), min_size=2, max_size=2),
)
columns = st.dictionaries(names, cells, min_size=2, max_size=3)


def read(value: Any) -> Message:
    return TENSORFLOW_JSON.read_request(Body(json.dumps(value).encode()))


def written(payload: Payload, asked: Asked | None = None) -> Any:
    return json.loads(TENSORFLOW_JSON.write_answer(Message(payload), asked).data)


def values(tensors: list[Tensor]) -> list[tuple[str, str, Any]]:
    return [(one.name, one.datatype, one.array.tolist()) for one in tensors]


@given(columns)
def test_rows_and_columns_are_the_same_tensors_and_answers(given_: dict[str, Any]) -> None:
    by_column = read({"inputs": given_})
    by_row = read({"instances": [{name: cell[row] for name, cell in given_.items()} for row in range(2)]})

    assert values(by_column.payload.value) == values(by_row.payload.value)
    assert written(by_column.payload, by_column.asked) == {"outputs": given_}
    assert written(by_row.payload, by_row.asked) == {
        "predictions": [{name: cell[row] for name, cell in given_.items()} for row in range(2)]
    }


@given(columns)
def test_what_is_written_for_a_unit_reads_back(given_: dict[str, Any]) -> None:
    tensors = [tensor(name, np.array(cell)) for name, cell in given_.items()]
    asked = Asked(signature="s")

    body = TENSORFLOW_JSON.write_request(Message(Payload(Form.TENSORS, tensors), asked=asked))
    again = TENSORFLOW_JSON.read_request(body)

    assert values(again.payload.value) == values(tensors)
    assert again.asked is not None
    assert again.asked.signature == "s"


def test_tensors_of_different_lengths_can_be_answered_by_column_alone() -> None:
    payload = Payload(Form.TENSORS, [tensor("a", np.array([1, 2])), tensor("b", np.array([1]))])

    assert written(payload, Asked(is_columnar=True)) == {"outputs": {"a": [1, 2], "b": [1]}}
    with pytest.raises(UnitFailed, match=r"inconsistent batch size \(a: 2, b: 1\)"):
        written(payload)
    assert json.loads(TENSORFLOW_JSON.write_request(Message(payload)).data) == {"inputs": {"a": [1, 2], "b": [1]}}


def test_single_values_are_columns_of_no_dimension() -> None:
    message = read({"inputs": {"x": 1, "y": "a"}})

    assert [one.array.shape for one in message.payload.value] == [(), ()]
    assert written(message.payload, message.asked) == {"outputs": {"x": 1, "y": "a"}}


def test_an_array_for_a_named_signature_does_not_take_the_defaults_name() -> None:
    assert read({"instances": [1]}).payload.form is Form.NDARRAY
    assert read({"instances": [1], "signature_name": "s"}).payload.form is Form.TENSORS


def test_an_answer_becomes_the_next_request_with_all_its_keys() -> None:
    answer = TENSORFLOW_JSON.read_answer(Body(b'{"predictions": [{"b64": "/w=="}], "more": 1}'))

    assert answer.payload.value.tolist() == [b"\xff"]
    assert json.loads(TENSORFLOW_JSON.write_request(answer).data) == {"instances": [{"b64": "/w=="}], "more": 1}


@pytest.mark.parametrize("body", [b'{"other": 1}', b'{"error": "x"}'])
def test_an_answer_without_predictions_cannot_go_on(body: bytes) -> None:
    with pytest.raises(GraphFailed, match="Failed to convert tensorflow response"):
        TENSORFLOW_JSON.write_request(TENSORFLOW_JSON.read_answer(Body(body)))


def test_columns_go_on_as_columns() -> None:
    answer = TENSORFLOW_JSON.read_answer(Body(b'{"outputs": {"y": [1]}}'))

    assert json.loads(TENSORFLOW_JSON.write_request(answer).data) == {"inputs": {"y": [1]}}


@given(st.binary(max_size=30))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        message = TENSORFLOW_JSON.read_request(Body(data))
    except BadRequest:
        return

    assert message.payload.form in (Form.NDARRAY, Form.TENSORS)
