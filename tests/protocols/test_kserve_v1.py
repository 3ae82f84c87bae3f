"""V1 bodies and messages: what is read as what, and that what is written reads back."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import BadRequest, UnitFailed
from fairlead.protocols.kserve_v1 import V1_EXPLANATIONS, V1_JSON, needs_rows, words_of
from fairlead.protocols.message import Form, Message, Payload
from fairlead.protocols.tensors import tensor
from fairlead.protocols.wire import Body

numbers = st.integers(-(2**62), 2**62) | st.floats(allow_nan=False)
tables = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.lists(numbers, min_size=width, max_size=width), min_size=1, max_size=3)
)


def request(value: Any) -> Message:
    return V1_JSON.read_request(Body(json.dumps(value).encode()))


def written(payload: Payload, raw: dict[str, Any] | None = None) -> Any:
    return json.loads(V1_JSON.write_answer(Message(payload, raw=raw), None).data)


@pytest.mark.parametrize(
    ("rows", "form", "kind"),
    [
        ([[1, 2], [3, 4]], Form.NDARRAY, "i"),
        ([1.5, 2], Form.NDARRAY, "f"),
        ([True, False], Form.NDARRAY, "b"),
        (["a", "bc"], Form.NDARRAY, "U"),
        ([{"b64": "AA=="}], Form.NDARRAY, "O"),
        ([], Form.NDARRAY, "f"),
    ],
)
def test_rows_of_one_shape_and_kind_are_an_array(rows: list[Any], form: Form, kind: str) -> None:
    message = request({"instances": rows})

    assert (message.payload.form, message.payload.value.dtype.kind) == (form, kind)
    assert message.raw == {"instances": rows}


def test_rows_of_objects_of_the_same_keys_are_tensors() -> None:
    message = request({"instances": [{"a": 1, "b": "x"}, {"a": 2.5, "b": "y"}], "more": 1})

    assert message.payload.form is Form.TENSORS
    assert [(one.name, one.datatype, one.array.tolist()) for one in message.payload.value] == [
        ("a", "FP64", [1.0, 2.5]),
        ("b", "BYTES", [b"x", b"y"]),
    ]
    assert message.raw is not None
    assert message.raw["more"] == 1


@pytest.mark.parametrize(
    "rows", [[[1], [2, 3]], [1, "a"], [None], [{"a": 1}, {"b": 1}], [{"a": 1}, 2], [{"a": [1]}, {"a": 2}], ["a\0"]]
)
def test_other_rows_stay_the_list_they_are(rows: list[Any]) -> None:
    message = request({"instances": rows})

    assert (message.payload.form, message.payload.value) == (Form.JSON, rows)
    assert str(needs_rows(message)) == 'Expected "instances" to be rows of one length, of numbers or of text'


def test_an_object_of_other_keys_is_a_request_for_a_models_own_code() -> None:
    message = request({"prompt": "x"})

    assert (message.payload.form, message.payload.value, message.raw) == (Form.JSON, {"prompt": "x"}, {"prompt": "x"})
    assert needs_rows(message) is not None
    assert needs_rows(request({"instances": [1]})) is None


@given(tables)
def test_an_array_goes_out_as_it_came_in(rows: list[list[float]]) -> None:
    payload = request({"instances": rows}).payload

    assert written(payload) == {"predictions": np.array(rows).tolist()}
    assert V1_JSON.read_answer(V1_JSON.write_answer(Message(payload), None)).payload.value.tolist() == (
        payload.value.tolist()
    )
    assert json.loads(V1_JSON.write_request(Message(payload)).data) == {"instances": np.array(rows).tolist()}


def test_32_bit_floats_are_listed_as_numpy_lists_them() -> None:
    body = V1_JSON.write_answer(Message(Payload(Form.NDARRAY, np.array([0.1], np.float32))), None)

    assert body.data == b'{"predictions":[0.10000000149011612]}'


def test_tensors_of_one_output_are_rows_and_of_several_objects() -> None:
    one = [tensor("a", np.array(["x", "y"]))]
    two = [*one, tensor("b", np.array([[1], [2]]))]
    uneven = [*one, tensor("b", np.array([1]))]

    assert written(Payload(Form.TENSORS, one)) == {"predictions": ["x", "y"]}
    assert written(Payload(Form.TENSORS, two)) == {"predictions": [{"a": "x", "b": [1]}, {"a": "y", "b": [2]}]}
    assert written(Payload(Form.TENSORS, uneven)) == {"predictions": {"a": ["x", "y"], "b": [1]}}


def test_bytes_that_are_no_text_go_out_as_base64() -> None:
    array = np.empty(1, dtype=object)
    array[0] = b"\xff"

    assert written(Payload(Form.NDARRAY, array)) == {"predictions": [{"b64": "/w=="}]}


def test_an_object_that_a_unit_wrote_goes_out_whole_and_another_protocols_does_not() -> None:
    rows = Payload(Form.NDARRAY, np.array([1]))

    assert written(rows, raw={"predictions": [1], "more": 2}) == {"predictions": [1], "more": 2}
    assert written(rows, raw={"data": {"ndarray": [1]}}) == {"predictions": [1]}


def test_a_unit_is_asked_with_the_rows_another_one_gave() -> None:
    answer = V1_JSON.read_answer(Body(b'{"predictions": [1], "more": 2}'))

    assert json.loads(V1_JSON.write_request(answer).data) == {"instances": [1], "more": 2}


def test_an_object_that_a_method_gave_for_tensors_is_that_object_again() -> None:
    wrapped = tensor("output-0", np.array(['{"a": 1}']), {"content_type": "json"})

    assert written(Payload(Form.TENSORS, [wrapped])) == {"a": 1}


def test_explanations_have_their_own_key() -> None:
    body = V1_EXPLANATIONS.write_answer(Message(Payload(Form.NDARRAY, np.array([1]))), None)

    assert body.data == b'{"explanations":[1]}'


def test_errors_are_objects_and_exceptions_go_by_their_type() -> None:
    failed = UnitFailed("shapes differ")
    failed.__cause__ = ValueError("shapes differ")
    worded = UnitFailed("ValueError : worded already")
    worded.__cause__ = ValueError("another text")

    assert V1_JSON.failure(BadRequest("no")) == (400, b'{"error":"no"}')
    assert words_of(failed) == "ValueError : shapes differ"
    assert words_of(worded) == "ValueError : worded already"


@given(st.binary(max_size=30))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        message = V1_JSON.read_request(Body(data))
    except BadRequest:
        return

    assert message.payload.form in (Form.JSON, Form.NDARRAY, Form.TENSORS)


def test_what_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(BadRequest, match="nested too deeply"):
        V1_JSON.read_request(Body(b'{"instances":' + b"[" * 100_000))


def test_bytes_anywhere_in_a_value_are_handed_on_as_they_came() -> None:
    rows = [[5.1, 1], ["é", {"b64": "/w=="}], {"image": {"b64": "gAA="}, "n": [None]}]
    message = request({"instances": rows})

    assert written(message.payload) == {"predictions": rows}
    assert json.loads(V1_JSON.write_request(Message(message.payload)).data) == {"instances": rows}
