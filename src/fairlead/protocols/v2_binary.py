"""The values of one tensor as raw bytes: little-endian and row-major, BYTES with a 4-byte length before each element.

The binary extension of the Open Inference Protocol over REST and the raw contents of its gRPC service are the
same.
"""

import math
import struct
from collections.abc import Iterable

import numpy as np

from fairlead.errors import BadRequest
from fairlead.protocols.tensors import BYTES, DTYPES, Array

_LENGTH = struct.Struct("<I")


def read_raw(data: bytes | memoryview, datatype: str, shape: list[int], what: str) -> Array:
    """The array in some bytes, as a copy that may be written to. `datatype` and `shape` are checked already; `what`
    names the tensor in errors. Raises `BadRequest` when the bytes are too few or too many."""
    count = math.prod(shape)
    if datatype == BYTES:
        elements = read_elements(bytes(data), what)
        if len(elements) != count:
            raise BadRequest(f"{what}: its shape needs {count} elements of BYTES, got {len(elements)}")
        return elements.reshape(shape)
    dtype = DTYPES[datatype]
    if len(data) != count * dtype.itemsize:
        raise BadRequest(
            f"{what}: shape {shape} of {datatype} needs {count * dtype.itemsize} bytes, got {len(data)} bytes"
        )
    if dtype.kind == "b":
        array: Array = np.frombuffer(data, dtype=np.uint8) != 0
        return array.reshape(shape)
    try:
        return np.frombuffer(data, dtype=dtype).reshape(shape).copy()
    except ValueError as error:  # a shape with more elements than can be counted
        raise BadRequest(f"{what}: shape {shape}: {error}") from error


def write_raw(array: Array, datatype: str) -> bytes:
    """The bytes of an array."""
    if datatype == BYTES:
        return write_elements(array.reshape(-1).tolist())
    return array.tobytes()


def write_elements(values: Iterable[bytes]) -> bytes:
    """Elements of BYTES one after the other."""
    return b"".join([_LENGTH.pack(len(value)) + value for value in values])


def read_elements(data: bytes, what: str) -> Array:
    """All elements of BYTES in some bytes, as a flat array. Raises `BadRequest` for bytes that end inside one."""
    values: list[bytes] = []
    place = 0
    while place < len(data):
        if place + 4 > len(data):
            raise BadRequest(f"{what}: element {len(values)} of BYTES has no 4-byte length")
        (length,) = _LENGTH.unpack_from(data, place)
        place += 4
        if place + length > len(data):
            left = len(data) - place
            raise BadRequest(f"{what}: element {len(values)} of BYTES has {length} bytes, only {left} are left")
        values.append(data[place : place + length])
        place += length
    array = np.empty(len(values), dtype=np.object_)
    array[:] = values
    return array
