"""TensorFlow Serving's examples: features by name to tensors, and a model's outputs to classes and values.

Classify and Regress take `tf.Example`s. A model whose only input is text wants them as they are (its file parses them
itself); any other gets one tensor per feature, a row per example.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fairlead.errors import BadRequest, UnitFailed
from fairlead.protocols.protobuf_fields import nested, single, text
from fairlead.protocols.tensors import BYTES, DTYPES, Tensor
from fairlead.runtimes.base import TensorSpec

Write = Callable[[list[Tensor]], bytes]
_KINDS: dict[str, np.dtype[Any]] = {
    "float_list": np.dtype(np.float32),
    "int64_list": np.dtype(np.int64),
    "bytes_list": np.dtype(np.object_),
}
_DATATYPES = {"float_list": "FP32", "int64_list": "INT64", "bytes_list": BYTES}


def read_tensors(given: Any, inputs: tuple[TensorSpec, ...]) -> list[Tensor]:
    """The tensors in an Input. Raises `BadRequest` for one without examples and for features that make no rows."""
    rows = _examples(given)
    if not rows:
        raise BadRequest("Input is empty.")
    if len(inputs) == 1 and inputs[0].datatype == BYTES:
        whole = np.empty(len(rows), dtype=np.object_)
        whole[:] = [row.SerializeToString() for row in rows]
        return [Tensor(inputs[0].name, whole, BYTES)]
    wanted = {spec.name: spec for spec in inputs}
    names = sorted({name for row in rows for name in row.features.feature})
    tensors = [_column(name, rows, wanted.get(name)) for name in names]
    if len(inputs) == 1 and not wanted.keys() & set(names):
        return [_table(inputs[0], tensors)]
    return tensors


def write_classes(outputs: list[Tensor]) -> bytes:
    """A ClassificationResult: the outputs `classes` and `scores`, or else the one output's numbers as scores, whose
    labels are their places."""
    known = {one.name: one.array for one in outputs}
    labels, scores = known.get("classes"), known.get("scores")
    if labels is None and scores is None:
        scores = _only(outputs).array
    rows = zip(_as_rows(labels), _as_rows(scores), strict=False)
    return b"".join([nested(b"\x0a", _classes(*row)) for row in rows])


def _classes(labels: Any, scores: Any) -> bytes:
    """The classes of one example; either may be `None`."""
    words = [str(place) for place in range(len(scores))] if labels is None else [_word(one) for one in labels]
    if scores is not None and len(scores) != len(words):
        raise UnitFailed(f"the model gave {len(words)} classes and {len(scores)} scores for one example")
    said = [text(b"\x0a", word) for word in words]
    if scores is not None:
        said = [word + single(b"\x15", float(score)) for word, score in zip(said, scores, strict=True)]
    return b"".join([nested(b"\x0a", one) for one in said])


def write_values(outputs: list[Tensor]) -> bytes:
    """A RegressionResult: the output `outputs`, or else the only one, with one number per example."""
    found = next((one for one in outputs if one.name == "outputs"), None) or _only(outputs)
    array = found.array
    if array.dtype.kind not in "iufb" or not array.ndim or array.size != len(array):
        raise UnitFailed(
            f"output {found.name!r} of shape {list(array.shape)} and {found.datatype} holds no number per example"
        )
    return b"".join([nested(b"\x0a", single(b"\x0d", float(value))) for value in array.reshape(-1)])


def _examples(given: Any) -> list[Any]:
    if given.WhichOneof("kind") == "example_list_with_context":
        listed = given.example_list_with_context
        merged = []
        for one in listed.examples:
            whole = type(one)()
            whole.CopyFrom(listed.context)
            whole.MergeFrom(one)
            merged.append(whole)
        return merged
    return list(given.example_list.examples)


def _column(name: str, rows: list[Any], spec: TensorSpec | None) -> Tensor:
    kinds = {row.features.feature[name].WhichOneof("kind") if name in row.features.feature else None for row in rows}
    kind = next(iter(kinds))
    if len(kinds) != 1 or kind is None:
        raise BadRequest(f"feature {name!r} must be there in every example, and always of the same kind")
    values = [list(getattr(row.features.feature[name], kind).value) for row in rows]
    if len({len(row) for row in values}) != 1:
        raise BadRequest(f"feature {name!r} must have as many values in every example as in the others")
    array = np.empty((len(values), len(values[0])), dtype=_KINDS[kind])
    array[:] = values
    datatype = _DATATYPES[kind]
    if spec is None:
        return Tensor(name, array, datatype)
    if spec.datatype != datatype and BYTES not in (spec.datatype, datatype):
        array, datatype = array.astype(DTYPES[spec.datatype]), spec.datatype
    if len(spec.shape) == 1 and array.shape[1] == 1:
        array = array.reshape(-1)
    return Tensor(name, array, datatype)


def _table(spec: TensorSpec, columns: list[Tensor]) -> Tensor:
    """Features that the model's one input does not know by name are its columns, in the order of their names."""
    if any(column.datatype == BYTES for column in columns):
        raise BadRequest(f"the model's only input is {spec.name!r}, of {spec.datatype}: features of text do not fit it")
    dtype = DTYPES[spec.datatype]
    return Tensor(spec.name, np.concatenate([one.array for one in columns], axis=1).astype(dtype), spec.datatype)


def _only(outputs: list[Tensor]) -> Tensor:
    if len(outputs) != 1:
        names = ", ".join(repr(one.name) for one in outputs)
        raise UnitFailed(f"the model gives {names or 'nothing'}; which of them is asked for cannot be told")
    return outputs[0]


def _as_rows(array: Any) -> Iterable[Any]:
    """One item per example, endlessly `None` for no array."""
    if array is None:
        return itertools.repeat(None)
    rows: Iterable[Any] = array.reshape(len(array), -1) if array.ndim else array.reshape(1, 1)
    return rows


def _word(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
