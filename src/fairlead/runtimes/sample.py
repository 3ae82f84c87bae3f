"""Stand-ins for the sample images of Seldon's tutorials and tests, so their manifests run without a registry.

They behave as the images do in every visible way: payloads, names, metrics, health and errors.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fairlead.errors import UnknownRuntime
from fairlead.runtimes.bandits import EpsilonGreedy, ThompsonSampling
from fairlead.runtimes.base import LoadContext
from fairlead.runtimes.component import Component
from fairlead.runtimes.parameters import Scalar, as_arguments
from fairlead.runtimes.row_wise import RowFunction
from fairlead.runtimes.user_code import failure_of


def load(context: LoadContext) -> Component:
    """The sample that the unit's variant names; an image's name and tag (`fixed-model:0.2`) do."""
    unit = context.unit
    maker = _MAKERS.get(unit.variant.replace("-", "_"))
    if maker is None:
        known = ", ".join(sorted(_MAKERS))
        raise UnknownRuntime(f"unit {unit.name}: no sample {unit.variant!r}; available: {known}")
    arguments = {name: value for name, value in as_arguments(unit).items() if name != "model_uri"}
    try:
        sample = maker(arguments, context)
    except (TypeError, ValueError) as error:
        raise failure_of(error, f"unit {unit.name}: {unit.variant}({', '.join(arguments)}) failed") from error
    rows = None
    if isinstance(sample, MockClassifier) and not sample.delay_s:
        rows = RowFunction(sample.predict, sample.class_names)
    return Component(sample, unit, env=context.env or None, rows=rows)


class MockClassifier:
    """A logistic curve over the mean of a row, shifted by `intValue`; `delaySecs` makes it slow."""

    def __init__(self, intValue: int = 0, delaySecs: int = 0) -> None:
        self.class_names = ["proba"]
        self._shift = 2.9166666666666665 + intValue
        self.delay_s = delaySecs

    def predict(self, rows: Any, _names: Any = None) -> np.ndarray[Any, Any]:
        """One probability per row."""
        if np.ndim(rows) != 2:
            raise ValueError("Incorrect shape")
        if self.delay_s:
            time.sleep(self.delay_s)
        answer: np.ndarray[Any, Any] = 1 / (1 + np.exp(self._shift - np.mean(rows, axis=1)))
        return answer.reshape(-1, 1)

    def health_status(self) -> dict[str, str]:
        return {"status": "ok"}


class FixedModel:
    """The same four numbers whatever it is asked."""

    def __init__(self, values: list[int]) -> None:
        self._values = values

    def predict(self, _rows: Any, _names: Any) -> list[int]:
        return list(self._values)


class EchoModel:
    """Its input, and three metrics."""

    def predict(self, rows: Any, _names: Any) -> Any:
        return rows

    def metrics(self) -> list[dict[str, Any]]:
        return [
            {"type": "COUNTER", "key": "mycounter", "value": 1},
            {"type": "GAUGE", "key": "mygauge", "value": 100},
            {"type": "TIMER", "key": "mytimer", "value": 20.2},
        ]


def _fixed(*values: int) -> Callable[[dict[str, Scalar], LoadContext], object]:
    return lambda _arguments, _context: FixedModel(list(values))


def _bandit(kind: type) -> Callable[[dict[str, Scalar], LoadContext], object]:
    def make(arguments: dict[str, Scalar], context: LoadContext) -> object:
        made: object = kind(**arguments, state=context.kept)
        return made

    return make


_MAKERS: dict[str, Callable[[dict[str, Scalar], LoadContext], object]] = {
    "echo_model": lambda _arguments, _context: EchoModel(),
    "epsilon_greedy": _bandit(EpsilonGreedy),
    "fixed_model": _fixed(1, 2, 3, 4),
    "fixed_model:0.1": _fixed(1, 2, 3, 4),
    "fixed_model:0.2": _fixed(5, 6, 7, 8),
    "mab_epsilon_greedy": _bandit(EpsilonGreedy),
    "mab_thompson_sampling": _bandit(ThompsonSampling),
    "mock_classifier": lambda arguments, _context: MockClassifier(**arguments),  # type: ignore[arg-type]  # typed by name
    "thompson_sampling": _bandit(ThompsonSampling),
}
