"""scikit-learn models from joblib or pickle files, with the outputs and the oddities of Seldon's server."""

import logging
import warnings
from pathlib import Path
from typing import Any

from fairlead.errors import FairleadError, LoadError
from fairlead.runtimes.artifact import find_file, unreadable
from fairlead.runtimes.base import LoadContext
from fairlead.runtimes.columns import columns_of
from fairlead.runtimes.component import Component
from fairlead.runtimes.failures import unusable
from fairlead.runtimes.libraries import installed_version, need
from fairlead.runtimes.metadata import read_metadata
from fairlead.runtimes.parameters import as_arguments
from fairlead.runtimes.row_wise import RowFunction, looks_at_rows_alone
from fairlead.runtimes.saved_version import saved_version

_log = logging.getLogger(__name__)

_NAMES = ("model.joblib", "model.pickle", "model.pkl")
_SUFFIXES = (".joblib", ".pickle", ".pkl")
_METHODS = ("predict_proba", "predict", "decision_function")


def load(context: LoadContext) -> Component:
    """Load the estimator. The `method` parameter chooses what answers; a word that is no method means predict."""
    unit = context.unit
    need("sklearn", extra="sklearn")
    joblib = need("joblib", extra="sklearn")
    path = find_file(context.folder, names=_NAMES, suffixes=_SUFFIXES, unit=unit.name)
    estimator = _read(path, joblib, unit=unit.name)
    method = str(as_arguments(unit).get("method", "predict_proba"))
    server = _Server(estimator, method if method in _METHODS else "predict", path.parent, unit=unit.name)
    rows = RowFunction(server.function) if server.function and looks_at_rows_alone(estimator) else None
    return Component(server, unit, env=context.env or None, rows=rows, columns=columns_of(estimator))


class _Server:
    """An estimator by the component convention."""

    def __init__(self, estimator: Any, method: str, folder: Path, *, unit: str) -> None:
        self._folder = folder
        self._unit = unit
        self._method = method
        self.function = getattr(estimator, method, None)
        if self.function is None:
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
        """The chosen method's answer. A failure becomes the answer to a `None`, whose text clients know; the real
        reason is in the log (tests/runtimes/test_sklearn.py pins it)."""
        try:
            if self.function is None:
                raise AttributeError(f"the model has no {self._method}")
            return self.function(rows)
        except Exception as error:
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
