"""The Open Inference Protocol's protobuf messages to the project's and back."""

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import BadRequest, UnitFailed
from fairlead.protocols import protos
from fairlead.protocols.message import Asked, Form, Message, Meta, Output, Payload
from fairlead.protocols.tensors import BYTES, DTYPES, Tensor
from fairlead.protocols.v2_proto import ANSWER, REQUEST, V2_PROTO, as_request, read_request
from fairlead.protocols.wire import Body

_PARAMETER = st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text()
_PARAMETERS = st.dictionaries(st.text(max_size=4), _PARAMETER, max_size=3)


@st.composite
def tensors(draw: Any) -> Tensor:
    datatype = draw(st.sampled_from(sorted(DTYPES)))
    shape = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    count = int(np.prod(shape))
    dtype = DTYPES[datatype]
    if datatype == BYTES:
        array = np.empty(count, dtype=object)
        array[:] = draw(st.lists(st.binary(max_size=6), min_size=count, max_size=count))
    else:
        raw = draw(st.binary(min_size=count * dtype.itemsize, max_size=count * dtype.itemsize))
        array = np.frombuffer(raw, np.uint8) % 2 == 1 if datatype == "BOOL" else np.frombuffer(raw, dtype)
    return Tensor(draw(st.text(max_size=4)), array.reshape(shape), datatype, draw(_PARAMETERS))


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    return [_shown(one) for one in first] == [_shown(one) for one in second]


def _shown(one: Tensor) -> Any:
    values = one.array.tolist() if one.datatype == BYTES else one.array.tobytes()
    return one.name, one.datatype, one.array.shape, one.array.dtype, values, one.parameters


@given(st.lists(tensors(), min_size=1, max_size=3), st.booleans(), _PARAMETERS, st.text(max_size=5))
def test_a_request_is_read_as_it_was_written(
    given_: list[Tensor], is_raw: bool, parameters: Any, identity: str
) -> None:
    asked = Asked("m", "1", identity, parameters, [Output("o", {"binary_data": True})], is_binary=is_raw)

    back = V2_PROTO.read_request(V2_PROTO.write_request(Message(Payload(Form.TENSORS, given_), asked=asked)))

    assert same(back.payload.value, given_)
    assert back.asked is not None
    is_raw = is_raw or any(one.datatype == "FP16" for one in given_)
    assert back.asked == Asked("m", "1", identity, parameters, [Output("o", {"binary_data": True})], is_binary=is_raw)


@given(st.lists(tensors(), min_size=1, max_size=3), st.booleans(), _PARAMETERS)
def test_an_answer_is_read_as_it_was_written_and_becomes_a_request(
    given_: list[Tensor], is_raw: bool, tags: Any
) -> None:
    message = Message(Payload(Form.TENSORS, given_), Meta(tags=tags))
    body = V2_PROTO.write_answer(message, Asked("m", "1", "i", is_binary=is_raw))

    back = V2_PROTO.read_answer(body)
    chained = read_request(as_request(body.data, model="next"))

    assert same(back.payload.value, given_)
    assert back.meta.tags == tags
    assert same(chained.payload.value, given_)
    assert chained.asked is not None
    assert (chained.asked.model, chained.asked.id, chained.asked.parameters) == ("next", "i", tags)
    protos.parse(ANSWER, body.data)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_a_refusal(data: bytes) -> None:
    for read in (V2_PROTO.read_request, V2_PROTO.read_answer):
        with suppress(BadRequest):
            read(Body(data))


def test_a_large_message_is_read_like_a_small_one() -> None:
    arrays = [np.arange(20_000, dtype="<f4").reshape(-1, 2), np.arange(3, dtype="<i8")]
    given_ = [Tensor(f"t{index}", array, "FP32" if index == 0 else "INT64") for index, array in enumerate(arrays)]
    message = Message(Payload(Form.TENSORS, given_), asked=Asked("m", "", "id", {"a": 1}, is_binary=True))

    back = V2_PROTO.read_request(V2_PROTO.write_request(message))

    assert same(back.payload.value, given_)
    assert back.asked is not None
    assert (back.asked.model, back.asked.id, back.asked.parameters) == ("m", "id", {"a": 1})
    assert back.payload.value[0].array.flags.writeable


def test_a_large_message_of_many_fields_is_read_whole() -> None:
    inputs = [{"name": f"x{index}", "datatype": "UINT8", "shape": [200]} for index in range(300)]
    proto = protos.message(REQUEST)(inputs=inputs, raw_input_contents=[bytes(200)] * 300)

    assert len(read_request(proto.SerializeToString()).payload.value) == 300


def test_one_half_precision_tensor_makes_all_of_an_answer_raw() -> None:
    given_ = [Tensor("a", np.ones(1, "<f2"), "FP16"), Tensor("b", np.ones(1, "<f4"), "FP32")]

    proto = protos.parse(ANSWER, V2_PROTO.write_answer(Message(Payload(Form.TENSORS, given_)), None).data)

    assert list(proto.raw_output_contents) == [given_[0].array.tobytes(), given_[1].array.tobytes()]


def test_any_payload_is_written_as_tensors() -> None:
    array = V2_PROTO.write_answer(Message(Payload(Form.NDARRAY, np.array([[1.5]]))), Asked("m"))
    text = V2_PROTO.write_request(Message(Payload(Form.STRING, "hello")))

    [output] = protos.parse(ANSWER, array.data).outputs
    [asked] = protos.parse(REQUEST, text.data).inputs
    assert (output.name, output.datatype, list(output.contents.fp64_contents)) == ("output-0", "FP64", [1.5])
    assert (asked.name, list(asked.contents.bytes_contents)) == ("input-0", [b"hello"])
    assert asked.parameters["content_type"].string_param == "str"


def test_an_answer_that_makes_no_tensor_is_the_units_fault() -> None:
    with pytest.raises(UnitFailed, match="no datatype for arrays of complex128"):
        V2_PROTO.write_answer(Message(Payload(Form.NDARRAY, np.array([1j]))), None)


def test_a_parameter_that_is_no_plain_value_travels_as_json() -> None:
    body = V2_PROTO.write_answer(
        Message(Payload(Form.NDARRAY, np.array([1])), Meta(tags={"list": [1, "a"], "none": None})), None
    )

    parameters = protos.parse(ANSWER, body.data).parameters
    assert parameters["list"].string_param == '[1,"a"]'
    assert list(parameters) == ["list"]


def test_wanted_outputs_are_given_in_their_order() -> None:
    given_ = [Tensor(name, np.ones(1), "FP64") for name in ("a", "b", "c")]
    asked = Asked("m", outputs=[Output("c"), Output("a")])

    proto = protos.parse(ANSWER, V2_PROTO.write_answer(Message(Payload(Form.TENSORS, given_)), asked).data)

    assert [one.name for one in proto.outputs] == ["c", "a"]
    with pytest.raises(BadRequest, match="Unexpected inference output 'z' for model 'm'"):
        V2_PROTO.write_answer(Message(Payload(Form.TENSORS, given_)), Asked("m", outputs=[Output("z")]))


def test_errors_have_no_body() -> None:
    assert V2_PROTO.failure(BadRequest("x")) == (400, b"")


@pytest.mark.parametrize("place", ["tensor", "request"])
@pytest.mark.parametrize("is_raw", [False, True])
def test_base64_is_decoded_and_encoded_as_over_rest(place: str, is_raw: bool) -> None:
    said = {"content_type": "base64"}
    sent = Tensor("x", np.array([b"\xff\x00"], dtype=object), BYTES, said)
    written = V2_PROTO.write_request(Message(Payload(Form.TENSORS, [sent]), asked=Asked("m", is_binary=is_raw)))
    proto = protos.parse(REQUEST, written.data)
    if place == "request":
        proto.parameters["content_type"].string_param = "base64"
        del proto.inputs[0].parameters["content_type"]

    came = read_request(proto.SerializeToString()).payload.value

    encoded = proto.raw_input_contents[0][4:] if is_raw else proto.inputs[0].contents.bytes_contents[0]
    assert encoded == b"/wA="
    assert same(came, [sent])


def test_what_is_no_base64_is_refused() -> None:
    proto = protos.message(REQUEST)(model_name="m", inputs=[{"name": "x", "datatype": BYTES, "shape": [1]}])
    proto.inputs[0].contents.bytes_contents.append(b"?")
    proto.inputs[0].parameters["content_type"].string_param = "base64"

    with pytest.raises(BadRequest, match="its content_type is base64, its data is not"):
        read_request(proto.SerializeToString())
