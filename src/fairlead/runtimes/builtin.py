"""The units that need no image and no code: Seldon's four built-in implementations, as its classic engine had them.

They keep their input's array form, report no request path and load nothing. Chance is handed in, so that a test can
say which way a split goes.
"""

import os
import random
from collections.abc import Callable
from typing import Any

import numpy as np

from fairlead.errors import LoadError, UnknownRuntime
from fairlead.plan.model import Method, Unit
from fairlead.protocols.message import Form, Message, Meta, Payload, Reward
from fairlead.protocols.tensors import DEFAULT_OUTPUT, as_array_payload, as_tensors
from fairlead.runtimes.answers import merged_meta
from fairlead.runtimes.base import Columns, LoadContext, PredictBytes, Repository, Rows, TensorSpec
from fairlead.runtimes.failures import BadData, CodeFailed, not_explained
from fairlead.runtimes.metadata import default_metadata
from fairlead.runtimes.parameters import as_arguments

SEED_VARIABLE = "FAIRLEAD_RANDOM_SEED"
"""Makes random decisions repeatable; for tests and demonstrations."""


def load(context: LoadContext) -> "Builtin":
    """The built-in that the unit's variant names."""
    unit = context.unit
    maker = _MAKERS.get(unit.variant)
    if maker is None:
        raise UnknownRuntime(f"unit {unit.name}: no built-in {unit.variant!r}; available: {', '.join(sorted(_MAKERS))}")
    seed = context.env.get(SEED_VARIABLE) or os.environ.get(SEED_VARIABLE)
    return maker(unit, random.Random(seed))  # noqa: S311 - a split of traffic, not a secret


class Builtin:
    """What all of them share: they are well, know nothing about themselves and ignore rewards."""

    rows: Rows | None = None
    columns: Columns | None = None
    predict_bytes: PredictBytes | None = None
    repository: Repository | None = None
    methods: frozenset[Method] = frozenset()
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    platform = ""

    def __init__(self, unit: Unit, chance: random.Random) -> None:
        self._unit = unit
        self._chance = chance

    def invoke(self, method: Method, message: Message) -> Message:
        """Anything a built-in does not do passes the message through; routing has no such default."""
        if method is Method.ROUTE:
            raise BadData("Route not defined")
        if method is Method.EXPLAIN:
            raise not_explained()
        return Message(message.payload, merged_meta([message.meta], tags=(), metrics=[], path=None))

    def aggregate(self, messages: list[Message]) -> Message:  # noqa: ARG002 - the seam's signature
        """Only a combiner can."""
        raise BadData("Aggregate not defined")

    def feedback(self, reward: Reward) -> Message:
        """An empty answer with the meta of what was rewarded."""
        meta = Meta() if reward.request is None else reward.request.meta
        return Message(Payload(Form.NDARRAY, np.array([])), merged_meta([meta], tags=(), metrics=[], path=None))

    def health(self) -> Message:
        return Message(Payload(Form.STRING, "healthy"))

    def metadata(self) -> dict[str, Any]:
        return default_metadata(self._unit)

    def close(self) -> None:
        pass


class SimpleModel(Builtin):
    """Answers the same three classes whatever it is asked, and three metrics. Text and bytes come back."""

    methods = frozenset((Method.PREDICT,))

    def invoke(self, method: Method, message: Message) -> Message:
        if method is not Method.PREDICT:
            return super().invoke(method, message)
        metrics = [dict(metric) for metric in _SIMPLE_METRICS]
        meta = merged_meta([message.meta], tags=(), metrics=metrics, path=None)
        echoed = message.payload.form in (Form.STRING, Form.BINARY)
        payload = message.payload if echoed else Payload(Form.TENSOR, np.array([[0.1, 0.9, 0.5]]), list(_SIMPLE_NAMES))
        return Message(payload, meta, status={"status": "SUCCESS"}, own_metrics=metrics)


_SIMPLE_NAMES = ("class0", "class1", "class2")
_SIMPLE_METRICS: tuple[dict[str, Any], ...] = (
    {"key": "mymetric_counter", "type": "COUNTER", "value": 1},
    {"key": "mymetric_gauge", "type": "GAUGE", "value": 100},
    {"key": "mymetric_timer", "type": "TIMER", "value": 22.1},
)


class Router(Builtin):
    """Asks `choose` which child gets a message."""

    methods = frozenset((Method.ROUTE,))

    def invoke(self, method: Method, message: Message) -> Message:
        if method is not Method.ROUTE:
            return super().invoke(method, message)
        meta = merged_meta([message.meta], tags=(), metrics=[], path=None)
        return Message(Payload(Form.NDARRAY, np.array([[self.choose()]])), meta)

    def choose(self) -> int:
        """The first child."""
        return 0


class RandomAbTest(Router):
    """The first child with probability `ratioA` (a half when it is not given), else the second."""

    def __init__(self, unit: Unit, chance: random.Random) -> None:
        super().__init__(unit, chance)
        self._ratio = _ratio_of(unit)

    def choose(self) -> int:
        return 0 if self._chance.random() < self._ratio else 1


def _ratio_of(unit: Unit) -> float:
    given = as_arguments(unit).get("ratioA", 0.5)
    try:
        return float(given)
    except ValueError as error:
        raise LoadError(f"unit {unit.name}: parameter ratioA must be a number from 0 to 1, not {given!r}") from error


class AverageCombiner(Builtin):
    """The element-wise mean of its children's 2-d arrays, with the names, tags and status of the first."""

    methods = frozenset((Method.AGGREGATE,))

    def aggregate(self, messages: list[Message]) -> Message:
        if not messages:
            raise BadData("Aggregate needs at least one message")
        arrays = [_matrix_of(message) for message in messages]
        for array in arrays[1:]:
            if array.shape != arrays[0].shape:
                raise CodeFailed(f"Expected arrays of shape {list(arrays[0].shape)} but found {list(array.shape)}")
        first = messages[0]
        mean = np.mean(np.stack(arrays).astype(np.float64, copy=False), axis=0)
        payload = Payload(first.payload.form, mean, first.payload.names)
        if first.payload.form is Form.TENSORS:
            payload = Payload(Form.TENSORS, as_tensors(Payload(Form.NDARRAY, mean), name=_first_name(first)))
        return Message(payload, _combined(messages), status=first.status)


def _first_name(message: Message) -> str:
    tensors = message.payload.value
    return tensors[0].name if tensors else DEFAULT_OUTPUT


def _matrix_of(message: Message) -> np.ndarray[Any, Any]:
    value = as_array_payload(message.payload).value
    if not isinstance(value, np.ndarray) or value.ndim != 2 or value.dtype.kind not in "iufb":
        raise CodeFailed("Expected 2-d numeric data from every child of an average combiner")
    return value


def _combined(messages: list[Message]) -> Meta:
    """The first's meta, with the request paths and metrics of all: nothing that happened is lost."""
    meta = merged_meta([message.meta for message in messages], tags=(), metrics=[], path=None)
    meta.tags = dict(messages[0].meta.tags)
    meta.puid = messages[0].meta.puid
    return meta


_MAKERS: dict[str, Callable[[Unit, random.Random], Builtin]] = {
    "average_combiner": AverageCombiner,
    "random_abtest": RandomAbTest,
    "simple_model": SimpleModel,
    "simple_router": Router,
}
