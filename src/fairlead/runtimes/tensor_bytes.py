"""BYTES in binary: each element behind its length in four bytes, little-endian. Stand-ins offer it under several names;
requests and answers are the codecs' business."""

import struct
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_LENGTH = struct.Struct("<I")


def serialized(array: Array) -> bytes:
    """The elements in row-major order; text is UTF-8."""
    pieces: list[bytes] = []
    for value in array.reshape(-1).tolist():
        data = value if isinstance(value, bytes) else str(value).encode()
        pieces += (_LENGTH.pack(len(data)), data)
    return b"".join(pieces)


def deserialized(data: bytes) -> Array:
    """A flat array of `bytes`. Raises `ValueError` for data that ends inside an element."""
    values = []
    at = 0
    while at < len(data):
        if at + _LENGTH.size > len(data):
            raise ValueError(f"BYTES in binary: {len(data) - at} bytes left, a length has {_LENGTH.size}")
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            raise ValueError(f"BYTES in binary: an element of {length} bytes, {len(data) - at} are left")
        values.append(data[at : at + length])
        at += length
    array = np.empty(len(values), dtype=np.object_)
    array[:] = values
    return array
