"""Which module serves which runtime, without importing any of them.

The keys are what `Unit.runtime` says. Units that run elsewhere (`command`, `container`, `remote`) are not here: the
data plane calls them over the network.
"""

import importlib
import os
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from fairlead.errors import UnknownRuntime
from fairlead.runtimes.libraries import need

if TYPE_CHECKING:
    from fairlead.runtimes.base import LoadContext, Servable


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """`libraries` are imported ahead by a nursery; `extra` is what installs them; `settings` are environment
    variables they must find when they are imported, unless the user set them."""

    module: str
    extra: str | None = None
    libraries: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()


_ENTRIES = {
    "art": _Entry(
        module="fairlead.runtimes.explaining.adversary",
        extra="art",
        libraries=("art.attacks.evasion", "art.estimators.classification"),
    ),
    "builtin": _Entry(module="fairlead.runtimes.builtin"),
    "catboost": _Entry(module="fairlead.runtimes.catboost", extra="catboost", libraries=("catboost",)),
    "huggingface": _Entry(
        module="fairlead.runtimes.huggingface",
        extra="huggingface",
        libraries=("torch", "transformers.pipelines", "transformers.models.auto.modeling_auto"),
        settings=(
            ("HF_HUB_OFFLINE", "1"),  # a model server calls nobody it was not told to call
            ("HF_HUB_DISABLE_TELEMETRY", "1"),
            ("TOKENIZERS_PARALLELISM", "false"),  # its threads do not survive a fork
        ),
    ),
    "lightgbm": _Entry(module="fairlead.runtimes.lightgbm", extra="lightgbm", libraries=("lightgbm",)),
    "mlflow": _Entry(
        module="fairlead.runtimes.mlflow",
        extra="mlflow",
        libraries=("pandas", "mlflow.pyfunc"),
        settings=(("MLFLOW_DISABLE_TELEMETRY", "true"),),  # a model server calls nobody it was not told to call
    ),
    "onnx": _Entry(module="fairlead.runtimes.onnx", extra="onnx", libraries=("onnxruntime",)),
    "python": _Entry(module="fairlead.runtimes.python"),
    "pytorch": _Entry(module="fairlead.runtimes.pytorch", extra="pytorch", libraries=("torch",)),
    "sample": _Entry(module="fairlead.runtimes.sample"),
    "shap": _Entry(module="fairlead.runtimes.explaining.shapley", extra="explain", libraries=("shap",)),
    "sklearn": _Entry(
        module="fairlead.runtimes.sklearn",
        extra="sklearn",
        # The modules nearly every pickled estimator asks for; the rest of scikit-learn loads with the model.
        libraries=("joblib", "sklearn.linear_model", "sklearn.ensemble", "sklearn.pipeline", "sklearn.preprocessing"),
    ),
    "tensorflow": _Entry(
        module="fairlead.runtimes.tensorflow",
        extra="tensorflow",
        libraries=("tensorflow",),
        settings=(("TF_CPP_MIN_LOG_LEVEL", "2"),),  # what it says of its processor is no news here
    ),
    "triton": _Entry(module="fairlead.runtimes.triton"),
    "xgboost": _Entry(module="fairlead.runtimes.xgboost", extra="xgboost", libraries=("xgboost",)),
}

_ABSENT = {
    "autogluon": "its library brings several gigabytes; save the predictor's model as scikit-learn, LightGBM or ONNX",
    "paddle": "PaddlePaddle is not among the libraries that are supported; paddle2onnx writes an ONNX model",
    "pmml": "no maintained library without Java reads all of it (docs/model-formats.md); convert the model to ONNX",
    "predictive": "it is one server for several formats; name the format: sklearn, xgboost or lightgbm",
}
"""Formats that other platforms have and this one does not, each with what to do."""


def load(context: "LoadContext") -> "Servable":
    """Load a unit by its runtime. Raises `LoadError`, `MissingExtra` or `UnknownRuntime`."""
    from fairlead.runtimes import shelf, subfolders

    if context.unit.holds_models:
        return shelf.load(context, load)
    module = _module(_entry(context.unit.runtime))
    if subfolders.has_several(context):
        return subfolders.load(context, module.load)
    servable: Servable = module.load(context)
    return servable


def preload(runtime: str) -> None:
    """Import a runtime and its libraries, so that a process forked from this one has them."""
    entry = _entry(runtime)
    _module(entry)
    for library in entry.libraries:
        need(library, extra=entry.extra or "")


def known() -> list[str]:
    """The runtimes there are, whether or not their libraries are installed."""
    return sorted(_ENTRIES)


def extra_of(runtime: str) -> str | None:
    """The extra that installs a runtime's libraries; `None` when it needs none."""
    return _entry(runtime).extra


def _module(entry: _Entry) -> ModuleType:
    for name, value in entry.settings:
        os.environ.setdefault(name, value)
    return importlib.import_module(entry.module)


def _entry(runtime: str) -> _Entry:
    entry = _ENTRIES.get(runtime)
    if entry is None:
        why = f": {_ABSENT[runtime]}" if runtime in _ABSENT else ""
        raise UnknownRuntime(f"no runtime serves {runtime!r}{why}; available: {', '.join(known())}")
    return entry
