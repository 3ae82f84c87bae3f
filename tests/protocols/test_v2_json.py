"""V2 requests and answers as bytes: every datatype there and back, the words of refusals, what an answer looks like."""

import contextlib
import json
import math
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fairlead.errors import BadRequest, UnitFailed
from fairlead.protocols.message import Asked, Form, Message, Meta, Output, Payload
from fairlead.protocols.tensors import BYTES, DTYPES, Tensor
from fairlead.protocols.v2_json import NO_LENGTH, OCTETS, V2_JSON, read_request
from fairlead.protocols.wire import Body, GraphFailed

SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)


def tensors_of(datatype: str, values: st.SearchStrategy[Any] | None = None) -> st.SearchStrategy[Tensor]:
    if datatype == BYTES:
        made = SHAPES.flatmap(lambda shape: bytes_arrays(shape, values or st.binary(max_size=9)))
    else:
        made = arrays.arrays(DTYPES[datatype], SHAPES)
    return st.builds(Tensor, st.text(max_size=9), made, st.just(datatype))


def bytes_arrays(shape: tuple[int, ...], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    count = math.prod(shape)

    def filled(items: list[Any]) -> Any:
        array = np.empty(count, dtype=np.object_)
        array[:] = items
        return array.reshape(shape)

    return st.lists(values, min_size=count, max_size=count).map(filled)


def same(one: Tensor, other: Tensor) -> None:
    assert (one.name, one.datatype, one.array.shape) == (other.name, other.datatype, other.array.shape)
    if one.datatype == BYTES:
        assert one.array.tolist() == other.array.tolist()
    else:
        assert one.array.dtype == other.array.dtype
        np.testing.assert_array_equal(one.array, other.array)


def request(**members: Any) -> Body:
    return Body(json.dumps({"inputs": [tensor()]} | members).encode())


def tensor(**members: Any) -> dict[str, Any]:
    return {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [[1, 2]]} | members


def first(body: Body) -> Tensor:
    found: Tensor = read_request(body).payload.value[0]
    return found


def refusal(body: Body, **names: str) -> str:
    with pytest.raises(BadRequest) as caught:
        read_request(body, **names)
    return str(caught.value)


def answered(*tensors: Tensor, asked: Asked | None = None, tags: dict[str, Any] | None = None) -> Body:
    message = Message(Payload(Form.TENSORS, list(tensors)), Meta(tags=tags or {}))
    return V2_JSON.write_answer(message, asked)


@pytest.mark.parametrize("datatype", sorted(set(DTYPES) - {"FP16"}))
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_request_in_json_is_read_as_it_was_written(datatype: str, data: st.DataObject) -> None:
    sent = data.draw(tensors_of(datatype))

    body = V2_JSON.write_request(Message(Payload(Form.TENSORS, [sent])))

    assert body.json_bytes == -1
    same(first(body), sent)


@pytest.mark.parametrize("datatype", sorted(DTYPES))
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_binary_answer_is_read_as_it_was_written(datatype: str, data: st.DataObject) -> None:
    sent = data.draw(st.lists(tensors_of(datatype), min_size=1, max_size=3))

    body = answered(*sent, asked=Asked(is_binary=True))

    assert body.content_type == OCTETS
    read = V2_JSON.read_answer(body).payload.value
    assert len(read) == len(sent)
    for one, other in zip(read, sent, strict=True):
        same(one, other)


@settings(deadline=None)
@given(array=arrays.arrays(np.float32, SHAPES))
def test_nested_and_flat_data_are_the_same_tensor(array: Any) -> None:
    nested = request(inputs=[tensor(shape=list(array.shape), data=array.tolist())])
    flat = request(inputs=[tensor(shape=list(array.shape), data=array.reshape(-1).tolist())])

    same(first(nested), first(flat))


def test_fp16_goes_to_a_peer_in_binary() -> None:
    half = Tensor("h", np.array([1.5], np.float16), "FP16")

    body = V2_JSON.write_request(Message(Payload(Form.TENSORS, [half, Tensor("x", np.array([1]), "INT64")])))

    assert body.json_bytes > 0
    both = read_request(body).payload.value
    same(both[0], half)
    assert both[1].array.tolist() == [1]


def test_what_a_request_says_besides_its_tensors_is_kept() -> None:
    message = read_request(
        request(
            id="i",
            parameters={"content_type": "np", "binary_data_output": True, "n": 1},
            outputs=[{"name": "y"}, {"name": "z", "parameters": {"binary_data": False}}],
        ),
        model="m",
    )

    assert message.asked == Asked(
        model="m",
        id="i",
        parameters={"content_type": "np", "binary_data_output": True, "n": 1},
        outputs=[Output("y"), Output("z", {"binary_data": False})],
        is_binary=True,
    )


def test_an_answer_has_kserves_members_in_kserves_order() -> None:
    body = answered(Tensor("output-0", np.array([3], np.float32), "FP32"), asked=Asked(model="sum", id="i"))

    assert body.data == (
        b'{"model_name":"sum","model_version":null,"id":"i",'
        b'"outputs":[{"name":"output-0","shape":[1],"datatype":"FP32","data":[3.0]}]}'
    )


def test_a_binary_answer_has_kserves_bytes() -> None:
    sent = b'{"id":"b1","inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","parameters":{"binary_data_size":16}}]'
    sent += b',"outputs":[{"name":"output-0","parameters":{"binary_data":true}}]}'
    tail = bytes.fromhex("0000803f000000400000404000008040")
    message = read_request(Body(sent + tail, OCTETS, json_bytes=len(sent)), model="sum")
    assert message.payload.value[0].array.tolist() == [[1, 2], [3, 4]]
    assert message.payload.value[0].parameters == {}

    body = answered(Tensor("output-0", np.array([3, 7], np.float32), "FP32"), asked=message.asked)

    assert body.json_bytes == 149
    assert body.data[:149] == (
        b'{"id":"b1","model_name":"sum","model_version":null,"outputs":[{"name":"output-0","shape":[2],'
        b'"datatype":"FP32","parameters":{"binary_data_size":8}}]}'
    )
    assert body.data[149:] == bytes.fromhex("000040400000e040")


def test_the_word_of_an_output_wins_over_that_of_the_request() -> None:
    asked = Asked(is_binary=True, outputs=[Output("a"), Output("b", {"binary_data": False})])

    body = answered(Tensor("b", np.array([1]), "INT64"), Tensor("a", np.array([2]), "INT64"), asked=asked)

    value = json.loads(body.data[: body.json_bytes])
    assert [one["name"] for one in value["outputs"]] == ["a", "b"]
    assert value["outputs"][1]["data"] == [1]
    assert body.data[body.json_bytes :] == np.array([2]).tobytes()


def test_binary_and_json_tensors_of_one_request_keep_their_order() -> None:
    def raw(name: str) -> dict[str, Any]:
        return {"name": name, "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 5, "k": 1}}

    text = json.dumps({"inputs": [raw("a"), tensor(), raw("b")]}).encode()
    tail = b"\x01\x00\x00\x00A" + b"\x01\x00\x00\x00B"

    read = read_request(Body(text + tail, OCTETS, json_bytes=len(text))).payload.value

    assert [one.array.reshape(-1).tolist() for one in read] == [[b"A"], [1, 2], [b"B"]]
    assert read[0].parameters == {"k": 1}


@pytest.mark.parametrize(
    ("datatype", "data", "value"),
    [
        ("FP32", b"[NaN, Infinity]", [math.nan, math.inf]),
        ("FP32", b'["NaN", "-Infinity"]', [math.nan, -math.inf]),
        ("FP64", b"[null, 1e999]", [math.nan, math.inf]),
        ("FP32", b"[1e300, -1e300]", [math.inf, -math.inf]),
        ("INT8", b"[1.0, -2]", [1, -2]),
        ("UINT64", b"[18446744073709551615, 5]", [18446744073709551615, 5]),
        ("UINT8", b"[true, 0]", [1, 0]),
        ("BOOL", b"[1, false]", [True, False]),
        ("BYTES", b'["a", "\\u00e9"]', [b"a", "é".encode()]),
    ],
)
def test_values_are_read_as_clients_write_them(datatype: str, data: bytes, value: list[Any]) -> None:
    text = b'{"inputs":[{"name":"x","shape":[2],"datatype":"%b","data":%b}]}' % (datatype.encode(), data)

    read = first(Body(text)).array

    assert read.dtype == DTYPES[datatype]
    assert repr(read.tolist()) == repr(value)


@pytest.mark.parametrize(
    ("values", "written"),
    [([math.nan, 1], b'"data":[null,1.0]'), ([math.nan, -math.inf, 1], b'"data":[null,-Infinity,1.0]')],
)
def test_a_nan_is_null_and_an_infinity_is_not(values: list[float], written: bytes) -> None:
    assert written in answered(Tensor("y", np.array(values), "FP64")).data


@pytest.mark.parametrize("datatype", ["FP64", "INT32", "BYTES"])
def test_an_empty_tensor_may_have_no_data(datatype: str) -> None:
    text = b'{"inputs":[{"name":"x","shape":[2,0],"datatype":"%b","data":null}]}' % datatype.encode()

    read = first(Body(text)).array

    assert (read.shape, read.dtype) == ((2, 0), DTYPES[datatype])


def test_a_lone_string_need_not_be_in_a_list() -> None:
    assert first(request(inputs=[tensor(shape=[1], datatype="BYTES", data="text")])).array.tolist() == [b"text"]


def test_base64_is_undone_by_the_tensors_or_the_requests_content_type() -> None:
    own = tensor(shape=[1], datatype="BYTES", data=["/wA="], parameters={"content_type": "base64"})
    general = tensor(shape=[1], datatype="BYTES", data=["/wA="])

    assert first(request(inputs=[own])).array.tolist() == [b"\xff\x00"]
    assert first(request(inputs=[general], parameters={"content_type": "base64"})).array.tolist() == [b"\xff\x00"]
    assert first(request(inputs=[general], parameters={"content_type": "str"})).array.tolist() == [b"/wA="]


def test_bytes_that_are_no_text_are_answered_in_base64() -> None:
    array = np.empty(2, dtype=np.object_)
    array[:] = [b"\xff", b"a"]

    output = json.loads(answered(Tensor("y", array, BYTES)).data)["outputs"][0]

    assert (output["data"], output["parameters"]) == (["/w==", "YQ=="], {"content_type": "base64"})


def test_tags_are_the_answers_parameters() -> None:
    body = answered(Tensor("y", np.array([1]), "INT64"), tags={"drift": True})

    assert json.loads(body.data)["parameters"] == {"drift": True}


def test_a_peers_answer_becomes_a_request_with_its_parameters() -> None:
    said = {
        "model_name": "a",
        "id": "7",
        "parameters": {"p": 1},
        "outputs": [tensor(name="y", parameters={"content_type": "np"}, data=[1, 2])],
    }

    body = V2_JSON.write_request(V2_JSON.read_answer(Body(orjson.dumps(said))))

    item = {"name": "y", "shape": [1, 2], "datatype": "FP32", "parameters": {"content_type": "np"}, "data": [1.0, 2.0]}
    assert json.loads(body.data) == {"id": "7", "parameters": {"p": 1}, "inputs": [item]}


def test_a_peers_answer_that_is_none_cannot_be_chained() -> None:
    with pytest.raises(GraphFailed, match="Failed to convert kfserving response so it could be chained to new input"):
        V2_JSON.read_answer(Body(b'{"error":"no"}'))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": [[1, 2, 3]]}, "input 'x': shape [1, 2] needs 2 values of FP32; data holds 3, of shape [1, 3]"),
        ({"data": [[1], [2, 3]]}, "input 'x': data does not make a tensor of FP32 and shape [1, 2]: "),
        ({"data": [["a", "b"]]}, "could not convert string to float: 'a'"),
        ({"data": {"a": 1}}, "input 'x': data does not make a tensor of FP32"),
        ({"datatype": "FP99"}, "invalid datatype 'FP99' in the input 'x'; expected one of BOOL, "),
        ({"datatype": None}, "invalid datatype None in the input 'x'"),
        ({"datatype": "BF16"}, "invalid datatype 'BF16' in the input 'x'"),
        ({"datatype": ["FP32"]}, "invalid datatype"),
        ({"shape": [1, -1]}, "input 'x': shape must be a list of sizes like [1, 4], got [1, -1]"),
        ({"shape": [1.0, 2]}, "shape must be a list of sizes"),
        ({"shape": None}, "shape must be a list of sizes"),
        ({"shape": [2**62, 2**62]}, "input 'x': shape"),
        ({"datatype": "INT32", "data": [1.5, 2]}, "input 'x': data must hold values of INT32; it holds others"),
        ({"datatype": "INT32", "data": [2**31, 2]}, "data must hold values of INT32"),
        ({"datatype": "UINT8", "data": [-1, 2]}, "data must hold values of UINT8"),
        ({"datatype": "INT64", "data": [2**63, -1]}, "input 'x': data"),
        ({"datatype": "INT64", "data": [10**400, -1]}, "input 'x': data"),
        ({"datatype": "INT64", "data": ["1", "2"]}, "data must hold values of INT64"),
        ({"datatype": "INT64", "data": [math.nan, 1]}, "data must hold values of INT64"),
        ({"datatype": "BOOL", "data": [2, 0]}, "data must hold values of BOOL"),
        ({"datatype": "BYTES", "data": [1, "a"]}, "input 'x': data of BYTES must be strings; value 0 is 1"),
        ({"datatype": "BYTES", "data": [["a"], ["b", "c"]]}, "its rows differ in length"),
        ({"datatype": "FP16"}, "Receiving FP16 data via JSON is not supported. Please use the binary data format for"),
        ({"parameters": [1]}, "input 'x': parameters must be an object"),
        ({"name": 1}, "every one of 'inputs' must be an object with a name"),
        (
            {"datatype": "BYTES", "parameters": {"content_type": "base64"}, "data": ["%%%%", "a"]},
            "tensor 'x': its content_type is base64, its data is not",
        ),
    ],
)
def test_a_malformed_tensor_is_refused_with_its_name(change: dict[str, Any], words: str) -> None:
    assert words in refusal(request(inputs=[tensor(**change)]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{", "Unrecognized request format: "),
        (b"\xff", "Unrecognized request format: "),
        (b"[1]", "Unrecognized request format: expected a JSON object, got list"),
        (b"{}", "'inputs' must be a list of at least one tensor"),
        (b'{"inputs":[]}', "'inputs' must be a list of at least one tensor"),
        (b'{"inputs":[1]}', "every one of 'inputs' must be an object with a name"),
        (b'{"inputs":[{"name":"\\ud800"}]}', "Unrecognized request format: "),
        (b"[" * 100_000, "Unrecognized request format: "),
    ],
)
def test_a_body_that_is_no_request_is_refused(text: bytes, words: str) -> None:
    assert words in refusal(Body(text))


def test_members_of_the_wrong_kind_are_refused() -> None:
    assert refusal(request(id=7)) == "id must be a string, got int"
    assert refusal(request(outputs=["y"])) == "'outputs' must be a list of objects with a name"
    assert refusal(request(parameters=1)) == "the request: parameters must be an object"


def test_missing_data_names_the_input_and_the_model() -> None:
    item = {"name": "x", "shape": [1], "datatype": "FP32"}
    text = json.dumps({"inputs": [item]}).encode()

    assert refusal(Body(text), model="m") == "'data' field is missing for input 'x' for model 'm'"
    binary = Body(text, OCTETS, json_bytes=len(text))
    assert refusal(binary, model="m") == "'binary_data_size' is not specified for input 'x' for model 'm'"


def binary(size: Any, tail: bytes, *, datatype: str = "FP32", length: int | None = None) -> Body:
    item = {"name": "x", "shape": [2], "datatype": datatype, "parameters": {"binary_data_size": size}}
    text = json.dumps({"inputs": [item]}).encode()
    return Body(text + tail, OCTETS, json_bytes=len(text) if length is None else length)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (binary(8, b"1234567"), "input 'x': binary_data_size is 8, only 7 bytes are left in the body"),
        (binary(4, b"1234"), "input 'x': shape [2] of FP32 needs 8 bytes, got 4 bytes"),
        (binary(8, b"123456789"), "1 bytes follow the last binary tensor; expected none"),
        (binary("8", b"12345678"), "input 'x': binary_data_size must be a number of bytes, got '8'"),
        (binary(-1, b""), "binary_data_size must be a number of bytes, got -1"),
        (binary(3, b"abc", datatype="BYTES"), "element 0 of BYTES has no 4-byte length"),
        (binary(5, b"\x02\0\0\0a", datatype="BYTES"), "element 0 of BYTES has 2 bytes, only 1 are left"),
        (binary(5, b"\x01\0\0\0a", datatype="BYTES"), "its shape needs 2 elements of BYTES, got 1"),
        (binary(8, b"12345678", length=9999), "inference-header-content-length is 9999, the body has only"),
        (Body(b"12345678", OCTETS), NO_LENGTH),
    ],
)
def test_a_malformed_binary_body_is_refused(body: Body, words: str) -> None:
    assert words in refusal(body)


def test_fp16_is_not_answered_in_json() -> None:
    half = Tensor("h", np.array([1.5], np.float16), "FP16")

    with pytest.raises(BadRequest, match="Sending FP16 data via JSON is not supported") as caught:
        answered(half)

    assert str(caught.value).endswith("Please use the binary data format for input h")


def test_an_output_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadRequest, match="Unexpected inference output 'zzz' for model 'm'; available: y"):
        answered(Tensor("y", np.array([1]), "INT64"), asked=Asked(model="m", outputs=[Output("zzz")]))


def test_an_answer_that_is_no_tensor_is_the_units_failure() -> None:
    with pytest.raises(UnitFailed, match="cannot be written as tensors"):
        V2_JSON.write_answer(Message(Payload(Form.NONE, None)), None)
    with pytest.raises(UnitFailed, match="no datatype for arrays of complex128"):
        V2_JSON.write_answer(Message(Payload(Form.NDARRAY, np.array([1j]))), None)


def test_text_and_bytes_of_units_are_bytes_tensors() -> None:
    text = json.loads(V2_JSON.write_answer(Message(Payload(Form.STRING, "hé")), None).data)["outputs"][0]
    raw = json.loads(V2_JSON.write_answer(Message(Payload(Form.BINARY, b"\xff")), None).data)["outputs"][0]

    assert (text["datatype"], text["data"], text["parameters"]) == ("BYTES", ["hé"], {"content_type": "str"})
    assert (raw["data"], raw["parameters"]) == (["/w=="], {"content_type": "base64"})


def test_an_error_is_kserves_object() -> None:
    assert V2_JSON.failure(BadRequest("no \ud800")) == (400, b'{"error":"no ?"}')


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
TENSOR_LIKE = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(max_size=3) | JSON_VALUES,
        "shape": st.lists(st.integers(-1, 4), max_size=4) | JSON_VALUES,
        "datatype": st.sampled_from(sorted(DTYPES)) | JSON_VALUES,
        "data": JSON_VALUES,
        "parameters": st.dictionaries(st.sampled_from(["binary_data_size", "content_type"]), JSON_VALUES) | JSON_VALUES,
    },
)
REQUEST_LIKE = st.fixed_dictionaries(
    {"inputs": st.lists(TENSOR_LIKE, max_size=3) | JSON_VALUES},
    optional={"id": JSON_VALUES, "parameters": JSON_VALUES, "outputs": JSON_VALUES},
)


@settings(deadline=None)
@given(value=REQUEST_LIKE | JSON_VALUES, tail=st.none() | st.binary(max_size=20))
def test_no_json_breaks_the_reader(value: Any, tail: bytes | None) -> None:
    text = json.dumps(value).encode()
    body = Body(text) if tail is None else Body(text + tail, OCTETS, json_bytes=len(text))

    with contextlib.suppress(BadRequest):
        message = read_request(body)
        V2_JSON.write_answer(message, message.asked)


@settings(deadline=None)
@given(body=st.builds(Body, st.binary(max_size=60), st.just(OCTETS), st.just(b""), st.integers(-1, 70)))
def test_no_bytes_break_the_reader(body: Body) -> None:
    refusal(body)
