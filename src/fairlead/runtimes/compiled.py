"""Answers a model's requests from a compiled copy, if that is asked for and gives the same answers.

The parameter `compile` of a unit says to what: `onnx`, `treelite`, `auto` (whichever is faster than the model), or
`off`. A copy is used only for plain tables of finite numbers; for anything else, and for whatever goes wrong, the model
itself answers, so errors and oddities stay the model's own. One line of the log says what became of it.
"""

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from fairlead.runtimes.base import LoadContext
from fairlead.runtimes.compilers import Candidate, to_onnx, to_treelite
from fairlead.runtimes.failures import BadParameter
from fairlead.runtimes.parameters import as_arguments, threads_of
from fairlead.runtimes.probe_rows import probe_rows

_log = logging.getLogger(__name__)

ATOL, RTOL = 1e-6, 1e-5
"""A number of the copy may be this far from the model's: ATOL + RTOL times the model's. Labels must be the same."""

Array = np.ndarray[Any, Any]
Answer = Callable[[Any], Any]
_COMPILERS = {"onnx": to_onnx, "treelite": to_treelite}
_CHOICES = ("onnx", "treelite", "auto", "off")
_METHODS = ("predict", "predict_proba")
_ROUNDS = 5


class _Differs(Exception):
    """A copy does not answer as the model."""


def compiled(
    context: LoadContext, model: Any, answers: Mapping[str, Answer], method: str, *, width: int, order: tuple[str, ...]
) -> dict[str, Answer]:
    """The answers, that of `method` from a compiled copy where one is asked for and agrees. `order` are the compilers
    that `auto` tries. Never fails for anything but a value of the parameter that means nothing."""
    asked = str(as_arguments(context.unit).get("compile", "off")).lower()
    if asked not in _CHOICES:
        raise BadParameter(f"unit {context.unit.name}: compile is {asked!r}; accepted: {', '.join(_CHOICES)}")
    kept = dict(answers)
    if asked == "off":
        return kept
    name = context.unit.name
    if method not in _METHODS or method not in answers or width < 1:
        _log.warning("unit %s: not compiled: only predict and predict_proba of numeric columns are", name)
        return kept
    original = answers[method]
    refusals = []
    for target in order if asked == "auto" else (asked,):
        try:
            kept[method], told = _first_that_agrees(
                _COMPILERS[target](model, method, width=width, threads=threads_of(context)),
                original,
                probe_rows(model, width),
                must_be_faster=asked == "auto",
            )
        # Whatever a converter or its runtime says of a model it does not know: the model is here and answers.
        except Exception as error:
            refusals.append(f"{target}: {_in_a_line(error)}")
            continue
        _log.info("unit %s: compiled to %s", name, told)
        return kept
    _log.warning("unit %s: not compiled, the model itself answers: %s", name, "; ".join(refusals))
    return kept


def _first_that_agrees(
    candidates: Iterator[Candidate], original: Answer, rows: Array, *, must_be_faster: bool
) -> tuple[Answer, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of columns without names, say, which the model was fitted with
        wanted = np.asarray(original(rows))
        reasons = []
        for candidate in candidates:
            answer = _guarded(candidate, original, wanted, rows.shape[1])
            try:
                _compare(wanted, answer(rows, or_else=None))
            except _Differs as error:
                reasons.append(f"{candidate.what} {error}")
                continue
            speeds = [(_seconds(original, rows[:count]), _seconds(answer, rows[:count])) for count in (1, 32)]
            if must_be_faster and sum(after for _, after in speeds) >= sum(before for before, _ in speeds):
                reasons.append(f"{candidate.what} is not faster ({_told(speeds)})")
                continue
            agree = f"agrees on {len(rows)} probe rows within {ATOL:g} + {RTOL:g} of the value"
            return answer, f"{candidate.what}: {agree}; {_told(speeds)}"
    raise _Differs("; ".join(reasons))


def _guarded(candidate: Candidate, original: Answer, example: Array, width: int) -> Callable[..., Any]:
    """The copy for rows it was compared on, the model for all others. `or_else` answers these in its place."""
    function, dtype, kind, shape = candidate.function, candidate.dtype, example.dtype, example.shape[1:]

    def answer(rows: Any, or_else: Answer | None = original) -> Any:
        if isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.shape[1] == width and rows.dtype.kind in "iuf":
            narrow: Array = np.ascontiguousarray(rows, dtype=dtype)
            # Also false for what was finite before it was made narrow.
            if len(rows) and np.isfinite(narrow).all():
                return function(narrow).astype(kind, copy=False).reshape(len(rows), *shape)
        if or_else is None:
            raise _Differs("cannot take the probe rows")
        return or_else(rows)

    return answer


def _compare(wanted: Array, given: Array) -> None:
    if wanted.shape != given.shape:
        raise _Differs(f"answers the shape {list(given.shape)} and not {list(wanted.shape)}")
    if wanted.dtype.kind != "f":
        different = int((wanted != given).sum())
        if different:
            raise _Differs(f"answers another label for {different} of {len(wanted)} probe rows")
        return
    if not np.allclose(given, wanted, rtol=RTOL, atol=ATOL, equal_nan=True):
        raise _Differs(f"differs by up to {np.nanmax(np.abs(given - wanted)):.3g} on the probe rows")


def _seconds(answer: Answer, rows: Array) -> float:
    """Of one call, the best of a few."""
    best = float("inf")
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        answer(rows)
        best = min(best, time.perf_counter() - started)
    return best


def _told(speeds: list[tuple[float, float]]) -> str:
    (one_before, one_after), (many_before, many_after) = ((before * 1e6, after * 1e6) for before, after in speeds)
    return f"1 row {one_before:.0f} -> {one_after:.0f} us, 32 rows {many_before:.0f} -> {many_after:.0f} us"


def _in_a_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return (text if isinstance(error, _Differs) else f"{type(error).__name__}: {text}")[:300]
