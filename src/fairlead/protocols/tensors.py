"""Named tensors: what the Open Inference Protocol, TensorFlow's and KServe's protocols have in common.

A codec makes `Tensor` values once and a model takes them as they are; units of Seldon's convention, which know one
array, get theirs from `as_array_payload`. No wire format in sight: JSON, binary and protobuf codecs all end here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import orjson

from fairlead.errors import BadRequest
from fairlead.protocols.message import Form, Payload

Array = np.ndarray[Any, Any]

BYTES = "BYTES"
DEFAULT_INPUT = "input-0"
DEFAULT_OUTPUT = "output-0"

DTYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    BYTES: np.dtype(np.object_),
}
"""Datatypes of the Open Inference Protocol. An array of BYTES holds `bytes` objects."""
_DATATYPES = {dtype: name for name, dtype in DTYPES.items()}


class Tensor(msgspec.Struct):
    """One named array. `datatype` is a key of `DTYPES` and agrees with `array.dtype`; `parameters` are the tensor's
    own, as JSON values."""

    name: str
    array: Array
    datatype: str
    parameters: dict[str, Any] = {}


MLSERVERS_ARRAY = {"content_type": "np"}
"""The parameters of arrays in MLServer's answers, by which its clients decode them."""


def tensor(name: str, array: Array, parameters: dict[str, Any] | None = None) -> Tensor:
    """A tensor of any array that has a datatype: text becomes BYTES. Raises `BadRequest` for other kinds."""
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    datatype = _DATATYPES.get(array.dtype)
    if datatype is None or datatype == BYTES:
        array, datatype = _as_bytes(name, array)
    return Tensor(name, array, datatype, {} if parameters is None else parameters)


def as_tensors(payload: Payload, *, name: str) -> list[Tensor]:
    """Any payload as tensors; what has no name of its own gets `name`. Raises `BadRequest` for what cannot be one."""
    value = payload.value
    if payload.form is Form.TENSORS:
        return value  # type: ignore[no-any-return]  # the form says so
    if isinstance(value, np.ndarray):
        return [tensor(name, value)]
    if isinstance(value, bytes):
        return [_single(name, value, {"content_type": "base64"})]
    if isinstance(value, str):
        return [_single(name, value.encode(), {"content_type": "str"})]
    if payload.form is Form.JSON:
        return [_single(name, orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), {"content_type": "json"})]
    raise BadRequest(f"a message of the form {payload.form.value!r} cannot be written as tensors")


def as_array_payload(payload: Payload, *, is_table: bool = False) -> Payload:
    """The payload as one array, for units that know one: a lone tensor is that array; several of one value per row are
    its columns, by name. `is_table` says that the sender means columns even when there is but one (`content_type: pd`).
    Raises `BadRequest` for tensors that make no table; other payloads come back as they are."""
    if payload.form is not Form.TENSORS:
        return payload
    tensors: Sequence[Tensor] = payload.value
    if len(tensors) == 1 and not (is_table and _is_column(tensors[0].array)):
        return Payload(Form.NDARRAY, _plain(tensors[0]))
    rows = {len(one.array) for one in tensors if one.array.ndim == 1 or one.array.shape[1:] == (1,)}
    flat = all(_is_column(one.array) for one in tensors)
    if not tensors or not flat or len(rows) != 1:
        shapes = ", ".join(f"{one.name!r} {list(one.array.shape)}" for one in tensors)
        raise BadRequest(
            f"this model takes one array; the tensors {shapes or '(none)'} do not make one: send one tensor, or one "
            "tensor per column, each of shape [n] or [n, 1]"
        )
    columns = [_plain(one).reshape(-1) for one in tensors]
    kinds = {column.dtype.kind for column in columns}
    dtype = np.dtype(object) if "U" in kinds and len(kinds) > 1 else np.result_type(*columns)
    return Payload(
        Form.NDARRAY, np.column_stack([column.astype(dtype) for column in columns]), [one.name for one in tensors]
    )


def _is_column(array: Array) -> bool:
    return array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)


def _plain(one: Tensor) -> Array:
    """The array a unit of code gets: BYTES that are all text are text, and values where their sender says JSON."""
    if one.datatype != BYTES:
        return one.array
    if one.parameters.get("content_type") == "pd_json":
        return _json_values(one)
    try:
        texts = [value.decode() if isinstance(value, bytes) else str(value) for value in one.array.reshape(-1)]
    except UnicodeDecodeError:
        return one.array
    return np.array(texts, dtype=np.str_ if texts else np.object_).reshape(one.array.shape)


def _json_values(one: Tensor) -> Array:
    """A column of a data frame whose cells are JSON texts (MLServer's `pd_json`)."""
    values = np.empty(one.array.size, dtype=np.object_)
    try:
        for index, value in enumerate(one.array.reshape(-1)):
            values[index] = orjson.loads(value)  # one by one: numpy would spread a list over the cells
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"tensor {one.name!r}: its content_type is pd_json and its data is not: {error}") from error
    return values.reshape(one.array.shape)


def _as_bytes(name: str, array: Array) -> tuple[Array, str]:
    if array.dtype.kind == "f":  # long double
        return array.astype(np.float64), "FP64"
    if array.dtype.kind not in "OUS":
        raise BadRequest(f"tensor {name!r}: no datatype for arrays of {array.dtype}")
    encoded = np.empty(array.shape, dtype=np.object_)
    flat = encoded.reshape(-1)
    for index, value in enumerate(array.reshape(-1).tolist()):
        flat[index] = value if isinstance(value, bytes) else _text(value)
    return encoded, BYTES


def _text(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def _single(name: str, value: bytes, parameters: dict[str, Any]) -> Tensor:
    array = np.empty(1, dtype=np.object_)
    array[0] = value
    return Tensor(name, array, BYTES, parameters)
