"""XGBoost boosters from `model.bst`, JSON or UBJSON files, answering `Booster.predict` as Seldon's and KServe's servers
do, or as MLServer's does."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from fairlead.errors import LoadError
from fairlead.runtimes.artifact import unreadable
from fairlead.runtimes.base import MLSERVER, LoadContext
from fairlead.runtimes.columns import columns_of
from fairlead.runtimes.compiled import compiled
from fairlead.runtimes.estimator import Answer, Estimator, EstimatorUnit, TableServer, is_seldon, locate, told
from fairlead.runtimes.failures import translated
from fairlead.runtimes.libraries import need
from fairlead.runtimes.parameters import threads_of

_NAMES = ("model.bst", "model.json", "model.ubj")
_SUFFIXES = (".bst", ".ubj", ".json")


def load(context: LoadContext) -> EstimatorUnit:
    """Load the booster. `nthread` says how many threads one call may use."""
    unit = context.unit
    library = need("xgboost", extra="xgboost")
    path, settings = locate(context, names=_NAMES, suffixes=_SUFFIXES)
    booster = _read(path, library, unit=unit.name)
    booster.set_param({"nthread": threads_of(context)})
    predictor = _Predictor(library, booster)
    answers = _answers(booster, predictor, as_classifier=unit.variant == MLSERVER)
    answers = compiled(context, booster, answers, "predict", width=booster.num_features(), order=("treelite",))
    estimator = Estimator(
        answers=answers,
        default="predict",
        title="XGBoostModel",
        offered=("predict", "predict_proba"),
        platform="xgboost",
        columns=columns_of(booster),
        is_row_wise=True,
        features=tuple(booster.feature_names or ()),
        datatype="FP32",
    )
    translate = _cleaned if is_seldon(context) else _told
    return EstimatorUnit(TableServer(answers["predict"], path.parent, translate), estimator, context, settings)


def _answers(booster: Any, predictor: "_Predictor", *, as_classifier: bool) -> dict[str, Answer]:
    """The methods a request may name. A classifier saved by scikit-learn's interface answers classes where MLServer
    loads it as one; everywhere else `predict` is what the booster says."""
    objective = str(_config(booster)["learner"]["objective"]["name"])
    answers: dict[str, Answer] = {"predict": predictor.predict}
    if objective not in ("binary:logistic", "multi:softprob"):
        return answers
    is_binary = objective == "binary:logistic"

    def probabilities(rows: Any) -> Any:
        given = predictor.predict(rows)
        return np.column_stack([1 - given, given]) if is_binary else given

    answers["predict_proba"] = probabilities
    if as_classifier and json.loads(booster.attr("scikit_learn") or "{}").get("_estimator_type") == "classifier":
        answers["predict"] = lambda rows: probabilities(rows).argmax(axis=1)
    return answers


class _Predictor:
    """A booster's own predictions, by the faster of its two ways where they are the same."""

    def __init__(self, library: Any, booster: Any) -> None:
        self._matrix = library.DMatrix
        self._booster = booster
        self._columns = booster.num_features()
        self._in_place = _config(booster)["learner"]["gradient_booster"]["name"] == "gbtree"

    def predict(self, rows: Any) -> Any:
        """What the booster says of each row: [n] or [n, classes], as its objective has it."""
        if self._in_place and self._is_plain(rows):
            return self._booster.inplace_predict(rows)
        return self._booster.predict(self._matrix(rows))

    def _is_plain(self, rows: Any) -> bool:
        """Whether predicting in place is certain to give the same bytes. It is for trees on finite numbers (dart sums
        in another order, gblinear cannot, `inf` is refused only by a matrix), and saves a third to three quarters of
        the time (190 to 130 us for one row on a quiet core; tests/runtimes/test_xgboost.py holds the equality)."""
        return (
            isinstance(rows, np.ndarray)
            and rows.ndim == 2
            and rows.shape[1] == self._columns
            and rows.dtype.kind in "iuf"
            and not np.isinf(rows).any()
        )


def _config(booster: Any) -> Any:
    return json.loads(booster.save_config())


def _read(path: Path, library: Any, *, unit: str) -> Any:
    """The booster in a file, handed over in memory: given a path, XGBoost 3.2 crashes on some truncated files."""
    content = path.read_bytes()
    if content and not content.lstrip().startswith((b"{", b"<", b"version")):
        raise LoadError(
            f"unit {unit}: {path.name} is not XGBoost's JSON or UBJSON; if it is the old binary format (before 1.6, "
            f"removed in 3.1; {library.__version__} is installed), load it with xgboost<3.1 and save it as model.json"
        )
    booster = library.Booster()
    try:
        if not content.startswith(b"{"):
            raise ValueError("not a JSON or UBJSON object")
        booster.load_model(bytearray(content))
    except Exception as error:
        hint = f"XGBoost {library.__version__} is installed"
        raise unreadable(path, _without_stack(error), what="an XGBoost model", unit=unit, hint=hint) from error
    return booster


# "[13:45:01] /workspace/src/learner.cc:1289: Check failed: … Stack trace: …"
_NOISE = re.compile(r"\[\d\d:\d\d:\d\d\] \S+:\d+: (.*?)\s*(?:Stack trace:.*)?", re.DOTALL)


def _cleaned(error: Exception) -> Exception:
    return translated(_without_stack(error))


def _told(error: Exception) -> Exception:
    return told(_without_stack(error))


def _without_stack(error: Exception) -> Exception:
    """The same error without the place in XGBoost's own source and its stack, which differ from call to call."""
    found = _NOISE.fullmatch(str(error))
    return error if found is None else type(error)(found.group(1))
