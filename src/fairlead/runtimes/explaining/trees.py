"""Models of trees that TreeSHAP reads: where their file is, and the model in it."""

from pathlib import Path
from typing import Any

from fairlead.errors import LoadError
from fairlead.runtimes.artifact import unreadable
from fairlead.runtimes.libraries import need

_SKLEARN = (".joblib", ".pkl", ".pickle")
_XGBOOST = (".bst", ".ubj", ".json")
_LIGHTGBM = (".txt",)
_CATBOOST = (".cbm",)
_NOT_MODELS = frozenset(("metadata.json", "model-settings.json", "settings.json", "requirements.txt", "readme.txt"))


def find_trees(folder: Path | None, background: Path | None) -> Path | None:
    """The only file that may be a model; `None` when there is none."""
    if folder is None:
        return None
    suffixes = (*_SKLEARN, *_XGBOOST, *_LIGHTGBM, *_CATBOOST)
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix in suffixes]
    found = [path for path in files if path != background and path.name.lower() not in _NOT_MODELS]
    return found[0] if len(found) == 1 else None


def read_trees(path: Path, *, unit: str) -> Any:
    """The model in a file. Of a pipeline of scikit-learn's with one step, that step. Raises `LoadError`."""
    try:
        return _read(path)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, EOFError, ImportError) as error:
        raise unreadable(path, error, what="a model of trees", unit=unit) from error


def _read(path: Path) -> Any:
    if path.suffix in _XGBOOST:
        model = need("xgboost", extra="xgboost").Booster()
        model.load_model(path)
        return model
    if path.suffix in _LIGHTGBM:
        return need("lightgbm", extra="lightgbm").Booster(model_file=str(path))
    if path.suffix in _CATBOOST:
        return need("catboost", extra="catboost").CatBoost().load_model(str(path))
    model = need("joblib", extra="sklearn").load(path)
    steps = getattr(model, "steps", None)
    if steps is None:
        return model
    if len(steps) == 1:
        return steps[0][1]
    raise LoadError(
        f"{path.name} is a pipeline of {len(steps)} steps, which TreeSHAP cannot look through; use --explainer kernel "
        "with a background table"
    )
