"""The Seldon v1 codec: every payload kind, what accumulates in meta, feedback and errors."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fairlead.errors import BadRequest, FairleadError, NotReady, UnitFailed
from fairlead.protocols import seldon_v1
from fairlead.protocols.message import Form, Message, Meta, Payload

numeric = st.sampled_from(["f8", "i8", "u1", "f4"]).flatmap(
    lambda dtype: arrays.arrays(
        np.dtype(dtype),
        arrays.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4),
        elements=arrays.from_dtype(np.dtype(dtype), allow_nan=False, allow_infinity=False),
    )
)


@given(numeric, st.sampled_from([Form.NDARRAY, Form.TENSOR, Form.TFTENSOR]), st.lists(st.text(), max_size=3))
def test_an_encoded_array_decodes_to_itself(array: np.ndarray[Any, Any], form: Form, names: list[str]) -> None:
    text = seldon_v1.encode(Message(Payload(form, array, names)))
    back = seldon_v1.decode(json.loads(text)).payload

    assert back.form is form
    assert back.names == names
    assert back.value.shape == array.shape
    np.testing.assert_array_equal(back.value, array)


@given(
    st.one_of(
        st.binary().map(lambda value: Payload(Form.BINARY, value)),
        st.text().map(lambda value: Payload(Form.STRING, value)),
        st.dictionaries(st.text(), st.integers(-5, 5)).map(lambda value: Payload(Form.JSON, value)),
    )
)
def test_other_payloads_decode_to_themselves(payload: Payload) -> None:
    back = seldon_v1.decode(json.loads(seldon_v1.encode(Message(payload)))).payload

    assert (back.form, back.value) == (payload.form, payload.value)


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        ({"ndarray": [[1, 2]]}, "i"),
        ({"ndarray": [[1, 2.5]]}, "f"),
        ({"ndarray": [["a", 1]]}, "U"),
        ({"ndarray": [[True]]}, "b"),
        ({"tensor": {"shape": [1, 2], "values": [1, 2]}}, "i"),
        ({"tensor": {"shape": [-1, 2], "values": [1.0, 2]}}, "f"),
        ({}, "f"),
    ],
)
def test_numbers_keep_their_kind(data: dict[str, Any], dtype: str) -> None:
    assert seldon_v1.decode({"data": data}).payload.value.dtype.kind == dtype


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ({"strData": "a", "jsonData": 1, "data": {"ndarray": []}}, Form.NDARRAY),
        ({"data": {"ndarray": [], "tensor": {"shape": [0], "values": []}}}, Form.TENSOR),
        ({"strData": "a", "jsonData": 1, "binData": ""}, Form.JSON),
        ({"strData": "a", "binData": ""}, Form.STRING),
        ({"data": {"names": ["x"]}}, Form.EMPTY_DATA),
    ],
)
def test_the_first_payload_in_the_order_wins(value: dict[str, Any], form: Form) -> None:
    assert seldon_v1.decode(value).payload.form is form


def test_names_pass_through_whatever_they_are() -> None:
    assert seldon_v1.decode({"data": {"names": "zz", "ndarray": [1]}}).payload.names == "zz"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"foo": "it's", "n": None, "b": True}, "Invalid request data type: {'foo': \"it's\", 'n': None, 'b': True}"),
        ({"customData": {"@type": "x"}}, "Invalid request data type: {'customData': {'@type': 'x'}}"),
        ([1, 2], "Invalid request data type: [1, 2]"),
        ("str", "Invalid request data type: str"),
        ({}, "Invalid request data type: {}"),
        (None, "Can't find JSON in data"),
    ],
)
def test_what_is_no_message_is_refused_in_the_wrappers_words(value: Any, text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        seldon_v1.decode(value)

    assert seldon_v1.failure(caught.value) == (
        400,
        json.dumps(
            {"status": {"code": -1, "info": text, "reason": "MICROSERVICE_BAD_DATA", "status": 1}},
            separators=(",", ":"),
        ).encode()
        + b"\n",
    )


def test_values_that_make_no_array_fail_with_numpys_words() -> None:
    with pytest.raises(UnitFailed, match=r"cannot reshape array of size 4 into shape \(2,3\)") as caught:
        seldon_v1.decode({"data": {"tensor": {"shape": [2, 3], "values": [1, 2, 3, 4]}}})

    assert seldon_v1.failure(caught.value)[0] == 500


@pytest.mark.parametrize(
    "value",
    [
        {"data": None},
        {"data": [1]},
        {"data": {"tensor": None}},
        {"data": {"tensor": {"values": [1]}}},
        {"data": {"tensor": {"shape": "x", "values": [1]}}},
        {"data": {"ndarray": [[1, 2], [3]]}},
        {"binData": "aGVsbG8"},
        {"binData": 5},
        {"strData": "a", "meta": 5},
        {"strData": "a", "meta": {"tags": [1]}},
        {"strData": "a", "meta": {"metrics": {}}},
    ],
)
def test_bad_parts_are_errors_of_ours(value: Any) -> None:
    with pytest.raises(FairleadError):
        seldon_v1.decode(value)


def test_meta_is_written_only_where_there_is_something() -> None:
    meta = Meta("p", {"t": 1}, {"r": 0}, {"u": "image"}, [{"key": "k", "type": "GAUGE", "value": 1}])
    full = json.loads(seldon_v1.encode(Message(Payload(Form.STRING, "a"), meta)))

    assert full["meta"] == {
        "puid": "p",
        "tags": {"t": 1},
        "routing": {"r": 0},
        "requestPath": {"u": "image"},
        "metrics": [{"key": "k", "type": "GAUGE", "value": 1}],
    }
    assert seldon_v1.encode(Message(Payload(Form.STRING, "a"))) == b'{"meta":{},"strData":"a"}\n'


def test_meta_of_a_request_is_read() -> None:
    meta = seldon_v1.decode(
        {"strData": "a", "meta": {"puid": "p", "tags": {"a": 1}, "requestPath": {"x": "y"}, "routing": {"r": 1}}}
    ).meta

    assert (meta.puid, meta.tags, meta.request_path, meta.routing) == ("p", {"a": 1}, {"x": "y"}, {"r": 1})


def test_status_travels_beside_the_payload() -> None:
    message = Message(Payload(Form.STRING, "a"), status={"status": "SUCCESS"})

    assert json.loads(seldon_v1.encode(message))["status"] == {"status": "SUCCESS"}


@pytest.mark.parametrize(
    "value", [[{"strData": "a"}, {"strData": "b"}], {"seldonMessages": [{"strData": "a"}, {"strData": "b"}]}]
)
def test_lists_of_messages_come_in_two_forms(value: Any) -> None:
    assert [message.payload.value for message in seldon_v1.decode_list(value)] == ["a", "b"]


@pytest.mark.parametrize("value", [5, None, {"foo": 1}, [{"foo": 1}], {"seldonMessages": 3}])
def test_what_is_no_list_of_messages_is_refused(value: Any) -> None:
    with pytest.raises(BadRequest):
        seldon_v1.decode_list(value)


def test_feedback_is_read_with_floats_as_protobuf_gives_them() -> None:
    reward = seldon_v1.decode_feedback(
        {
            "request": {"data": {"ndarray": [[1, 2]]}},
            "response": {"meta": {"routing": {"r": 1}}},
            "reward": "0.5",
            "truth": {"data": {"ndarray": [1]}},
        }
    )

    assert reward.reward == 0.5
    assert reward.request is not None
    assert reward.request.payload.value.dtype.kind == "f"
    assert reward.response is not None
    assert reward.response.meta.routing == {"r": 1}
    assert seldon_v1.decode_feedback({}).reward == 0.0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            {"foo": 1},
            'Invalid JSON: Message type "seldon.protos.Feedback" has no field named "foo" at "Feedback".\n'
            " Available Fields(except extensions): \"['request', 'response', 'reward', 'truth']\"",
        ),
        ({"reward": "x"}, "Invalid JSON: Failed to parse reward field: Couldn't parse float: x at Feedback.reward."),
        ([1], "Invalid JSON: feedback must be an object"),
    ],
)
def test_bad_feedback_is_refused_in_the_wrappers_words(value: Any, text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        seldon_v1.decode_feedback(value)

    assert str(caught.value) == text


def test_feedback_answers_went_through_protobuf() -> None:
    metrics = [{"key": "c", "type": "COUNTER", "value": 1}, {"key": "g", "type": "GAUGE", "value": 2}]
    message = Message(Payload(Form.NDARRAY, np.array([[1, 2]])), Meta("", {"n": 1}, {}, {}, metrics))

    assert seldon_v1.encode_feedback_answer(message) == (
        b'{"data":{"ndarray":[[1.0,2.0]]},"meta":{"metrics":[{"key":"c","value":1.0},'
        b'{"key":"g","type":"GAUGE","value":2.0}],"tags":{"n":1.0}}}\n'
    )
    empty = Message(Payload(Form.TENSOR, np.array([])))
    assert seldon_v1.encode_feedback_answer(empty) == b'{"data":{"tensor":{"shape":[0]}},"meta":{}}\n'


@pytest.mark.parametrize(
    ("value", "route"),
    [
        ([1], 1),
        ([[0]], 0),
        ([[-2.0]], -2),
        ([], -1),
        (["a"], -1),
        (5, -1),
        ([[1], [2, 3]], -1),
        ([float("nan")], -1),
    ],
)
def test_routes_are_the_first_number_of_an_answer(value: Any, route: int) -> None:
    assert seldon_v1.route_of(value) == route


def test_routes_are_read_from_every_array_form() -> None:
    proto = {"dtype": "DT_INT32", "tensorShape": {"dim": [{"size": "1"}]}, "intVal": [1]}
    forms: list[dict[str, Any]] = [
        {"data": {"ndarray": [[1]]}},
        {"data": {"tensor": {"shape": [1, 1], "values": [1]}}},
        {"data": {"tftensor": proto}},
    ]

    assert [seldon_v1.route_of(seldon_v1.decode(form)) for form in forms] == [1, 1, 1]
    assert seldon_v1.route_of(seldon_v1.decode({"strData": "1"})) == -1


def test_errors_keep_their_status_and_reason() -> None:
    class Own(UnitFailed):
        http, reason = 418, "MY_REASON"

    assert json.loads(seldon_v1.failure(Own("no"))[1])["status"] == {
        "code": -1,
        "info": "no",
        "reason": "MY_REASON",
        "status": 1,
    }
    assert seldon_v1.failure(Own("no"))[0] == 418
    assert seldon_v1.failure(NotReady("soon"))[0] == 503
    assert b'"reason":"MICROSERVICE_INTERNAL_ERROR"' in seldon_v1.failure(ValueError("x"))[1]


def test_a_tensor_of_nothing_has_a_shape_alone_as_protobuf_writes_it() -> None:
    message = seldon_v1.decode({"data": {"tensor": {"shape": [0, 3]}}})

    assert message.payload.value.shape == (0, 3)
    with pytest.raises(BadRequest, match="expected an object with shape and values"):
        seldon_v1.decode({"data": {"tensor": {"shape": [1]}}})
