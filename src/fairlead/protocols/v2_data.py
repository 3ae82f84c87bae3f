"""The values of one tensor as the Open Inference Protocol has them in JSON: a list, flat or nested, and its datatype.

What does not fit its shape or datatype is the client's mistake, so it is refused with the tensor's name, what was
expected and what came, where the servers we replace fail inside.
"""

import math
from typing import Any

import numpy as np
import orjson

from fairlead.errors import BadRequest
from fairlead.protocols.tensors import BYTES, DTYPES, Array

_WHOLE = frozenset(name for name in DTYPES if "INT" in name)
_MOST_DIMENSIONS = 64  # numpy's own limit


def checked_shape(given: Any, what: str) -> list[int]:
    """A shape as a request gives it; `what` names the tensor in errors."""
    if type(given) is list and len(given) <= _MOST_DIMENSIONS:
        for size in given:
            if type(size) is not int or size < 0:
                break
        else:
            return given
    raise BadRequest(f"{what}: shape must be a list of sizes like [1, 4], got {_shown(given)}")


def checked_datatype(given: Any, what: str) -> np.dtype[Any]:
    """The dtype of a datatype's name."""
    dtype = DTYPES.get(given) if type(given) is str else None
    if dtype is None:
        raise BadRequest(f"invalid datatype {_shown(given)} in the {what}; expected one of {', '.join(DTYPES)}")
    return dtype


def read_data(data: Any, datatype: str, shape: list[int], what: str) -> Array:
    """The array in a `data` member. FP16 is the caller's to refuse."""
    if data is None and 0 in shape:  # how KServe's client writes what it meant to send in binary and has no bytes
        return np.empty(shape, DTYPES[datatype])
    try:
        array = _text(data, what) if datatype == BYTES else _numbers(data, DTYPES[datatype])
    except (ValueError, TypeError, OverflowError) as error:
        raise BadRequest(f"{what}: data does not make a tensor of {datatype} and shape {shape}: {error}") from error
    if array is None:
        raise BadRequest(f"{what}: data must hold values of {datatype}; it holds others")
    try:
        return array.reshape(shape)
    except ValueError as error:
        raise BadRequest(
            f"{what}: shape {shape} needs {math.prod(shape)} values of {datatype}; data holds {array.size}, "
            f"of shape {list(array.shape)}"
        ) from error


def write_data(array: Array) -> bytes:
    """The JSON text of an array's values, flat. NaN is null, as KServe's and MLServer's servers write it: KServe's
    client reads no `NaN`, and all of them read null as one. Infinity is written as Python writes it, since null would
    be another number."""
    text = orjson.dumps(array.ravel().tolist())
    if b"null" not in text or not np.isinf(array).any():
        return text
    import json

    return json.dumps(array.ravel().tolist(), separators=(",", ":")).replace("NaN", "null").encode()


def _numbers(data: Any, dtype: np.dtype[Any]) -> Array | None:
    if dtype.kind == "f":
        return _floats(data, dtype)
    array = np.array(data)
    if array.dtype == dtype or not array.size:
        return array.astype(dtype, copy=False)
    if array.dtype.kind not in "biuf" or (array.dtype.kind == "f" and _lost_digits(array)):
        return _by_object(data, dtype)
    return _same_values(array, dtype)


def _floats(data: Any, dtype: np.dtype[Any]) -> Array:
    """Numbers, null for NaN as orjson writes it, and the words `NaN` and `Infinity`. What is too large for the
    datatype is infinite, as numpy has it; numpy's warning of it is not worth 0.5 us of every request to keep quiet."""
    try:
        return np.array(data, dtype=dtype)
    except RuntimeWarning:
        with np.errstate(over="ignore"):
            return np.array(data, dtype=dtype)


@np.errstate(invalid="ignore", over="ignore")
def _same_values(array: Array, dtype: np.dtype[Any]) -> Array | None:
    """The array as another dtype if every value is the same there (1.0 is an integer, 1.5 and 300 of UINT8 are not)."""
    cast = array.astype(dtype)
    same = cast.astype(array.dtype) == array
    if array.dtype.kind == "i" and dtype.kind == "u":
        same &= array >= 0
    return cast if same.all() else None


def _lost_digits(array: Array) -> bool:
    """Whether numbers were too large for floats to tell whole ones apart: numpy makes floats of integers that no one
    integer dtype can hold."""
    return bool(np.abs(array).max() >= 2.0**53)


def _by_object(data: Any, dtype: np.dtype[Any]) -> Array | None:
    array = np.array(data, dtype=object)
    if dtype.kind == "b" or not all(type(value) is int for value in array.reshape(-1)):
        return None
    return array.astype(dtype)


def _text(data: Any, what: str) -> Array:
    """BYTES in JSON are strings; a lone one need not be in a list."""
    flat: list[Any] = []
    shape = _flatten(data if type(data) is list else [data], flat)
    array = np.empty(len(flat), dtype=np.object_)
    for index, value in enumerate(flat):
        if type(value) is not str:
            raise BadRequest(f"{what}: data of BYTES must be strings; value {index} is {_shown(value)}")
        array[index] = value.encode()
    return array.reshape(shape)


def _flatten(values: list[Any], flat: list[Any], depth: int = 1) -> list[int]:
    if depth > _MOST_DIMENSIONS:
        raise ValueError(f"nested deeper than {_MOST_DIMENSIONS}")
    if not values or type(values[0]) is not list:
        flat += values
        return [len(values)]
    inner = [_flatten(value if type(value) is list else [value], flat, depth + 1) for value in values]
    if any(shape != inner[0] for shape in inner):
        raise ValueError("its rows differ in length")
    return [len(values), *inner[0]]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
