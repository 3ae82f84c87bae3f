"""Seldon's protobuf messages to the project's and back."""

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import BadRequest, UnitFailed
from fairlead.protocols import protos
from fairlead.protocols.message import Form, Message, Meta, Payload
from fairlead.protocols.seldon_proto import (
    FEEDBACK,
    MESSAGE,
    SELDON_PROTO,
    decode,
    decode_feedback,
    decode_list,
    encode,
    encode_feedback,
    encode_list,
    read_model_metadata,
    with_routing,
    write_model_metadata,
)
from fairlead.protocols.tensors import tensor

_ARRAY = st.lists(st.lists(st.floats(allow_nan=False), min_size=2, max_size=2), min_size=1, max_size=4).map(np.array)
_TAG = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text()
_WORDS = st.text(max_size=5)
_META = st.builds(
    Meta,
    puid=_WORDS,
    tags=st.dictionaries(_WORDS, _TAG, max_size=3),
    routing=st.dictionaries(_WORDS, st.integers(-2, 10), max_size=3),
    request_path=st.dictionaries(_WORDS, _WORDS, max_size=3),
    metrics=st.lists(
        st.fixed_dictionaries(
            {"key": _WORDS, "type": st.sampled_from(["COUNTER", "GAUGE", "TIMER"]), "value": st.floats(width=32)}
        ).filter(lambda metric: metric["value"] == metric["value"]),
        max_size=2,
    ),
)
_PAYLOAD = st.one_of(
    st.builds(
        Payload, st.sampled_from([Form.NDARRAY, Form.TENSOR, Form.TFTENSOR]), _ARRAY, st.lists(_WORDS, max_size=2)
    ),
    st.builds(Payload, st.just(Form.STRING), st.text()),
    st.builds(Payload, st.just(Form.BINARY), st.binary()),
    st.builds(Payload, st.just(Form.JSON), st.dictionaries(_WORDS, _TAG)),
    st.just(Payload(Form.NONE, None)),
)


@given(_PAYLOAD, _META)
def test_a_message_is_read_as_it_was_written(payload: Payload, meta: Meta) -> None:
    back = decode(encode(Message(payload, meta)))

    assert back.payload.form is payload.form
    assert back.payload.names == payload.names
    if payload.is_array:
        np.testing.assert_array_equal(back.payload.value, payload.value)
    else:
        assert back.payload.value == payload.value
    assert back.meta == meta


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_refusal(data: bytes) -> None:
    with suppress(BadRequest):
        encode(decode(data))


def test_routing_is_put_behind_a_message_without_reading_it() -> None:
    data = encode(Message(Payload(Form.STRING, "x"), Meta(puid="p", routing={"a": 1})))

    merged = protos.parse(MESSAGE, with_routing(data, {"a": -2, "b": 0}))

    assert dict(merged.meta.routing) == {"a": -2, "b": 0}
    assert (merged.meta.puid, merged.strData) == ("p", "x")
    assert with_routing(data, {}) == data


def test_a_status_keeps_its_flag() -> None:
    status = {"code": -1, "info": "i", "reason": "r", "status": "FAILURE"}
    back = decode(encode(Message(Payload(Form.NONE, None), status=status)))

    assert back.status == status
    raw = Message(Payload(Form.NONE, None), raw={"status": {"code": 7, "status": 1}})
    assert decode(encode(raw)).status == {"code": 7, "status": "FAILURE"}


def test_text_in_an_array_and_tensors_of_other_protocols_are_written_as_json_has_them() -> None:
    words = decode(encode(Message(Payload(Form.NDARRAY, np.array([["a", "b"]])))))
    one = decode(encode(Message(Payload(Form.TENSORS, [tensor("x", np.array([[1, 2]]))]))))
    two = [tensor("x", np.array([1])), tensor("y", np.array([2.5]))]
    several = decode(encode(Message(Payload(Form.TENSORS, two))))

    assert words.payload.value.tolist() == [["a", "b"]]
    assert one.payload.value.tolist() == [[1.0, 2.0]]
    assert several.payload.value == {"x": [1.0], "y": [2.5]}


def test_a_list_of_messages_keeps_their_order() -> None:
    data = encode_list([encode(Message(Payload(Form.STRING, word))) for word in ("a", "b")])

    assert [one.payload.value for one in decode_list(data)] == ["a", "b"]


def test_feedback_has_its_parts_and_the_json_that_rest_has() -> None:
    asked = {"data": {"tensor": {"shape": [1, 1], "values": [2]}}}
    fields = {"request": asked, "response": {"meta": {"routing": {"r": 1}}}, "reward": 0.5, "truth": {"strData": "x"}}
    data = protos.message(FEEDBACK)(**fields).SerializeToString()

    reward = decode_feedback(data)

    assert reward.reward == 0.5
    assert reward.request is not None
    assert reward.request.payload.value.tolist() == [[2.0]]
    assert reward.response is not None
    assert reward.response.meta.routing == {"r": 1}
    assert reward.raw["truth"] == {"meta": {}, "strData": "x"}
    assert reward.raw["request"]["data"]["tensor"] == {"shape": [1, 1], "values": [2.0]}
    assert protos.parse(FEEDBACK, encode_feedback(reward)) == protos.parse(FEEDBACK, data)
    reward.raw_proto = None
    again = decode_feedback(encode_feedback(reward))
    assert (again.reward, again.raw) == (reward.reward, reward.raw)


def test_feedback_about_what_json_cannot_hold_is_still_feedback() -> None:
    data = protos.message(FEEDBACK)(request={"customData": {"type_url": "a/b"}}, reward=1).SerializeToString()

    assert decode_feedback(data).raw == {"request": {"meta": {}}, "reward": 1.0}


def test_custom_data_is_any_message() -> None:
    inner = protos.message("seldon.protos.Status")(info="x")

    back = decode(encode(Message(Payload(Form.CUSTOM, inner))))

    assert back.payload.form is Form.CUSTOM
    assert back.payload.value.type_url == "type.googleapis.com/seldon.protos.Status"
    assert back.payload.value.value == inner.SerializeToString()
    with pytest.raises(UnitFailed, match="customData must be a protobuf message, not str"):
        encode(Message(Payload(Form.CUSTOM, "x")))


def test_a_description_comes_back_as_it_was() -> None:
    known = {
        "name": "n",
        "versions": ["1", "2"],
        "platform": "p",
        "inputs": [{"messagetype": "tensor", "schema": {"names": ["a"], "shape": [1.0]}}],
        "outputs": [{"name": "o", "datatype": "FP32", "shape": [-1, 3]}],
        "custom": {"k": "v"},
    }

    assert read_model_metadata(write_model_metadata(known)) == known


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"data": {"tensor": {"shape": [2, 2], "values": [1]}}}, "data.tensor: cannot reshape"),
        ({"data": {"tftensor": {"dtype": 20}}}, "data.tftensor: dtype 20"),
    ],
)
def test_an_array_that_is_none_is_refused_by_its_place(fields: Any, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        SELDON_PROTO.read_request(
            SELDON_PROTO.write_request(Message(Payload(Form.NONE, None)))._replace(
                data=protos.message(MESSAGE)(**fields).SerializeToString()
            )
        )


def test_a_ragged_ndarray_is_refused() -> None:
    proto = protos.message(MESSAGE)()
    proto.data.ndarray.extend([[1], [2, 3]])

    with pytest.raises(BadRequest, match=r"data\.ndarray: .*inhomogeneous"):
        decode(proto.SerializeToString())


def test_a_metric_of_an_unknown_type_is_the_units_fault() -> None:
    with pytest.raises(UnitFailed, match="a metric's type must be one of COUNTER, GAUGE, TIMER"):
        encode(Message(Payload(Form.NONE, None), Meta(metrics=[{"key": "k", "type": "ODD", "value": 1}])))
