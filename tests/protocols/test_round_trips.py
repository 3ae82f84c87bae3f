"""A tensor on its way through every tensor protocol, one after the other, is the tensor that was sent: every datatype
with its extremes, every shape, every layout in memory that a model may give."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fairlead.protocols.message import Asked, Form, Message, Payload
from fairlead.protocols.tensorflow_proto import TENSORFLOW_PROTO
from fairlead.protocols.tensors import BYTES, DTYPES, Tensor, tensor
from fairlead.protocols.v2_json import V2_JSON
from fairlead.protocols.v2_proto import V2_PROTO

Array = np.ndarray[Any, Any]
Way = Callable[[Message], Message]

SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "as it is": lambda array: array,
    "by column": np.asfortranarray,
    "backwards": lambda array: array[::-1] if array.ndim else array,
    "every second": lambda array: np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim else array,
    "read only": lambda array: np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape),
    "other byte order": lambda array: array.astype(array.dtype.newbyteorder("S")),
}
WAYS: dict[str, Way] = {
    "V2 JSON request": lambda message: V2_JSON.read_request(V2_JSON.write_request(message)),
    "V2 binary answer": lambda message: V2_JSON.read_answer(V2_JSON.write_answer(message, Asked(is_binary=True))),
    "V2 proto request": lambda message: V2_PROTO.read_request(V2_PROTO.write_request(message)),
    "V2 raw answer": lambda message: V2_PROTO.read_answer(V2_PROTO.write_answer(message, Asked(is_binary=True))),
    "TensorFlow request": lambda message: TENSORFLOW_PROTO.read_request(TENSORFLOW_PROTO.write_request(message)),
    "TensorFlow answer": lambda message: TENSORFLOW_PROTO.read_answer(TENSORFLOW_PROTO.write_answer(message, None)),
}


def through(message: Message, way: Way) -> Message:
    """The next message of an intermediary that hands on what it got and nothing else."""
    return Message(Payload(Form.TENSORS, way(message).payload.value))


def same(one: Tensor, other: Tensor) -> None:
    assert (one.name, one.datatype, one.array.shape) == (other.name, other.datatype, other.array.shape)
    if one.datatype == BYTES:
        assert one.array.tolist() == other.array.tolist()
    else:
        assert one.array.dtype == other.array.dtype
        np.testing.assert_array_equal(one.array, other.array)
        if one.array.dtype.kind == "f":  # zero has a sign
            finite = ~np.isnan(one.array)
            np.testing.assert_array_equal(np.signbit(one.array)[finite], np.signbit(other.array)[finite])


def values_of(datatype: str) -> st.SearchStrategy[Array]:
    if datatype == BYTES:
        texts = st.binary(max_size=5) | st.text(max_size=4).map(lambda text: text.encode("utf-8", "surrogatepass"))
        return arrays.arrays(np.dtype(object), SHAPES, elements=texts, fill=st.nothing())
    dtype = DTYPES[datatype]
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        edges = st.sampled_from([int(limits.min), int(limits.max), 0, 1])
        return arrays.arrays(dtype, SHAPES, elements=edges | st.integers(int(limits.min), int(limits.max)))
    return arrays.arrays(dtype, SHAPES)


@pytest.mark.parametrize("datatype", sorted(DTYPES))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_tensor_survives_every_protocol_in_any_order(datatype: str, data: st.DataObject) -> None:
    first = tensor(data.draw(NAMES), data.draw(values_of(datatype)))
    ways = data.draw(st.permutations(sorted(WAYS)))
    message = Message(Payload(Form.TENSORS, [first]))

    for name in ways:
        message = through(message, WAYS[name])

    (last,) = message.payload.value
    same(last, first)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=12, deadline=None)
@given(data=st.data(), datatype=st.sampled_from(sorted(set(DTYPES) - {BYTES})))
def test_how_an_array_lies_in_memory_does_not_matter(way: str, layout: str, data: st.DataObject, datatype: str) -> None:
    array = data.draw(values_of(datatype))
    laid = LAYOUTS[layout](array)
    expected = tensor("x", np.ascontiguousarray(laid).astype(array.dtype).reshape(laid.shape))

    (came,) = through(Message(Payload(Form.TENSORS, [tensor("x", laid)])), WAYS[way]).payload.value

    same(came, expected)


@pytest.mark.parametrize("way", [name for name in WAYS if name not in ("V2 JSON request", "V2 binary answer")])
def test_a_name_that_utf8_cannot_hold_is_no_reason_to_fail(way: str) -> None:
    # JSON refuses it in words: `UnitFailed`.
    message = Message(
        Payload(Form.TENSORS, [tensor("a\ud800", np.array([1.0]))]), asked=Asked(model="m\ud800", id="i\udfff")
    )

    (came,) = WAYS[way](message).payload.value

    assert came.name.startswith("a")
    assert came.array.tolist() == [1.0]
