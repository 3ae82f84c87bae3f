"""TensorFlow's `TensorProto` in its JSON form, to and from arrays, without TensorFlow.

Field meanings are those of tensorflow/core/framework/tensor.proto and types.proto. Numbers are read from
`tensorContent` or from the typed list of the dtype, whose last value fills what is missing, as TensorFlow does.
"""

import base64
import binascii
import math
from typing import Any, NamedTuple

import numpy as np

from fairlead.errors import BadRequest

Array = np.ndarray[Any, Any]

# A short list may stand for a large tensor; nobody may ask for more than this much memory with a few bytes.
MOST_FILLED_BYTES = 256 * 1024 * 1024


class Kind(NamedTuple):
    """One of TensorFlow's dtypes: its name and number, numpy's word for it, and the member that lists its values."""

    name: str
    number: int
    dtype: np.dtype[Any]
    values: str

    @property
    def field(self) -> str:
        """The protobuf field of that member."""
        return self.values.replace("Val", "_val")


_KINDS = tuple(
    Kind(f"DT_{name}", number, np.dtype(dtype), values)
    for name, number, dtype, values in (
        ("FLOAT", 1, "<f4", "floatVal"),
        ("DOUBLE", 2, "<f8", "doubleVal"),
        ("INT32", 3, "<i4", "intVal"),
        ("UINT8", 4, "u1", "intVal"),
        ("INT16", 5, "<i2", "intVal"),
        ("INT8", 6, "i1", "intVal"),
        ("STRING", 7, "O", "stringVal"),
        ("COMPLEX64", 8, "<c8", "scomplexVal"),
        ("INT64", 9, "<i8", "int64Val"),
        ("BOOL", 10, "?", "boolVal"),
        ("UINT16", 17, "<u2", "intVal"),
        ("COMPLEX128", 18, "<c16", "dcomplexVal"),
        ("HALF", 19, "<f2", "halfVal"),
        ("UINT32", 22, "<u4", "uint32Val"),
        ("UINT64", 23, "<u8", "uint64Val"),
    )
)
BY_WORD: dict[Any, Kind] = {word: kind for kind in _KINDS for word in (kind.name, kind.number)}
BY_DTYPE = {kind.dtype: kind for kind in _KINDS}
_SNAKE = {"tensorShape": "tensor_shape", "tensorContent": "tensor_content"} | {
    kind.values: kind.field for kind in _KINDS
}


def decode(proto: Any) -> Array:
    """The array in a JSON TensorProto; `BadRequest` says what cannot be read."""
    if not isinstance(proto, dict):
        raise BadRequest("data.tftensor: expected an object with dtype, tensorShape and values")
    kind = BY_WORD.get(proto.get("dtype", 0))
    if kind is None:
        known = ", ".join(kind.name for kind in _KINDS)
        raise BadRequest(f"data.tftensor.dtype: {proto.get('dtype')!r} cannot be read; expected one of {known}")
    try:
        shape = _shape(_field(proto, "tensorShape"))
        content = _field(proto, "tensorContent")
        if content:
            return _from_content(content, kind, shape)
        return _filled(_listed(_field(proto, kind.values) or [], kind), kind, shape)
    except BadRequest:
        raise
    except (ValueError, TypeError, OverflowError, AttributeError, binascii.Error) as error:
        raise BadRequest(f"data.tftensor: {error}") from error


def encode(array: Array) -> dict[str, Any]:
    """A JSON TensorProto of a numeric array: raw content, or a typed list for a single value, as
    `tf.make_tensor_proto` writes them."""
    kind = BY_DTYPE.get(array.dtype.newbyteorder("<")) or BY_WORD["DT_DOUBLE"]
    array = array.astype(kind.dtype, copy=False)
    proto: dict[str, Any] = {
        "dtype": kind.name,
        "tensorShape": {"dim": [{"size": str(size)} for size in array.shape]} if array.shape else {},
    }
    if array.size > 1:
        proto["tensorContent"] = base64.b64encode(array.tobytes()).decode()
    elif array.size:
        proto[kind.values] = _typed(array, kind)
    return proto


def _typed(array: Array, kind: Kind) -> list[Any]:
    if kind.name == "DT_HALF":
        return list(array.reshape(-1).view("<u2").tolist())
    if kind.values in ("scomplexVal", "dcomplexVal"):
        return [part for value in array.reshape(-1).tolist() for part in (value.real, value.imag)]
    # Protobuf JSON writes 64-bit integers as strings.
    values = array.reshape(-1).tolist()
    return [str(value) for value in values] if kind.values in ("int64Val", "uint64Val") else list(values)


def _field(proto: dict[str, Any], name: str) -> Any:
    return proto[name] if name in proto else proto.get(_SNAKE[name])


def _shape(shape: Any) -> tuple[int, ...]:
    dims = (shape or {}).get("dim") or []
    sizes = tuple(int(dim.get("size", 0)) for dim in dims)
    if any(size < 0 for size in sizes):
        raise BadRequest(f"data.tftensor.tensorShape: sizes must not be negative, got {list(sizes)}")
    return sizes


def _from_content(content: str, kind: Kind, shape: tuple[int, ...]) -> Array:
    if kind.name == "DT_STRING":
        raise BadRequest("data.tftensor: DT_STRING has its values in stringVal, not in tensorContent")
    raw = base64.b64decode(content.replace("-", "+").replace("_", "/"))
    return np.frombuffer(raw, dtype=kind.dtype).reshape(shape).copy()


def _listed(values: list[Any], kind: Kind) -> Array:
    if kind.name == "DT_STRING":
        listed = np.empty(len(values), dtype=object)
        listed[:] = [base64.b64decode(value) for value in values]
        return listed
    if kind.name == "DT_HALF":
        return np.array(values, dtype="<u2").view("<f2")
    if kind.values in ("scomplexVal", "dcomplexVal"):
        # Real and imaginary parts alternate. Adding them up would make a NaN of an infinity.
        parts = np.array([float(value) for value in values], dtype=kind.dtype.type(0).real.dtype)
        return parts.view(kind.dtype)
    if kind.dtype.kind == "f":
        return np.array([float(value) for value in values], dtype=kind.dtype)
    if kind.dtype.kind == "b":
        return np.array(values, dtype=kind.dtype)
    return np.array([int(value) for value in values], dtype=kind.dtype)


def _filled(values: Array, kind: Kind, shape: tuple[int, ...]) -> Array:
    size = math.prod(shape)
    if len(values) == size:
        return values.reshape(shape)
    if len(values) > size:
        raise BadRequest(f"data.tftensor: {len(values)} values for a shape of {size}")
    if size * kind.dtype.itemsize > MOST_FILLED_BYTES:
        raise BadRequest(f"data.tftensor: {len(values)} values cannot stand for {size}; send them all")
    last = values[-1] if len(values) else (b"" if kind.name == "DT_STRING" else 0)
    filled = np.full(size, last, dtype=kind.dtype)
    filled[: len(values)] = values
    return filled.reshape(shape)
