"""scikit-learn models from joblib or pickle files, with the outputs of Seldon's, KServe's and MLServer's servers and
the oddities of the first."""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from fairlead.errors import FairleadError, LoadError
from fairlead.protocols.tensors import tensor
from fairlead.runtimes.artifact import unreadable
from fairlead.runtimes.base import LoadContext, TensorSpec
from fairlead.runtimes.columns import columns_of
from fairlead.runtimes.compiled import compiled
from fairlead.runtimes.estimator import Answer, Estimator, EstimatorUnit, answer_spec, is_seldon, locate, told
from fairlead.runtimes.failures import unusable
from fairlead.runtimes.libraries import installed_version, need
from fairlead.runtimes.metadata import read_metadata
from fairlead.runtimes.parameters import as_arguments, is_true
from fairlead.runtimes.row_wise import looks_at_rows_alone
from fairlead.runtimes.saved_version import saved_version

_log = logging.getLogger(__name__)

_NAMES = ("model.joblib", "model.pickle", "model.pkl")
_SUFFIXES = (".joblib", ".pickle", ".pkl")
_METHODS = ("predict_proba", "predict", "decision_function")


def load(context: LoadContext) -> EstimatorUnit:
    """Load the estimator. The `method` parameter chooses what answers; a word that is no method means predict."""
    unit = context.unit
    need("sklearn", extra="sklearn")
    joblib = need("joblib", extra="sklearn")
    path, settings = locate(context, names=_NAMES, suffixes=_SUFFIXES)
    model = _read(path, joblib, unit=unit.name)
    method = _method(context)
    answers = _answers(model, str(settings.extra.get("predict_fn", "predict")))
    columns = columns_of(model)
    width = columns.count if columns is not None else 0
    answers = compiled(context, model, answers, method, width=width, order=("onnx", "treelite"))
    server = _Server(model, method, answers.get(method), path.parent, unit=unit.name, is_seldon=is_seldon(context))
    features = getattr(model, "feature_names_in_", ())
    estimator = Estimator(
        answers=answers,
        default=method,
        title="SKLearnModel",
        offered=("predict", "predict_proba", "transform"),
        platform="sklearn",
        columns=columns,
        is_row_wise=looks_at_rows_alone(model),
        features=tuple(str(name) for name in features),
        outputs=_outputs(model),
    )
    if estimator.features and not is_seldon(context):
        need("pandas", extra="sklearn")  # for requests that name their columns; now rather than in the first of them
    return EstimatorUnit(server, estimator, context, settings)


def _method(context: LoadContext) -> str:
    """What answers when a request does not say: probabilities to Seldon's clients and classes to all others, unless
    the unit says otherwise (KServe's server has a variable for it)."""
    asked = as_arguments(context.unit).get("method")
    if asked is not None:
        return str(asked) if asked in _METHODS else "predict"
    if is_seldon(context) or is_true(context.env.get("PREDICT_PROBA", "")):
        return "predict_proba"
    return "predict"


def _answers(model: Any, predict: str) -> dict[str, Any]:
    """The methods a request may name. `predict` is the method that is called by that name."""
    methods = {name: getattr(model, name, None) for name in (*_METHODS, "transform")}
    methods["predict"] = getattr(model, predict, None)
    return {name: method for name, method in methods.items() if method is not None}


def _outputs(model: Any) -> dict[str, TensorSpec]:
    """What a classifier says of its answers."""
    classes = getattr(model, "classes_", None)
    if not isinstance(classes, np.ndarray) or classes.ndim != 1:
        return {}
    label = tensor("", classes).datatype
    return {"predict": answer_spec(1, label), "predict_proba": answer_spec(len(classes), "FP64")}


class _Server:
    """An estimator by the component convention."""

    def __init__(
        self, estimator: Any, method: str, answer: Answer | None, folder: Path, *, unit: str, is_seldon: bool
    ) -> None:
        self._folder = folder
        self._unit = unit
        self._method = method
        self._answer = answer
        self._is_seldon = is_seldon
        if answer is None:
            offered = ", ".join(name for name in _METHODS if hasattr(estimator, name))
            _log.error(
                "unit %s: %s has no %s, so every request will fail; set the parameter method to one of: %s",
                unit,
                type(estimator).__name__,
                method,
                offered,
            )

    def init_metadata(self) -> dict[str, Any]:
        """`metadata.yaml` beside the model."""
        return read_metadata(self._folder)

    def predict(self, rows: Any, _names: Any = None) -> Any:
        """The chosen method's answer. To Seldon's clients a failure becomes the answer to a `None`, whose text they
        know; the real reason is in the log (tests/runtimes/test_sklearn.py pins it)."""
        try:
            if self._answer is None:
                raise AttributeError(f"the model has no {self._method}")
            return self._answer(rows)
        except Exception as error:
            if not self._is_seldon:
                raise told(error) from error
            _log.error("unit %s: %s failed", self._unit, self._method, exc_info=error)
            raise unusable(None) from error


def _read(path: Path, joblib: Any, *, unit: str) -> Any:
    """The estimator in a file. A version that is not ours is one line in the log, or the reason why it fails."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            estimator = joblib.load(path)
        except Exception as error:
            raise _refusal(path, error, unit=unit) from error
    wanted = next((w for w in (_version_of(warning.message) for warning in caught) if w), None)
    if wanted is not None:
        _log.warning(
            "unit %s: %s was saved with scikit-learn %s and %s is installed; answers may differ",
            unit,
            path.name,
            wanted,
            installed_version("scikit-learn"),
        )
    if not hasattr(estimator, "predict"):
        raise LoadError(f"unit {unit}: {path.name} holds a {type(estimator).__name__}, not a model with predict()")
    return estimator


def _version_of(message: object) -> str | None:
    """The version in scikit-learn's InconsistentVersionWarning."""
    version = getattr(message, "original_sklearn_version", None)
    return version if isinstance(version, str) else None


def _refusal(path: Path, error: Exception, *, unit: str) -> FairleadError:
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("sklearn"):
        name = error.name.split(".")[0]
        return LoadError(f"unit {unit}: {path.name} needs the module {name}, which is not installed: {error}")
    wanted, installed = saved_version(path), installed_version("scikit-learn")
    if wanted is None or wanted == installed:
        return unreadable(path, error, what="a joblib or pickle file", unit=unit)
    return LoadError(
        f"unit {unit}: {path.name} was saved with scikit-learn {wanted} and {installed} cannot read it "
        f"({type(error).__name__}: {error}); install scikit-learn=={wanted} or save the model again"
    )
