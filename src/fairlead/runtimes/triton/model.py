"""One version of a Triton model: the checks and shapes of its configuration around whatever computes it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fairlead.errors import BadRequest, UnitFailed
from fairlead.plan.model import Unit
from fairlead.protocols.message import Asked
from fairlead.protocols.tensors import Array, Tensor
from fairlead.runtimes.base import Rows, TensorModel, TensorSpec
from fairlead.runtimes.row_wise import RowFunction
from fairlead.runtimes.tensor_checks import chosen, fitted
from fairlead.runtimes.tensor_unit import TensorUnit
from fairlead.runtimes.triton.config import PLATFORMS, ModelConfig, Port


class TritonModel:
    """A `TensorModel` by its configuration; by its file's own word where the configuration names no tensors."""

    def __init__(self, inner: TensorModel, config: ModelConfig, version: str) -> None:
        self._inner = inner
        self._config = config
        self.version = version
        self.platform = PLATFORMS[config.backend]
        self.inputs: tuple[TensorSpec, ...] = tuple(one.spec for one in config.inputs) or inner.inputs
        self.outputs: tuple[TensorSpec, ...] = tuple(one.spec for one in config.outputs) or inner.outputs
        is_batched = config.is_batched_dynamically and config.max_batch_size > 0
        # Triton hands a list of requests to Python code, not one joined array.
        self.is_row_wise = is_batched and config.backend != "python"

    def infer(self, tensors: list[Tensor], wanted: list[str], asked: Asked) -> list[Tensor]:
        """The outputs asked for."""
        config = self._config
        names = [spec.name for spec in self.outputs]
        if names:
            chosen(wanted, names, model=config.name)
        given = self._checked(tensors)
        rows = self._rows(given, asked)
        ports = {port.spec.name: port for port in config.inputs}
        inside = [_inside(one, ports.get(one.name), rows) for one in given]
        answered = {one.name: one for one in self._inner.infer(inside, wanted, asked)}
        ports = {port.spec.name: port for port in config.outputs}
        told = wanted or names or list(answered)
        missing = [name for name in told if name not in answered]
        if missing:
            raise UnitFailed(f"model {config.name} gave no output {missing[0]!r}; it gave {', '.join(answered)}")
        return [_outside(answered[name], ports.get(name), rows) for name in told]

    def close(self) -> None:
        """Let go of what computes it."""
        self._inner.close()

    def _checked(self, tensors: list[Tensor]) -> list[Tensor]:
        sent = {one.name for one in tensors}
        optional = {port.spec.name for port in self._config.inputs if port.is_optional}
        specs = [spec for spec in self.inputs if spec.name not in optional or spec.name in sent]
        if not specs:
            return list(tensors)
        return [
            Tensor(spec.name, one.array, one.datatype, one.parameters)
            for spec, one in zip(specs, fitted(tensors, specs), strict=True)
        ]

    def _rows(self, tensors: list[Tensor], asked: Asked) -> int | None:
        """How many rows the request has; `None` for a model that is not batched."""
        most = self._config.max_batch_size
        if not most:
            return None
        counts = {len(one.array) for one in tensors if one.array.ndim}
        if len(counts) > 1:
            shapes = ", ".join(f"{one.name!r} {list(one.array.shape)}" for one in tensors)
            raise BadRequest(f"the inputs of model {self._config.name!r} must have the same number of rows: {shapes}")
        rows = counts.pop() if counts else 0
        if rows > most:
            of = f"[request id: {asked.id}] " if asked.id else ""
            limit = f"batch-size must be <= {most} for '{self._config.name}'"
            raise BadRequest(f"{of}inference request {limit}, got {rows}")
        return rows


class TritonUnit(TensorUnit):
    """A model as a unit. Rows of several requests share calls of at most `max_batch_size` rows."""

    def __init__(self, model: TritonModel, unit: Unit, *, most: int) -> None:
        super().__init__(model, unit)
        self.version = model.version
        if self.rows is not None:
            self.rows = _in_pieces(self.rows, most)


def _in_pieces(rows: Rows, most: int) -> Rows:
    predict: Callable[[Array], Any] = rows.predict

    def pieces(given: Array) -> Array:
        if len(given) <= most:
            whole: Array = predict(given)
            return whole
        return np.concatenate([predict(given[start : start + most]) for start in range(0, len(given), most)])

    return RowFunction(pieces, output_name=rows.output_name)


def _inside(one: Tensor, port: Port | None, rows: int | None) -> Tensor:
    """An input in the shape that the file has."""
    if port is None or port.reshaped is None:
        return one
    return Tensor(one.name, _reshaped(one, port.reshaped, rows), one.datatype, one.parameters)


def _outside(one: Tensor, port: Port | None, rows: int | None) -> Tensor:
    """An output in the shape that the configuration promises."""
    if port is None or port.reshaped is None:
        return one
    shape = port.spec.shape[1:] if rows is not None else port.spec.shape
    return Tensor(one.name, _reshaped(one, shape, rows), one.datatype, one.parameters)


def _reshaped(one: Tensor, shape: tuple[int, ...], rows: int | None) -> Array:
    whole = shape if rows is None else (rows, *shape)
    try:
        return one.array.reshape(whole)
    except ValueError as error:
        raise BadRequest(f"tensor {one.name!r} {list(one.array.shape)} cannot have the shape {list(whole)}") from error
