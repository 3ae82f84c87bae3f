"""CatBoost models from `.cbm` or JSON files: classifiers, regressors and rankers, as their own library would answer.

A model file does not say which class saved it, its loss function does. Text features and embeddings are taken as the
library takes them: a column of strings.
"""

from pathlib import Path
from typing import Any

import numpy as np

from fairlead.errors import LoadError
from fairlead.protocols.tensors import Array, tensor
from fairlead.runtimes.artifact import unreadable
from fairlead.runtimes.base import Columns, LoadContext, TensorSpec
from fairlead.runtimes.estimator import (
    Answer,
    Estimator,
    EstimatorUnit,
    TableServer,
    answer_spec,
    is_seldon,
    locate,
    told,
)
from fairlead.runtimes.failures import BadParameter, translated
from fairlead.runtimes.libraries import need
from fairlead.runtimes.parameters import as_arguments, threads_of

_NAMES = ("model.cbm", "model.json")
_SUFFIXES = (".cbm", ".json")
_MAGIC = b"CBM1"


def load(context: LoadContext) -> EstimatorUnit:
    """Load the model. `method` chooses what answers by default: `predict` (classes of a classifier, values of others),
    `predict_proba`, `predict_log_proba` or `raw`. `nthread` says how many threads one call may use."""
    unit = context.unit
    library = need("catboost", extra="catboost")
    path, settings = locate(context, names=_NAMES, suffixes=_SUFFIXES)
    model = _read(path, library, unit=unit.name)
    answers = _answers(model, threads_of(context))
    method = str(as_arguments(unit).get("method", "predict"))
    if method not in answers:
        raise BadParameter(f"unit {unit.name}: parameter method is {method!r}; this model has {', '.join(answers)}")
    names = tuple(model.feature_names_ or ())
    width = len(names)
    special = bool(model.get_cat_feature_indices() or model.get_text_feature_indices())
    estimator = Estimator(
        answers=answers,
        default=method,
        title="CatboostModel",
        offered=tuple(answers),
        platform="catboost",
        columns=Columns(count=width) if width else None,
        is_row_wise=not special,  # batches are arrays of numbers, and these models want strings among them
        features=() if names == tuple(map(str, range(width))) else names,
        datatype="FP32",
        outputs=_outputs(model),
    )
    translate = translated if is_seldon(context) else _told
    return EstimatorUnit(TableServer(answers[method], path.parent, translate), estimator, context, settings)


def _answers(model: Any, threads: int) -> dict[str, Answer]:
    """The predictions a model has, by method."""

    def kind(prediction_type: str) -> Answer:
        return lambda rows: _listed(model.predict(_given(rows), prediction_type=prediction_type, thread_count=threads))

    if not _is_classifier(model):
        return {"predict": kind("RawFormulaVal"), "raw": kind("RawFormulaVal")}
    return {
        "predict": kind("Class"),
        "predict_proba": kind("Probability"),
        "predict_log_proba": kind("LogProbability"),
        "raw": kind("RawFormulaVal"),
    }


def _given(rows: Any) -> Any:
    """Arrays of texts as arrays of objects, which the library wants for columns of words."""
    return rows.astype(object) if isinstance(rows, np.ndarray) and rows.dtype.kind == "U" else rows


def _listed(answer: Any) -> Array:
    """Classes come as a column where there are more than two and as a list where there are two: always a list."""
    array = np.asarray(answer)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _is_classifier(model: Any) -> bool:
    return len(model.classes_) > 0


def _outputs(model: Any) -> dict[str, TensorSpec]:
    if not _is_classifier(model):
        return {"predict": answer_spec(1, "FP64"), "raw": answer_spec(1, "FP64")}
    classes = np.asarray(model.classes_)
    return {"predict": answer_spec(1, tensor("", classes).datatype), "predict_proba": answer_spec(len(classes), "FP64")}


def _read(path: Path, library: Any, *, unit: str) -> Any:
    """The model in a file."""
    is_json = path.suffix == ".json"
    with path.open("rb") as file:
        head = file.read(len(_MAGIC))
    model = library.CatBoost()
    try:
        if not is_json and head != _MAGIC:
            raise ValueError(f"the file does not start with {_MAGIC.decode()}")
        model.load_model(str(path), format="json" if is_json else "cbm")
    except Exception as error:
        raise unreadable(path, _without_place(error), what="a CatBoost model", unit=unit) from error
    if not model.feature_names_:  # the library reads any JSON object as a model of nothing
        raise LoadError(f"unit {unit}: {path.name} holds no CatBoost model: it has no features")
    return model


def _told(error: Exception) -> Exception:
    """What the library says of a table it cannot use, without the place in its source."""
    if type(error).__name__ == "CatBoostError":
        return told(_without_place(error))
    return told(error)


def _without_place(error: Exception) -> Exception:
    """The same words without the file and line of the library's source that they start with."""
    text = str(error)
    place, colon, words = text.partition(": ")
    return ValueError(words if (colon and ".cpp:" in place) or ".h:" in place else text)
