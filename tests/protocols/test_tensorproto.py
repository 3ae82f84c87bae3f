"""TensorFlow's tensors as JSON, without TensorFlow."""

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fairlead.errors import BadRequest
from fairlead.protocols import tensorproto

DTYPES = ["f4", "f8", "i4", "u1", "i2", "i1", "c8", "i8", "u2", "c16", "f2", "u4", "u8"]


@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays.arrays(np.dtype(f"<{dtype}"), arrays.array_shapes(min_dims=0, min_side=0, max_side=4))
    )
)
def test_every_numeric_array_comes_back(array: np.ndarray[Any, Any]) -> None:
    back = tensorproto.decode(tensorproto.encode(array))

    assert back.dtype == array.dtype
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize(
    ("proto", "expected"),
    [
        ({"dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": "2"}]}, "floatVal": [1, "NaN"]}, [1.0, np.nan]),
        ({"dtype": 2, "tensor_shape": {"dim": [{"size": 1}, {"size": 2}]}, "double_val": [1, 2]}, [[1.0, 2.0]]),
        ({"dtype": "DT_INT64", "tensorShape": {"dim": [{"size": "3"}]}, "int64Val": ["1", "2"]}, [1, 2, 2]),
        ({"dtype": "DT_INT32", "tensorShape": {"dim": [{"size": "2"}]}}, [0, 0]),
        ({"dtype": "DT_BOOL", "tensorShape": {"dim": [{"size": "2"}]}, "boolVal": [True]}, [True, True]),
        ({"dtype": "DT_HALF", "tensorShape": {"dim": [{"size": "1"}]}, "halfVal": [15360]}, [1.0]),
        ({"dtype": "DT_FLOAT", "tensorShape": {}, "floatVal": [3]}, 3.0),
        ({"dtype": "DT_COMPLEX64", "tensorShape": {}, "scomplexVal": ["Infinity", 2]}, complex(np.inf, 2)),
    ],
)
def test_typed_values_are_read(proto: dict[str, Any], expected: Any) -> None:
    np.testing.assert_array_equal(tensorproto.decode(proto), np.array(expected))


def test_strings_are_bytes() -> None:
    value = base64.b64encode(b"hi").decode()
    proto = {"dtype": "DT_STRING", "tensorShape": {"dim": [{"size": "1"}]}, "stringVal": [value]}

    assert tensorproto.decode(proto).tolist() == [b"hi"]


@pytest.mark.parametrize(
    "proto",
    [
        None,
        [],
        {},
        {"dtype": "DT_RESOURCE"},
        {"dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": "2"}]}, "floatVal": ["x"]},
        {"dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": "1"}]}, "floatVal": [1, 2]},
        {"dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": "-1"}]}},
        {"dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": "2"}]}, "tensorContent": "AAAA"},
        {"dtype": "DT_FLOAT", "tensorShape": {"dim": 5}},
        {"dtype": "DT_STRING", "tensorContent": "AAAA"},
        {"dtype": "DT_COMPLEX64", "tensorShape": {}, "scomplexVal": [1]},
    ],
)
def test_what_cannot_be_read_is_a_bad_request(proto: Any) -> None:
    with pytest.raises(BadRequest, match="tftensor"):
        tensorproto.decode(proto)


def test_a_few_bytes_cannot_ask_for_much_memory() -> None:
    proto = {"dtype": "DT_DOUBLE", "tensorShape": {"dim": [{"size": "1000000000"}]}, "doubleVal": [1]}

    with pytest.raises(BadRequest, match="cannot stand for"):
        tensorproto.decode(proto)
