"""`google.protobuf.Value` and `ListValue` to JSON values and arrays, and back.

Seldon's `ndarray` is a list of lists of values: eleven bytes around every number, read one object at a time by
protobuf's classes. A table of numbers is as regular on the wire as in memory, so numpy reads and writes those bytes as
a table of their own. Measured for 250 rows of four: 15 us against 430 us to read. Anything irregular goes the long way.
"""

from typing import Any

import numpy as np

from fairlead.errors import UnitFailed
from fairlead.protocols.protobuf_fields import double, nested, varint

Array = np.ndarray[Any, Any]

_NUMBER = np.frombuffer(b"\x0a\x09\x11", dtype=np.uint8)
"""An item of a ListValue that is a Value of nine bytes: a number."""
_EXPECTED = (b"\x0a", b"\x09", b"\x11")
_ITEM = np.dtype([("head", "V3"), ("number", "<f8")])
_CELL = _ITEM.itemsize
_NULL, _FALSE, _TRUE = b"\x08\x00", b"\x20\x00", b"\x20\x01"


def read_value(value: Any) -> Any:
    """A Value as the JSON value it stands for; numbers are floats."""
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return read_struct(value.struct_value)
    if kind == "list_value":
        return read_list(value.list_value)
    return None if kind in (None, "null_value") else getattr(value, kind)


def read_struct(struct: Any) -> dict[str, Any]:
    """A Struct, or any map of Values."""
    fields = struct.fields if hasattr(struct, "fields") else struct
    return {key: read_value(item) for key, item in fields.items()}


def read_list(listed: Any) -> list[Any]:
    """A ListValue."""
    return [read_value(item) for item in listed.values]


def read_array(listed: Any) -> Array:
    """A ListValue as numpy reads the list it stands for. Raises `ValueError` for a ragged one."""
    table = _read_table(listed.SerializeToString())
    return np.array(read_list(listed)) if table is None else table


def write_value(value: Any) -> bytes:
    """The bytes of a Value. Raises `UnitFailed` for what JSON cannot hold."""
    if value is None:
        return _NULL
    if isinstance(value, str):
        return nested(b"\x1a", value.encode("utf-8", "replace"))
    if isinstance(value, bool | np.bool_):
        return _TRUE if value else _FALSE
    if isinstance(value, int | float | np.integer | np.floating):
        return _write_number(value)
    if isinstance(value, dict):
        return nested(b"\x2a", write_fields(value))
    if isinstance(value, list | tuple):
        return nested(b"\x32", write_list(value))
    if isinstance(value, np.ndarray):
        return nested(b"\x32", write_array(value)) if value.ndim else write_value(value.item())
    if isinstance(value, bytes):
        return nested(b"\x1a", value.decode("utf-8", "replace").encode())
    raise UnitFailed(f"{type(value).__name__} cannot be written as a JSON value")


def write_fields(values: dict[Any, Any], start: bytes = b"\x0a") -> bytes:
    """The entries of a Struct, or of a map of Values under another tag."""
    parts = []
    for key, value in values.items():
        name = str(key).encode("utf-8", "replace")
        parts.append(nested(start, nested(b"\x0a", name) + nested(b"\x12", write_value(value))))
    return b"".join(parts)


def write_list(values: list[Any] | tuple[Any, ...]) -> bytes:
    """The bytes of a ListValue."""
    return b"".join([nested(b"\x0a", write_value(value)) for value in values])


def write_array(array: Array) -> bytes:
    """The bytes of a ListValue of an array with at least one dimension."""
    if array.dtype.kind not in "iuf" or array.ndim > 2 or not array.size:
        return write_list(array.tolist())
    if array.ndim == 1:
        return _cells(array.reshape(1, -1)).tobytes()
    cells = _cells(array)
    width = cells.shape[1]
    inner = b"\x32" + varint(width)
    head = b"\x0a" + varint(len(inner) + width) + inner
    rows = np.empty((len(array), len(head) + width), dtype=np.uint8)
    rows[:, : len(head)] = np.frombuffer(head, dtype=np.uint8)
    rows[:, len(head) :] = cells
    return rows.tobytes()


def _write_number(value: Any) -> bytes:
    try:
        return double(b"\x11", float(value))
    except OverflowError as error:
        raise UnitFailed("a whole number is too large for a protobuf Value, whose numbers have 64 bits") from error


def _cells(array: Array) -> Array:
    """The bytes of each row's items."""
    count, width = array.shape
    cells = np.empty((count, width, _CELL), dtype=np.uint8)
    cells[:, :, :3] = _NUMBER
    cells[:, :, 3:] = np.ascontiguousarray(array, dtype="<f8").view(np.uint8).reshape(count, width, 8)
    return cells.reshape(count, width * _CELL)


def _read_table(data: bytes) -> Array | None:
    """The numbers in a ListValue of numbers, or of equally long ListValues of numbers; `None` for any other."""
    if len(data) < _CELL or data[0] != 0x0A:
        return None
    if data[1:3] == b"\x09\x11":
        numbers = _numbers(data, rows=1, head=b"")
        return None if numbers is None else numbers[0]
    size, start = _length(data, 1)
    if data[start : start + 1] != b"\x32":
        return None
    inner, first = _length(data, start + 1)
    width = start + size
    if inner == 0 or inner % _CELL or first + inner != width or len(data) % width:
        return None
    return _numbers(data, rows=len(data) // width, head=data[:first])


def _numbers(data: bytes, *, rows: int, head: bytes) -> Array | None:
    width = len(data) // rows - len(head)
    if width % _CELL or len(data) % rows:
        return None
    if rows == 1:
        return _one_row(data, len(head), width // _CELL)
    table = np.frombuffer(data, dtype=np.uint8).reshape(rows, -1)
    if head and not (table[:, : len(head)] == np.frombuffer(head, dtype=np.uint8)).all():
        return None
    cells = table[:, len(head) :].reshape(rows, -1, _CELL)
    if not (cells[:, :, :3] == _NUMBER).all():
        return None
    return np.ascontiguousarray(cells[:, :, 3:]).view("<f8").reshape(rows, -1)


def _one_row(data: bytes, start: int, count: int) -> Array | None:
    """As the general way, for what most requests are: 3.0 us against 6.5 us."""
    for offset, expected in enumerate(_EXPECTED):
        if data[start + offset :: _CELL] != expected * count:
            return None
    return np.frombuffer(data, dtype=_ITEM, offset=start)["number"].astype(np.float64).reshape(1, -1)


def _length(data: bytes, position: int) -> tuple[int, int]:
    """A varint of lengths that protobuf itself wrote, and where it ends."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, position
