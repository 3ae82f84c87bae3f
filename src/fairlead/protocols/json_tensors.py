"""Arrays in JSON without a datatype: nested lists of numbers, words or `{"b64": …}`, as KServe's V1 and TensorFlow
Serving's REST protocols have them.

What numpy would bend into shape (a number among words, rows of two lengths) is no array here: the caller decides
whether that is an error or a value for code that works on JSON.
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fairlead.errors import BadRequest
from fairlead.protocols import jsontext
from fairlead.protocols.message import Form, Payload
from fairlead.protocols.tensors import Array, Tensor, tensor

_B64 = "b64"


def with_bytes(value: Any) -> Any:
    """The value with every `{"b64": …}` in it as bytes. Raises `BadRequest` for text that is not base64."""
    try:
        return _decoded(value)
    except RecursionError as error:
        raise BadRequest("the request is nested too deeply") from error


def without_bytes(value: Any) -> Any:
    """The opposite of `with_bytes`: bytes anywhere in a value are text where they can be, else `{"b64": …}`."""
    if isinstance(value, bytes):
        return _written(value, as_base64=False)
    if isinstance(value, np.ndarray):
        return without_bytes(value.tolist())
    if isinstance(value, dict):
        return {key: without_bytes(item) for key, item in value.items()}
    return [without_bytes(item) for item in value] if isinstance(value, list | tuple) else value


def array_of(value: Any) -> Array | None:
    """The array that nested lists make; `None` when they make none. Text is an array of `str`, bytes are an array of
    objects, because numpy's own kind drops zeros at their ends."""
    try:
        array = np.array(value)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None
    kind = array.dtype.kind
    if kind in "iufb":
        return array
    if kind == "U" and _all_of(value, _is_text):
        return array
    if kind in "US" and _all_of(value, lambda item: isinstance(item, bytes) or _is_text(item)):
        return _objects(value, array.shape)
    return None


def columns_of(rows: Any) -> list[Tensor] | None:
    """The tensors in a list of objects of the same keys, one for each key; `None` when it is none or a key's values
    make no array."""
    if not isinstance(rows, list) or not rows or not isinstance(rows[0], dict) or not rows[0]:
        return None
    keys = rows[0].keys()
    if not all(isinstance(row, dict) and row.keys() == keys for row in rows):
        return None
    tensors = []
    for key in keys:
        array = array_of([row[key] for row in rows])
        if array is None:
            return None
        tensors.append(tensor(key, array))
    return tensors


def values_of(array: Array, *, as_base64: bool = False) -> Any:
    """What stands for an array in JSON. Bytes are text where they can be and `as_base64` does not forbid it, else
    `{"b64": …}`."""
    if array.dtype.kind in "iufb":
        return array
    flat = np.empty(array.size, dtype=np.object_)
    for index, item in enumerate(array.reshape(-1).tolist()):
        flat[index] = _written(item, as_base64) if isinstance(item, bytes) else item
    return flat.reshape(array.shape).tolist()


def restored(payload: Payload) -> Payload:
    """The payload, or the JSON value it stands for: an object that a method of Seldon's convention gave to somebody
    who asked with tensors."""
    if payload.form is not Form.TENSORS or len(payload.value) != 1:
        return payload
    one: Tensor = payload.value[0]
    if one.array.shape != (1,) or one.parameters.get("content_type") != "json":
        return payload
    try:
        return Payload(Form.JSON, jsontext.loads(one.array[0]))
    except (TypeError, ValueError):
        return payload


def rows_of(values: Mapping[str, Any], counts: Sequence[int]) -> list[dict[str, Any]] | None:
    """An object per row for values by name; `None` when they have not the same number of rows."""
    if len(set(counts)) != 1 or counts[0] < 0:
        return None
    return [{name: value[row] for name, value in values.items()} for row in range(counts[0])]


def row_count(one: Tensor) -> int:
    """How many rows a tensor has; -1 for a single value."""
    return len(one.array) if one.array.ndim else -1


def _decoded(value: Any) -> Any:
    if type(value) is list:
        return [_decoded(item) for item in value]
    if type(value) is dict:
        if len(value) == 1 and _B64 in value:
            return _from_base64(value[_B64])
        return {key: _decoded(item) for key, item in value.items()}
    return value


def _from_base64(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise BadRequest(f'{{"b64": …}} holds no base64 text: {error}') from error


def _written(item: bytes, as_base64: bool) -> Any:
    if not as_base64:
        try:
            return item.decode()
        except UnicodeDecodeError:
            pass
    return {_B64: base64.b64encode(item).decode()}


def _all_of(value: Any, fits: Callable[[Any], bool]) -> bool:
    if isinstance(value, list):
        return all(_all_of(item, fits) for item in value)
    return fits(value)


def _is_text(item: Any) -> bool:
    """Whether it is text that has bytes (half of a surrogate pair has none) and that numpy keeps to its end."""
    if not isinstance(item, str) or item[-1:] == "\0":
        return False
    try:
        return item.isascii() or bool(item.encode())
    except UnicodeEncodeError:
        return False


def _objects(value: Any, shape: tuple[int, ...]) -> Array:
    flat: list[bytes] = []
    _flatten(value, flat)
    array = np.empty(len(flat), dtype=np.object_)
    array[:] = flat
    return array.reshape(shape)


def _flatten(value: Any, into: list[bytes]) -> None:
    if isinstance(value, list):
        for item in value:
            _flatten(item, into)
    else:
        into.append(value.encode() if isinstance(value, str) else value)
