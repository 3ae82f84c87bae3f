"""TensorFlow's tensors as protobuf messages, to and from arrays."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import BadRequest
from fairlead.protocols import protos
from fairlead.protocols.tensor_messages import read_tensor, write_tensor
from fairlead.protocols.tensorproto import BY_DTYPE

TENSOR = "tensorflow.TensorProto"
NUMBERS = [dtype for dtype in BY_DTYPE if dtype.kind != "O"]


def proto(**fields: Any) -> Any:
    shape = fields.pop("shape", None)
    if shape is not None:
        fields["tensor_shape"] = {"dim": [{"size": size} for size in shape]}
    return protos.message(TENSOR)(**fields)


@pytest.mark.parametrize("is_listed", [False, True])
@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
@given(shape=st.lists(st.integers(0, 5), max_size=3), data=st.data())
def test_every_dtype_comes_back_as_it_was(dtype: Any, is_listed: bool, shape: list[int], data: Any) -> None:
    size = int(np.prod(shape)) * dtype.itemsize
    raw = data.draw(st.binary(min_size=size, max_size=size))
    array = np.frombuffer(raw, dtype=np.uint8).astype("?" if dtype.kind == "b" else "u1")
    array = array.view(dtype).reshape(shape)

    written = protos.parse(TENSOR, write_tensor(array, is_listed=is_listed))
    back = read_tensor(written, "x")

    assert back.dtype == dtype
    assert back.shape == tuple(shape)
    # Python's floats, which protobuf's lists are read through, know no signalling NaN.
    is_same = np.array_equal(back, array, equal_nan=True) if dtype.kind in "fc" else False
    assert is_same if is_listed and dtype.kind in "fc" else back.tobytes() == array.tobytes()
    assert bool(written.tensor_content) == (not is_listed and size > 0)
    assert back.flags.writeable


def test_text_and_bytes_come_back_as_bytes() -> None:
    for array in (np.array(["a", "ß"]), np.array([b"a", "ß".encode()], dtype=object)):
        back = read_tensor(protos.parse(TENSOR, write_tensor(array)), "x")

        assert back.tolist() == [b"a", "ß".encode()]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"dtype": 1, "shape": [2, 2], "float_val": [7]}, [[7, 7], [7, 7]]),
        ({"dtype": 3, "shape": [4], "int_val": [1, 2]}, [1, 2, 2, 2]),
        ({"dtype": 1, "shape": [2]}, [0, 0]),
        ({"dtype": 7, "shape": [2], "string_val": [b"x"]}, [b"x", b"x"]),
        ({"dtype": 7, "shape": [1]}, [b""]),
        ({"dtype": 19, "shape": [2], "half_val": [0x3C00, 0xC000]}, [1.0, -2.0]),
        ({"dtype": 4, "shape": [2], "int_val": [0, 255]}, [0, 255]),
        ({"dtype": 8, "shape": [1], "scomplex_val": [1, 2]}, [1 + 2j]),
        ({"dtype": 18, "shape": [1], "dcomplex_val": [1, 2]}, [1 + 2j]),
        ({"dtype": 22, "shape": [1], "uint32_val": [2**32 - 1]}, [2**32 - 1]),
        ({"dtype": 23, "shape": [1], "uint64_val": [2**64 - 1]}, [2**64 - 1]),
        ({"dtype": 9, "int64_val": [-5]}, -5),
        ({"dtype": 10, "shape": [2], "bool_val": [True, False]}, [True, False]),
        ({"dtype": 10, "shape": [2], "tensor_content": b"\x02\x00"}, [True, False]),
        ({"dtype": 1, "shape": [100], "float_val": list(range(100))}, list(range(100))),
    ],
)
def test_typed_lists_are_read_as_tensorflow_does(fields: dict[str, Any], expected: Any) -> None:
    assert read_tensor(proto(**fields), "x").tolist() == expected


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"dtype": 20}, "x: dtype 20 cannot be read; expected one of DT_FLOAT"),
        ({"dtype": 1, "shape": [-1]}, "known sizes"),
        ({"dtype": 1, "tensor_shape": {"unknown_rank": True}}, "known sizes"),
        ({"dtype": 1, "shape": [2], "tensor_content": b"123"}, "needs 8 bytes, got 3"),
        ({"dtype": 7, "shape": [1], "tensor_content": b"123"}, "string_val"),
        ({"dtype": 1, "shape": [1], "float_val": [1, 2]}, "2 values for shape"),
        ({"dtype": 6, "shape": [1], "int_val": [300]}, "none of DT_INT8"),
        ({"dtype": 19, "shape": [1], "half_val": [70000]}, "16 bits"),
        ({"dtype": 1, "shape": [2**40], "float_val": [1]}, "send them all"),
        ({"dtype": 8, "shape": [1], "scomplex_val": [1]}, "x: "),
        ({"dtype": 1, "shape": [0] * 65}, "known sizes"),
    ],
)
def test_what_cannot_be_read_is_named(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        read_tensor(proto(**fields), "x")
