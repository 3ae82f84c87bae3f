"""Which models may answer rows of several requests in one call, and the check that they did.

A wrong yes here gives somebody another request's answer, so the rule is narrow: classes of libraries that are known
to look at each row alone, all the way down, or a user class that says so itself.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from fairlead.protocols.tensors import DEFAULT_OUTPUT
from fairlead.runtimes.failures import unusable

Array = np.ndarray[Any, Any]

_LIBRARIES = frozenset(("sklearn", "xgboost", "lightgbm"))


class RowFunction:
    """A function of rows as `Rows`. It raises when the answer has not one entry per row (a classifier of several
    outputs gives a list of arrays, for instance); the request is then answered alone."""

    __slots__ = ("_function", "class_names", "output_name")

    def __init__(
        self,
        function: Callable[[Array], Any],
        class_names: list[str] | None = None,
        *,
        output_name: str = DEFAULT_OUTPUT,
    ) -> None:
        self._function = function
        self.class_names = class_names
        self.output_name = output_name

    def predict(self, rows: Array) -> Array:
        answer = self._function(rows)
        if not isinstance(answer, np.ndarray) or answer.ndim == 0 or len(answer) != len(rows):
            raise unusable(answer)
        return answer


def looks_at_rows_alone(estimator: Any) -> bool:
    """Whether an estimator and every estimator inside it come from a known library. A FunctionTransformer runs
    anything, a whole batch's mean included."""
    get_params = getattr(estimator, "get_params", None)
    if get_params is None:
        return False
    inner = (part for part in get_params(deep=True).values() if hasattr(part, "get_params"))
    return all(_is_known(type(part)) for part in (estimator, *inner) if not isinstance(part, type))


def _is_known(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in _LIBRARIES and kind.__name__ != "FunctionTransformer"
