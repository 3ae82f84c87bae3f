"""The convention without a base class: a function, or a class with `predict(X)` or `__call__`.

What takes one argument gets one array. What takes several, or arguments by keyword alone, gets the inputs of these
names: tensors of a request, keys of a JSON object, or columns of a table that has names. The kind of the answer decides
how it is sent: an array or list, a dict (several named outputs), a str, bytes, or a number.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fairlead.errors import BadRequest, LoadError
from fairlead.plan.model import Method, Unit
from fairlead.protocols.message import Form, Message, Meta, Payload, Reward
from fairlead.protocols.tensors import DEFAULT_OUTPUT, Tensor, as_array_payload, as_tensors, tensor
from fairlead.runtimes.answers import answer_payload, as_array, features_of, merged_meta, passed_on
from fairlead.runtimes.base import Columns, LoadContext, PredictBytes, Repository, Rows, TensorSpec
from fairlead.runtimes.failures import BadData, not_explained, translated
from fairlead.runtimes.loop_thread import LoopThread
from fairlead.runtimes.metadata import served_metadata
from fairlead.runtimes.operations import own_method
from fairlead.runtimes.parameters import Scalar
from fairlead.runtimes.pieces import Streamed, comes_in_pieces, joined
from fairlead.runtimes.row_wise import RowFunction

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def is_plain(kind: type) -> bool:
    """Whether a class follows this convention: `predict` takes one argument, or arguments by keyword alone, or there is
    no `predict` and the class can be called."""
    predict = getattr(kind, "predict", None)
    if predict is None:
        return any("__call__" in vars(base) for base in kind.__mro__)
    parameters = _parameters(predict)
    if parameters is None or not callable(predict):
        return False
    is_bound = isinstance(inspect.getattr_static(kind, "predict"), staticmethod | classmethod)
    given = parameters if is_bound else parameters[1:]
    if any(one.kind is one.VAR_POSITIONAL for one in given):
        return False
    positional = [one for one in given if one.kind in _POSITIONAL]
    if not positional:
        return any(one.kind is one.KEYWORD_ONLY for one in given)
    return len(positional) == 1


def is_factory(function: Callable[..., Any], arguments: Mapping[str, Scalar]) -> bool:
    """Whether a function makes the unit rather than being it: the unit's parameters are all that it needs."""
    parameters = _parameters(function)
    if parameters is None:
        return True
    return all(one.name in arguments or not _is_required(one) for one in parameters)


def loaded(target: Any, context: LoadContext, arguments: Mapping[str, Scalar]) -> "PlainUnit":
    """A unit around a function, or an object with `predict` or `__call__`. A function gets the unit's parameters as
    keyword arguments of each call, where it takes them."""
    unit = context.unit
    function: Callable[..., Any] = own_method(target, "predict") or target
    parameters = _parameters(function) or []
    fixed = {one.name: arguments[one.name] for one in parameters if one.name in arguments}
    if unknown := [name for name in arguments if name not in fixed and inspect.isfunction(target)]:
        raise LoadError(f"unit {unit.name}: {target.__name__}() has no parameter {', '.join(unknown)}")
    open_ = [one for one in parameters if one.name not in fixed and one.kind not in _VARIABLE]
    return PlainUnit(target, function, open_, fixed, context)


class PlainUnit:
    """A `Servable` around one function."""

    columns: Columns | None = None
    predict_bytes: PredictBytes | None = None
    repository: Repository | None = None
    methods = frozenset((Method.PREDICT, Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT))
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    platform = ""

    def __init__(
        self,
        target: Any,
        function: Callable[..., Any],
        parameters: list[inspect.Parameter],
        fixed: Mapping[str, Scalar],
        context: LoadContext,
    ) -> None:
        unit: Unit = context.unit
        self._function = function
        self._fixed = dict(fixed)
        self._named = _named(parameters)
        self._required = [one.name for one in parameters if _is_required(one)]
        self._loop = LoopThread(f"python-{unit.name}")
        self._path = (str(unit.name), unit.image) if unit.image else None
        self._metadata = served_metadata(unit, own_method(target, "init_metadata"), context.env)
        self.rows: Rows | None = None
        if getattr(target, "fairlead_rowwise", False) is True and not self._named:
            self.rows = RowFunction(self._array_of)

    def invoke(self, method: Method, message: Message) -> Message:
        """The function's answer, whichever passing method asks."""
        if method is Method.ROUTE:
            raise BadData("Route not defined")
        if method is Method.EXPLAIN:
            raise not_explained()
        payload = message.payload
        try:
            if self._named:
                value = self._call(**self._inputs(payload))
            else:
                value = self._call(features_of(as_array_payload(payload)))
            if comes_in_pieces(value):
                if message.asked is not None and message.asked.takes_pieces:
                    pieces = Streamed(value, self._loop, {}, translated)
                    return Message(Payload(Form.BINARY, b""), passed_on(message.meta, self._path), pieces=pieces)
                value = joined(value, self._loop)
            answer = _answer(value, payload.form)
        except Exception as error:
            raise translated(error) from error
        return Message(answer, passed_on(message.meta, self._path))

    def aggregate(self, messages: list[Message]) -> Message:  # noqa: ARG002 - the seam's signature
        """A function of one message combines nothing."""
        raise BadData("Aggregate not defined")

    def feedback(self, reward: Reward) -> Message:
        """An empty answer with the meta of what was rewarded."""
        arrived = [] if reward.request is None else [reward.request.meta]
        return self._said(Payload(Form.NDARRAY, np.array([])), arrived)

    def health(self) -> Message:
        """It is loaded, so it is well."""
        return self._said(Payload(Form.STRING, "healthy"), [])

    def metadata(self) -> dict[str, Any]:
        """The model's description."""
        return self._metadata()

    def close(self) -> None:
        """End the loop of its coroutines."""
        self._loop.close()

    def _call(self, *arguments: Any, **keywords: Any) -> Any:
        return self._loop.settled(self._function(*arguments, **keywords, **self._fixed))

    def _array_of(self, rows: Any) -> Any:
        value = self._call(rows)
        return as_array(value) if isinstance(value, list) else value

    def _inputs(self, payload: Payload) -> dict[str, Any]:
        """The arguments by name. Inputs that the function does not know are refused, like those that are missing."""
        given = _by_name(payload)
        given = given or {}
        missing = [name for name in self._required if name not in given]
        unknown = [name for name in given if name not in self._named]
        if missing or unknown:
            wanted = ", ".join(repr(name) for name in self._named)
            sent = ", ".join(repr(name) for name in given) or "none that has a name"
            raise BadRequest(f"this model takes the inputs {wanted}; the request has {sent}")
        return given

    def _said(self, payload: Payload, arrived: list[Meta]) -> Message:
        return Message(payload, merged_meta(arrived, tags=(), metrics=[], path=self._path))


def _named(parameters: list[inspect.Parameter]) -> list[str]:
    """The inputs a function wants by name; none when it takes one array: its only argument, or the only one that has
    no default (the others are settings)."""
    required = [one for one in parameters if _is_required(one)]
    first = required[:1] or parameters[:1]
    takes_one = len(required) <= 1 and bool(first) and first[0].kind in _POSITIONAL
    return [] if takes_one else [one.name for one in parameters]


def _by_name(payload: Payload) -> dict[str, Any] | None:
    """The parts of a payload by name; `None` for one whose parts have none."""
    if payload.form is Form.TENSORS:
        tensors: list[Tensor] = payload.value
        return {one.name: as_array_payload(Payload(Form.TENSORS, [one])).value.copy() for one in tensors}
    if payload.form is Form.JSON and isinstance(payload.value, dict):
        return {name: np.array(value) if isinstance(value, list) else value for name, value in payload.value.items()}
    value = payload.value
    if isinstance(value, np.ndarray) and value.ndim == 2 and len(payload.names) == value.shape[1]:
        return {str(name): value[:, index].copy() for index, name in enumerate(payload.names)}
    return None


def _answer(value: Any, asked: Form) -> Payload:
    """The payload for what the function returned."""
    if isinstance(value, bool | int | float | np.generic):
        value = np.asarray(value).reshape(1)
    if asked is not Form.TENSORS:
        plain = _plain(value) if isinstance(value, dict) else value
        return answer_payload(plain, asked, None)
    if isinstance(value, dict):
        return Payload(Form.TENSORS, [tensor(str(name), _whole(one)) for name, one in value.items()])
    return Payload(Form.TENSORS, as_tensors(answer_payload(value, Form.NDARRAY, None), name=DEFAULT_OUTPUT))


def _whole(value: Any) -> np.ndarray[Any, Any]:
    array = as_array(value) if isinstance(value, list) else np.asarray(value)
    return array if array.ndim else array.reshape(1)


def _plain(value: Any) -> Any:
    """A JSON value: arrays and numbers of numpy as lists and numbers."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None


def _is_required(one: inspect.Parameter) -> bool:
    return one.default is one.empty and one.kind not in _VARIABLE
