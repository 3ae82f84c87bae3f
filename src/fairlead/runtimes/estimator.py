"""Models that take one table and answer by method (scikit-learn's, XGBoost's, LightGBM's, CatBoost's), under every
protocol.

Seldon's convention knows one answer, which `Component` gives. The tensor protocols ask for outputs by name: what
MLServer calls `predict`, `predict_proba` and `transform` are the methods of those names, and KServe's own servers have
one output called `output-0`. Which of the two a unit is, its variant says.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fairlead.errors import BadRequest, FairleadError, UnitFailed
from fairlead.plan.model import Method, Protocol
from fairlead.protocols.message import Asked, Form, Message, Payload
from fairlead.protocols.tensors import (
    DEFAULT_INPUT,
    DEFAULT_OUTPUT,
    DTYPES,
    MLSERVERS_ARRAY,
    Array,
    Tensor,
    as_array_payload,
    tensor,
)
from fairlead.runtimes.answers import passed_on
from fairlead.runtimes.artifact import find_file, find_lone_file
from fairlead.runtimes.base import KSERVE, MLSERVER, Columns, LoadContext, TensorSpec
from fairlead.runtimes.component import Component
from fairlead.runtimes.libraries import need
from fairlead.runtimes.metadata import read_metadata
from fairlead.runtimes.model_settings import ModelSettings, model_file, read_settings
from fairlead.runtimes.row_wise import RowFunction
from fairlead.runtimes.tensor_checks import texts

Answer = Callable[[Any], Any]
_NO_WISHES = Asked()


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimator:
    """What a format's module says of a loaded model. `answers` are its methods by name, `default` the one that answers
    when nothing is asked for by name. Refusals call the model `title` and list the outputs `offered`, as MLServer does.
    `features` are the names of its columns, where it has them. `is_row_wise` says that the rows of several requests may
    share a call."""

    answers: Mapping[str, Answer]
    default: str
    title: str
    offered: tuple[str, ...]
    platform: str
    columns: Columns | None
    is_row_wise: bool
    features: Sequence[str] = ()
    datatype: str = "FP64"
    outputs: Mapping[str, TensorSpec] = field(default_factory=dict)
    """What is known of its answers, by method; names in it do not matter."""


class EstimatorUnit(Component):
    """A loaded model of one table. `version` is what its settings call it."""

    def __init__(self, server: object, estimator: Estimator, context: LoadContext, settings: ModelSettings) -> None:
        unit = context.unit
        self._estimator = estimator
        self._is_mlserver = unit.variant == MLSERVER
        self._default = estimator.default if self._is_mlserver else DEFAULT_OUTPUT
        answer = estimator.answers.get(estimator.default)
        rows = None
        if answer is not None and estimator.is_row_wise:
            rows = RowFunction(self._matrix_of(answer) if self._is_mlserver else answer, output_name=self._default)
        super().__init__(
            server, unit, env=context.env or None, rows=rows, columns=estimator.columns, output_name=self._default
        )
        self.version = settings.version
        self.platform = settings.platform or estimator.platform
        self.inputs = settings.inputs or _inputs(estimator)
        self.outputs = settings.outputs or self._known_outputs()
        self._said = settings
        # Seldon's clients get what the library says of a wrong width, which they know.
        self._checks_width = not is_seldon(context)

    def invoke(self, method: Method, message: Message) -> Message:
        """One operation on one message; tensors are answered with tensors, by name."""
        if message.payload.form is not Form.TENSORS or method in (Method.ROUTE, Method.EXPLAIN):
            if self._checks_width and message.payload.is_array:
                self._check_width(DEFAULT_INPUT, message.payload.value)
            return super().invoke(method, message)
        asked = message.asked or _NO_WISHES
        names = [output.name for output in asked.outputs] or [self._default]
        chosen = [self._answer_of(name, asked.model or self._name) for name in names]
        table = self._table(message.payload)
        given = [self._asked(name, answer, table) for name, answer in zip(names, chosen, strict=True)]
        return Message(Payload(Form.TENSORS, given), passed_on(message.meta, self._path))

    def metadata(self) -> dict[str, Any]:
        """The model's description, with what its settings say."""
        known = dict(super().metadata())
        if self._said.name:
            known["name"] = self._said.name
        if self._said.version:
            known["versions"] = [self._said.version]
        if not known.get("platform") and self._said.platform:
            known["platform"] = self._said.platform
        return known

    def _answer_of(self, name: str, model: str) -> Answer:
        answers = self._estimator.answers
        if name == self._default and self._estimator.default in answers:
            return answers[self._estimator.default]
        if name in answers:
            return answers[name]
        if name in self._estimator.offered:
            raise BadRequest(f"output {name!r}: this model has no method of that name; it has {', '.join(answers)}")
        if self._is_mlserver:
            title, offered = self._estimator.title, _listed(self._estimator.offered)
            raise BadRequest(f"{title} only supports {offered} ({name} was received)")
        raise BadRequest(f"Unexpected inference output '{name}' for model '{model}'")

    def _asked(self, name: str, answer: Answer, table: Any) -> Tensor:
        try:
            value = answer(table)
        except Exception as error:
            raise told(error) from error
        parameters = dict(MLSERVERS_ARRAY) if self._is_mlserver else None
        return tensor(name, self._shaped(_dense(name, value)), parameters)

    def _shaped(self, array: Array) -> Array:
        return array.reshape(-1, 1) if self._is_mlserver and array.ndim == 1 else array

    def _matrix_of(self, answer: Answer) -> Answer:
        return lambda rows: self._shaped(np.asarray(answer(rows)))

    def _table(self, payload: Payload) -> Any:
        """The request's tensors as the model takes them: columns by name where both have names, else one array."""
        tensors: list[Tensor] = payload.value
        features = self._estimator.features
        if features and tensors and (len(tensors) > 1 or tensors[0].name in features):
            return _frame(tensors, features)
        array = as_array_payload(payload).value
        self._check_width(tensors[0].name if len(tensors) == 1 else DEFAULT_INPUT, array)
        return array

    def _check_width(self, name: str, array: Array) -> None:
        expected = self.columns.count if self.columns is not None else 0
        if expected and (array.ndim != 2 or array.shape[1] != expected):
            raise BadRequest(f"input {name!r}: expected shape [-1, {expected}], got {list(array.shape)}")

    def _known_outputs(self) -> tuple[TensorSpec, ...]:
        spec = self._estimator.outputs.get(self._estimator.default)
        if spec is None:
            return ()
        shape = (*spec.shape, 1) if self._is_mlserver and len(spec.shape) == 1 else spec.shape
        return (TensorSpec(name=self._default, datatype=spec.datatype, shape=shape),)


class TableServer:
    """A model of one table by the component convention, for formats whose answers need nothing more. `translate` makes
    the error a client sees of one that left the library."""

    def __init__(self, answer: Answer, folder: Path, translate: Callable[[Exception], Exception]) -> None:
        self._answer = answer
        self._folder = folder
        self._translate = translate

    def init_metadata(self) -> dict[str, Any]:
        """`metadata.yaml` beside the model."""
        return read_metadata(self._folder)

    def predict(self, rows: Any, _names: Any = None) -> Any:
        """The default method's answer."""
        try:
            return self._answer(rows)
        except Exception as error:
            raise self._translate(error) from error


def told(error: Exception) -> FairleadError:
    """The error for one that left a library: a table that it cannot use is the caller's, and the library's own words
    say what is wrong with it; the rest is the model's."""
    if isinstance(error, FairleadError):
        return error
    if isinstance(error, ValueError | TypeError):
        return BadRequest(str(error))
    return UnitFailed(f"{type(error).__name__}: {error}")


def is_seldon(context: LoadContext) -> bool:
    """Whether the unit answers by Seldon's convention, oddities included."""
    return context.protocol is Protocol.SELDON


def locate(context: LoadContext, *, names: Sequence[str], suffixes: Sequence[str]) -> tuple[Path, ModelSettings]:
    """The model's file and its settings: those of `model-settings.json` for units that stand for an MLServer. What
    stands for a server of KServe's looks for one file, by its suffix."""
    unit, folder = context.unit, context.folder
    if unit.variant == KSERVE:
        return find_lone_file(folder, suffixes=suffixes, unit=unit.name), ModelSettings()
    settings = read_settings(folder, unit=unit.name) if unit.variant == MLSERVER else ModelSettings()
    path = None if folder is None else model_file(settings, folder, unit=unit.name)
    return path or find_file(folder, names=names, suffixes=suffixes, unit=unit.name), settings


def answer_spec(count: int, datatype: str) -> TensorSpec:
    """An answer of so many numbers for each row; one is a list, not a matrix."""
    return TensorSpec(name=DEFAULT_OUTPUT, datatype=datatype, shape=(-1, count) if count > 1 else (-1,))


def _inputs(estimator: Estimator) -> tuple[TensorSpec, ...]:
    columns = estimator.columns
    if columns is None:
        return ()
    return (TensorSpec(name=DEFAULT_INPUT, datatype=estimator.datatype, shape=(-1, columns.count)),)


def _frame(tensors: Sequence[Tensor], features: Sequence[str]) -> Any:
    """A DataFrame of the columns the model was fitted on, in its order."""
    by_name = {one.name: one for one in tensors}
    missing = [name for name in features if name not in by_name]
    if missing:
        raise BadRequest(f"missing input {', '.join(map(repr, missing))}; this model takes {', '.join(features)}")
    sizes = {one.array.size for one in by_name.values()}
    if len(sizes) > 1 or any(one.array.ndim > 2 or one.array.shape[1:] not in ((), (1,)) for one in by_name.values()):
        shapes = ", ".join(f"{name!r} {list(one.array.shape)}" for name, one in by_name.items())
        raise BadRequest(f"inputs {shapes} are no columns of one table: each must have the shape [n] or [n, 1]")
    pandas = need("pandas", extra="sklearn")
    columns = {name: _column(by_name[name]) for name in features}
    return pandas.DataFrame(columns)


def _column(one: Tensor) -> Array:
    array = texts(one) if one.array.dtype == DTYPES["BYTES"] else one.array
    return array.reshape(-1)


def _dense(name: str, value: Any) -> Array:
    """What a method gave as one array: sparse matrices and frames become what they stand for."""
    for turn in ("toarray", "to_numpy"):
        if hasattr(value, turn):
            value = getattr(value, turn)()
    if isinstance(value, list) and len({np.shape(part) for part in value}) > 1:
        raise UnitFailed(f"output {name!r} is {len(value)} arrays of different shapes; it cannot be one tensor")
    return np.asarray(value)


def _listed(names: Sequence[str]) -> str:
    """`'a', 'b' and 'c' as outputs`, as MLServer words it."""
    quoted = [f"'{name}'" for name in names]
    ending = "as outputs" if len(quoted) > 1 else "as output"
    return f"{', '.join(quoted[:-1])} and {quoted[-1]} {ending}" if len(quoted) > 1 else f"{quoted[0]} {ending}"
