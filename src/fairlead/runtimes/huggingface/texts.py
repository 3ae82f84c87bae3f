"""Texts in messages, and JSON values as tensors of BYTES."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from fairlead.errors import BadRequest
from fairlead.protocols.tensors import BYTES, Tensor


def texts_of(one: Tensor) -> list[str]:
    """The texts of a tensor of BYTES. Raises `BadRequest`."""
    if one.datatype != BYTES:
        raise BadRequest(f"input {one.name!r}: expected BYTES with text, got {one.datatype} {list(one.array.shape)}")
    try:
        return [value.decode() if isinstance(value, bytes) else str(value) for value in one.array.reshape(-1)]
    except UnicodeDecodeError as error:
        raise BadRequest(f"input {one.name!r}: not UTF-8 text: {error.reason}") from error


def listed_texts(value: Any) -> list[str]:
    """The texts of an array, a list or one text. Raises `BadRequest` for other values in them."""
    values = [value] if isinstance(value, str) else np.asarray(value, dtype=np.object_).reshape(-1).tolist()
    wrong = next((one for one in values if not isinstance(one, str)), None)
    if wrong is not None:
        raise BadRequest(f"this model takes text; the request has {wrong!r}")
    return [str(one) for one in values]


def json_bytes(name: str, values: Sequence[Any], *, shape: tuple[int, ...], content_type: str = "") -> Tensor:
    """A tensor with one JSON value in each element."""
    array = np.empty(len(values), dtype=np.object_)
    for index, value in enumerate(values):
        array[index] = orjson.dumps(value, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    parameters = {"content_type": content_type} if content_type else {}
    return Tensor(name, array.reshape(shape), BYTES, parameters)


def _plain(value: Any) -> Any:
    """A tensor or number of a library."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(type(value).__name__)
