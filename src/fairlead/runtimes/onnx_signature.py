"""What an ONNX file says of its inputs and outputs, read from its protobuf fields without loading the model.

Only the fields that are needed are looked at (onnx.proto, IR version 10); weights are stepped over where they lie.
"""

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_GRAPH, _INITIALIZER, _INPUT, _OUTPUT, _TENSOR_NAME = 7, 5, 11, 12, 8
_NAME, _TYPE, _TENSOR_TYPE, _ELEMENT, _SHAPE, _DIMENSION, _SIZE = 1, 2, 1, 1, 2, 1, 1
# TensorProto.DataType
_DATATYPES = {
    1: "FP32", 2: "UINT8", 3: "INT8", 4: "UINT16", 5: "INT16", 6: "INT32", 7: "INT64", 8: "BYTES", 9: "BOOL",
    10: "FP16", 11: "FP64", 12: "UINT32", 13: "UINT64",
}  # fmt: skip

Spec = Mapping[str, Any]


def read_signature(path: Path) -> tuple[list[Spec], list[Spec]]:
    """Inputs and outputs with name, datatype and shape (-1 for any). Raises ValueError for what is no ONNX file."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        graph = next(_within(content, 0, len(content), _GRAPH), None)
        if graph is None:
            raise ValueError("there is no graph in the file")
        start, end = graph
        weights = {_name(content, *span, _TENSOR_NAME) for span in _within(content, start, end, _INITIALIZER)}
        inputs = [_spec(content, *span) for span in _within(content, start, end, _INPUT)]
        outputs = [_spec(content, *span) for span in _within(content, start, end, _OUTPUT)]
        # Old files list their weights among the inputs too.
        return [spec for spec in inputs if spec["name"] not in weights], outputs


def _spec(content: mmap.mmap, start: int, end: int) -> Spec:
    name = _name(content, start, end, _NAME)
    for type_span in _within(content, start, end, _TYPE):
        for tensor in _within(content, *type_span, _TENSOR_TYPE):
            element = next(_numbers(content, *tensor, _ELEMENT), 0)
            shape = [
                next(_numbers(content, *dimension, _SIZE), -1) or -1
                for span in _within(content, *tensor, _SHAPE)
                for dimension in _within(content, *span, _DIMENSION)
            ]
            return {"name": name, "datatype": _DATATYPES.get(element, "BYTES"), "shape": shape}
    return {"name": name, "datatype": "BYTES", "shape": []}


def _name(content: mmap.mmap, start: int, end: int, number: int) -> str:
    first, last = next(_within(content, start, end, number), (0, 0))
    return content[first:last].decode()


def _within(content: mmap.mmap, start: int, end: int, number: int) -> Iterator[tuple[int, int]]:
    """Where the messages and texts of a field lie."""
    return (
        (first, last) for found, kind, first, last in _fields(content, start, end) if (found, kind) == (number, _BYTES)
    )


def _numbers(content: mmap.mmap, start: int, end: int, number: int) -> Iterator[int]:
    return (value for found, kind, value, _ in _fields(content, start, end) if (found, kind) == (number, _VARINT))


def _fields(content: mmap.mmap, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Number and wire type of each field, and its value, or where it begins and ends."""
    while at < end:
        tag, at = _varint(content, at, end)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _varint(content, at, end)
            yield number, kind, value, 0
            continue
        size, at = _varint(content, at, end) if kind == _BYTES else (_fixed(kind), at)
        if at + size > end:
            raise ValueError("the file ends within a field")
        yield number, kind, at, at + size
        at += size


def _fixed(kind: int) -> int:
    if kind not in (_FIXED32, _FIXED64):
        raise ValueError("not a protobuf file")
    return 4 if kind == _FIXED32 else 8


def _varint(content: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("not a protobuf file")
