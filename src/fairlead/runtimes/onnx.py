"""ONNX models through onnxruntime: named tensors in and out, as the graph declares them.

The file says everything about its tensors, so nothing has to be configured. Sequences of maps, which converters of
scikit-learn models give as probabilities (ZipMap), become one array with a column per class. Values that no datatype
of the Open Inference Protocol holds (complex numbers, bfloat16, optional values) are refused when the model is loaded.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fairlead.errors import BadRequest, LoadError, UnitFailed
from fairlead.protocols.message import Asked
from fairlead.protocols.tensors import BYTES, DTYPES, Array, Tensor, tensor
from fairlead.runtimes.artifact import find_file, unreadable
from fairlead.runtimes.base import LoadContext, TensorSpec
from fairlead.runtimes.libraries import need
from fairlead.runtimes.parameters import flag, threads_of
from fairlead.runtimes.tensor_checks import chosen, fitted, texts
from fairlead.runtimes.tensor_unit import TensorUnit

_NAMES = ("model.onnx",)
_SUFFIXES = (".onnx",)
_DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": BYTES,
}
_MAPS = {"tensor(float)": "FP32", "tensor(double)": "FP64", "tensor(int64)": "INT64", "tensor(string)": BYTES}


def load(context: LoadContext) -> TensorUnit:
    """Load the graph. `threads` (or `nthread`) says how many threads one call may use; `row_wise` overrides what the
    shapes say of batching."""
    unit = context.unit
    need("onnxruntime", extra="onnx")
    path = find_file(context.folder, names=_NAMES, suffixes=_SUFFIXES, unit=unit.name)
    model = open_model(path, name=unit.name, threads=threads_of(context))
    model.is_row_wise = flag(unit, "row_wise", default=model.is_row_wise)
    return TensorUnit(model, unit, env=context.env)


def open_model(path: Path, *, name: str, threads: int = 1) -> "OnnxModel":
    """The model in a file; `name` is what messages call it. Raises `LoadError`."""
    library = need("onnxruntime", extra="onnx")
    options = library.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is in the error; the rest is no news to whoever serves a model
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if path.stat().st_size == 0:
        raise unreadable(path, ValueError("no content"), what="an ONNX model", unit=name)
    try:
        session = library.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # Its words repeat the path and an error code before they come to the point.
        reason = type(error)(str(error).rpartition(" : ")[2].replace(f"{path}", path.name))
        raise unreadable(path, reason, what="an ONNX model", unit=name) from error
    return OnnxModel(session, path.name, name=name)


class OnnxModel:
    """A session as a `TensorModel`."""

    platform = "onnx_onnxv1"
    version = ""

    def __init__(self, session: Any, file: str, *, name: str) -> None:
        self._session = session
        self._name = name
        self.inputs = tuple(_spec(node, file, unit=name) for node in session.get_inputs())
        self.outputs = tuple(_spec(node, file, unit=name, is_output=True) for node in session.get_outputs())
        self._names = [spec.name for spec in self.outputs]
        self._tables = {
            spec.name: spec.datatype
            for spec, node in zip(self.outputs, session.get_outputs(), strict=True)
            if node.type.startswith("seq(map(")
        }
        self.is_row_wise = _is_row_wise(session)

    def infer(self, tensors: list[Tensor], wanted: list[str], asked: Asked) -> list[Tensor]:
        """The outputs asked for."""
        names = chosen(wanted, self._names, model=asked.model or self._name)
        given = {one.name: texts(one) if one.datatype == BYTES else one.array for one in self._fitted(tensors)}
        try:
            answers = self._session.run(names, given)
        except Exception as error:
            raise _translated(error) from error
        return [self._tensor(name, value) for name, value in zip(names, answers, strict=True)]

    def close(self) -> None:
        """The session ends with the process."""

    def _fitted(self, tensors: list[Tensor]) -> list[Tensor]:
        return [
            Tensor(spec.name, one.array, one.datatype)
            for spec, one in zip(self.inputs, fitted(tensors, self.inputs), strict=True)
        ]

    def _tensor(self, name: str, value: Any) -> Tensor:
        if name in self._tables:
            value = _table(value, self._tables[name])
        elif isinstance(value, list):
            value = _stacked(name, value)
        if value is None:
            raise UnitFailed(f"output {name!r} has no value")
        return tensor(name, np.asarray(value))


def _spec(node: Any, file: str, *, unit: str, is_output: bool = False) -> TensorSpec:
    """What an input or output is. Outputs may be sequences of maps (a table) or of tensors (stacked)."""
    kind: str = node.type
    if is_output and kind.startswith("seq(map("):
        values = kind.removesuffix("))").rpartition(",")[2]
        return TensorSpec(name=node.name, datatype=_MAPS.get(values, "FP32"), shape=(-1, -1))
    is_stacked = is_output and kind.startswith("seq(")
    datatype = _DATATYPES.get(kind[len("seq(") : -1] if is_stacked else kind)
    if datatype is None:
        side = "output" if is_output else "input"
        known = ", ".join(_DATATYPES)
        raise LoadError(f"unit {unit}: {file}: {side} {node.name!r} is {kind}, which cannot be served; known: {known}")
    return TensorSpec(name=node.name, datatype=datatype, shape=() if is_stacked else _shape(node))


def _shape(node: Any) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) and size >= 0 else -1 for size in node.shape)


def _is_row_wise(session: Any) -> bool:
    """Whether any number of rows goes in and the same number comes out, as far as the shapes tell: the first dimension
    is open everywhere, under one name where it has any."""
    first = []
    for node in (*session.get_inputs(), *session.get_outputs()):
        if node.type.startswith("seq(map("):
            continue
        if not node.type.startswith("tensor(") or not node.shape or isinstance(node.shape[0], int):
            return False
        first.append(node.shape[0])
    return bool(session.get_inputs()) and len({name for name in first if name is not None}) <= 1


def _table(rows: Sequence[Mapping[Any, Any]], datatype: str) -> Array:
    """ZipMap's rows as one array: a column per key, in the order of the keys (that of the classifier's classes)."""
    return np.array([list(row.values()) for row in rows], dtype=DTYPES[datatype])


def _stacked(name: str, parts: list[Any]) -> Array:
    try:
        return np.stack(parts) if parts else np.empty(0, dtype=np.float32)
    except ValueError as error:
        shapes = ", ".join(str(list(np.shape(part))) for part in parts[:8])
        raise UnitFailed(f"output {name!r} is a sequence of differently shaped tensors ({shapes})") from error


def _translated(error: Exception) -> Exception:
    """What a node of the graph refuses is the caller's (dimensions that must agree, an index out of range); the rest is
    the model's. The library's words come without the place in its source."""
    text = " ".join(str(error).split())
    node = _FAILED_NODE.search(text)
    if node is not None:
        place, _, words = node["words"].partition(") ")
        return BadRequest(f"the model's {node['operator']} refused the inputs: {words or place}")
    code, _, words = text.partition("INVALID_ARGUMENT : ")
    return BadRequest(words) if words else UnitFailed(code)


_FAILED_NODE = re.compile(r"while running (?P<operator>\w+) node\..*Status Message: (?P<words>.*)")
