"""V2 requests of the usual sort: one tensor of numbers, an id, and whether the answer is wanted in binary.

Everything else is `None` here and goes the plain way, which knows all there is to know and says what is wrong.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import orjson

from fairlead.errors import FairleadError
from fairlead.protocols.tensors import DTYPES, Array
from fairlead.protocols.v2_data import checked_shape, read_data

_NUMBERS = {name: dtype for name, dtype in DTYPES.items() if dtype.kind in "iuf" and name != "FP16"}
_MEMBERS = frozenset(("inputs", "id", "parameters", "outputs"))
_NO_WISHES = ("", False)
_NOTHING: tuple[dict[str, Any], None] = ({}, None)
_BINARY_ANSWER = {"binary_data_output": True}

Asking = tuple[Array, str, bool]
"""What a request of the usual sort holds: rows, an id (empty for none), and whether it wants its answer in binary."""


class Layout(NamedTuple):
    """What the JSON of a binary request says."""

    dtype: np.dtype[Any]
    shape: list[int]
    size: int
    id: str
    is_binary: bool


def read_json(body: bytes, output_name: str) -> Asking | None:
    """A body that holds one tensor of numbers and nothing to think about, else `None`."""
    item, wishes = _parsed(body, output_name)
    if wishes is None or item.get("parameters") or "data" not in item:
        return None
    datatype, shape = item.get("datatype"), item.get("shape")
    if type(datatype) is not str or datatype not in _NUMBERS or type(shape) is not list or len(shape) < 2:
        return None
    try:
        rows = read_data(item["data"], datatype, checked_shape(shape, ""), "")
    except FairleadError:  # the plain way says what is wrong
        return None
    return (rows, *wishes) if len(rows) else None


def read_layout(text: bytes, output_name: str) -> Layout | None:
    """What the JSON of a body with one binary tensor of numbers says, `None` for any other."""
    item, wishes = _parsed(text, output_name)
    parameters = item.get("parameters")
    if wishes is None or type(parameters) is not dict or len(parameters) != 1:
        return None
    datatype, shape, size = item.get("datatype"), item.get("shape"), parameters.get("binary_data_size")
    if type(datatype) is not str or datatype not in _NUMBERS or type(shape) is not list or len(shape) < 2:
        return None
    try:
        count = math.prod(checked_shape(shape, ""))
    except FairleadError:
        return None
    dtype = _NUMBERS[datatype]
    if not count or type(size) is not int or size != count * dtype.itemsize:
        return None
    return Layout(dtype, shape, size, *wishes)


def _parsed(text: bytes, output_name: str) -> tuple[dict[str, Any], tuple[str, bool] | None]:
    """The one input of a request and what else it says (its id, and whether the answer is wanted in binary); no wishes
    for a request that is to go the plain way."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _NOTHING
    inputs = value.get("inputs") if type(value) is dict else None
    if type(inputs) is not list or len(inputs) != 1:
        return _NOTHING
    item = inputs[0]
    if type(item) is not dict or type(item.get("name")) is not str:
        return _NOTHING
    return item, _NO_WISHES if len(value) == 1 else _wishes(value, output_name)


def _wishes(value: dict[str, Any], output_name: str) -> tuple[str, bool] | None:
    if not _MEMBERS.issuperset(value):
        return None
    identity, parameters, outputs = value.get("id", ""), value.get("parameters"), value.get("outputs")
    if type(identity) is not str:
        return None
    if not parameters:
        is_binary = _wish(outputs, output_name) if outputs else False
        return None if is_binary is None else (identity, is_binary)
    if outputs or parameters != _BINARY_ANSWER or parameters["binary_data_output"] is not True:
        return None
    return identity, True


def _wish(outputs: Any, output_name: str) -> bool | None:
    """Whether the one output there is is wanted in binary; `None` for any other wish."""
    if type(outputs) is not list or len(outputs) != 1 or type(outputs[0]) is not dict:
        return None
    wanted = outputs[0]
    if wanted.get("name") != output_name:
        return None
    parameters = wanted.get("parameters")
    if not parameters:
        return False
    if type(parameters) is not dict or len(parameters) != 1:
        return None
    asked = parameters.get("binary_data")
    return asked if type(asked) is bool else None
