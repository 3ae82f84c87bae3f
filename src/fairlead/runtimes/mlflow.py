"""MLflow model folders through MLflow's own pyfunc loader, so every flavour it knows can be served.

Seldon's server builds the model's conda environment first, for minutes. Here one is built only when what is installed
does not meet the model's list (`fairlead.environments`); where that is turned off, what differs is one line of the log.
"""

import contextlib
import logging
import threading
import warnings
from pathlib import Path
from typing import Any

import yaml

from fairlead.errors import LoadError
from fairlead.runtimes.artifact import listing
from fairlead.runtimes.base import Columns, LoadContext
from fairlead.runtimes.columns import columns_of
from fairlead.runtimes.component import Component
from fairlead.runtimes.libraries import need
from fairlead.runtimes.metadata import read_metadata
from fairlead.runtimes.parameters import as_arguments
from fairlead.runtimes.requirements import BadRequirements, Wanted, mlflow_folder, unmet, wanted_by
from fairlead.runtimes.row_wise import RowFunction, looks_at_rows_alone

_log = logging.getLogger(__name__)

_ROW_WISE = frozenset(("mlflow.sklearn", "mlflow.xgboost", "mlflow.lightgbm"))


def load(context: LoadContext) -> Component:
    """Load the model. The `xtype` parameter says what it is given: `ndarray` (the default), or anything else for a
    DataFrame whose columns are the request's names."""
    unit = context.unit
    folder = _model_folder(context.folder, unit=unit.name)
    description = _description(folder, unit=unit.name)
    pandas = need("pandas", extra="mlflow")
    pyfunc = need("mlflow.pyfunc", extra="mlflow")
    _report_requirements(folder, unit=unit.name)
    model = _read(pyfunc, folder, unit=unit.name)
    is_array = as_arguments(unit).get("xtype", "ndarray") == "ndarray"
    server = _Server(model, folder, frame=None if is_array else pandas.DataFrame)
    loader = description["flavors"]["python_function"].get("loader_module")
    rows = _rows_of(model, server, loader) if is_array else None
    return Component(server, unit, env=context.env or None, rows=rows, columns=_columns_of(model))


class _Server:
    """A pyfunc model by the component convention."""

    def __init__(self, model: Any, folder: Path, *, frame: Any) -> None:
        self._model = model
        self._folder = folder
        self._frame = frame
        # The columns of the answer that this thread is about to send: `class_names` is asked right after `predict`.
        self._columns = threading.local()

    def init_metadata(self) -> dict[str, Any]:
        """`metadata.yaml` beside the model."""
        return read_metadata(self._folder)

    def class_names(self) -> list[str] | None:
        """The columns, when the model answered a DataFrame."""
        names: list[str] | None = getattr(self._columns, "names", None)
        return names

    def predict(self, rows: Any, names: Any) -> Any:
        """The model's answer, with DataFrames and Series as arrays."""
        given = rows if self._frame is None else self._frame(rows, columns=names or None)
        answer = self._model.predict(given)
        columns = getattr(answer, "columns", None)
        self._columns.names = None if columns is None else [str(column) for column in columns]
        return answer.to_numpy() if hasattr(answer, "to_numpy") else answer


def _rows_of(model: Any, server: _Server, loader: object) -> RowFunction | None:
    """Rows of several requests together, for the flavours that look at each row alone and were saved without a
    signature (with one, the dtype of a request decides whether it is accepted)."""
    if model.metadata.signature is not None or loader not in _ROW_WISE:
        return None
    if loader == "mlflow.sklearn" and not looks_at_rows_alone(model.get_raw_model()):
        return None
    return RowFunction(lambda rows: server.predict(rows, []))


def _columns_of(model: Any) -> Columns | None:
    """What the signature says, which is what MLflow checks requests against, else what the model inside remembers."""
    signature = model.metadata.signature
    schema = None if signature is None else signature.inputs
    if schema is None:
        # Flavours that wrap nothing refuse to give what they wrap.
        with contextlib.suppress(Exception):
            return columns_of(model.get_raw_model())
        return None
    if not schema.is_tensor_spec():
        kinds = {kind.name for kind in schema.input_types()}
        names = tuple(schema.input_names()) if schema.has_input_names() else ()
        return Columns(count=len(schema.inputs), names=names, whole=kinds <= {"integer", "long"})
    spec = schema.inputs[0]
    if len(schema.inputs) > 1 or len(spec.shape) != 2 or spec.shape[1] < 1:
        return None
    return Columns(count=spec.shape[1], whole=spec.type.kind in "iu")


def _model_folder(folder: Path | None, *, unit: str) -> Path:
    """The folder with the MLmodel file: the artifact's own or its only subfolder that has one."""
    if folder is None:
        raise LoadError(f"unit {unit}: no model to load: modelUri is not set; its folder should hold an MLmodel file")
    found = mlflow_folder(folder)
    if found is not None:
        return found
    raise LoadError(f"unit {unit}: no MLmodel file: found {listing(folder)}; accepted: a folder saved by MLflow")


def _description(folder: Path, *, unit: str) -> dict[str, Any]:
    """What the MLmodel file says; it must have the python_function flavour."""
    try:
        content = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LoadError(f"unit {unit}: MLmodel is not YAML: {error}") from error
    flavours = content.get("flavors") if isinstance(content, dict) else None
    if not isinstance(flavours, dict) or not isinstance(flavours.get("python_function"), dict):
        found = ", ".join(flavours) if isinstance(flavours, dict) else "none"
        raise LoadError(f"unit {unit}: MLmodel has no python_function flavour, which is what is served; found: {found}")
    return {**content, "flavors": flavours}


def _read(pyfunc: Any, folder: Path, *, unit: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # versions, which _report_requirements has said already
        try:
            return pyfunc.load_model(str(folder), suppress_warnings=True)
        except ModuleNotFoundError as error:
            listed = _wanted(folder)
            wanted = ", ".join(listed.requirements if listed else ()) or "not listed"
            raise LoadError(
                f"unit {unit}: the model needs the module {error.name}, which is not installed; "
                f"its requirements: {wanted}"
            ) from error
        except Exception as error:
            differing = "; ".join(_differences(folder))
            because = f"; installed libraries differ: {differing}" if differing else ""
            raise LoadError(
                f"unit {unit}: MLflow cannot load the model: {type(error).__name__}: {error}{because}"
            ) from error


def _report_requirements(folder: Path, *, unit: str) -> None:
    differing = _differences(folder)
    if differing:
        _log.warning(
            "unit %s: the model's own environment is not created and this one differs: %s", unit, "; ".join(differing)
        )


def _differences(folder: Path) -> list[str]:
    wanted = _wanted(folder)
    return unmet(wanted) if wanted is not None else []


def _wanted(folder: Path) -> Wanted | None:
    try:
        return wanted_by(folder)
    except BadRequirements:
        return None  # it was refused before, where an environment was to be made of it
