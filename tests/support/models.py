"""Real model files made by the real libraries, for every test that serves one.

Training data is scikit-learn's bundled iris set, so nothing is downloaded and every run gives the same model.
Libraries are imported where they are used: most tests need one of them at most.
"""

import copy
import logging
import os
import pickle
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

SETOSA = [5.1, 3.5, 1.4, 0.2]
"""The first row of iris; every model here calls it class 0."""


def iris() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Features [150, 4] and labels 0..2."""
    from sklearn.datasets import load_iris

    features, labels = load_iris(return_X_y=True)
    return features, labels


def iris_classifier() -> Any:
    """A fitted logistic regression; the caller's own copy."""
    return copy.deepcopy(_fitted())


@cache
def _fitted() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000).fit(*iris())


def train_iris_sklearn(folder: Path, name: str = "model.joblib", model: Any = None) -> Path:
    """Write a fitted classifier (or `model`) into `folder`, by joblib or pickle as the name's suffix says."""
    folder.mkdir(parents=True, exist_ok=True)
    fitted = iris_classifier() if model is None else model
    if name.endswith(".joblib"):
        import joblib

        joblib.dump(fitted, folder / name)
    else:
        (folder / name).write_bytes(pickle.dumps(fitted))
    return folder


def train_iris_xgboost(folder: Path, name: str = "model.bst", objective: str = "multi:softprob") -> Path:
    """Write a Booster into `folder` in the format the name's suffix says (`.bst` is UBJSON too)."""
    import xgboost

    folder.mkdir(parents=True, exist_ok=True)
    features, labels = iris()
    settings = {"objective": objective, "num_class": 3, "nthread": 1, "seed": 0}
    booster = xgboost.train(settings, xgboost.DMatrix(features, label=labels), num_boost_round=5)
    raw_format = "json" if name.endswith(".json") else "ubj"
    (folder / name).write_bytes(bytes(booster.save_raw(raw_format)))
    return folder


def made_up_rows(width: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Rows of so many numbers, and two labels."""
    rows = np.random.default_rng(width).uniform(0, 10, size=(40, width))
    return rows, (rows[:, 0] > 5).astype(int)


def model_of(width: int) -> Any:
    """A fitted classifier of so many features."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(*made_up_rows(width))


def save_mlflow_sklearn(folder: Path, model: Any, *, inputs: Any = None) -> Path:
    """Save an estimator as MLflow does, with a signature when example inputs are given."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns about pickles, integers and a missing pip
        import mlflow.models
        import mlflow.sklearn

        logging.getLogger("mlflow").setLevel(logging.ERROR)  # after the import, which sets its level
        signature = None if inputs is None else mlflow.models.infer_signature(inputs)
        mlflow.sklearn.save_model(
            model,
            folder,
            serialization_format="cloudpickle",
            pip_requirements=["scikit-learn"],
            signature=signature,
        )
    return folder


def save_mlflow(folder: Path, flavour: str, requirements: list[str] | None = None) -> Path:
    """Save an iris model as MLflow does; `flavour` is sklearn, xgboost, lightgbm or pyfunc.

    The pyfunc one answers a DataFrame with the columns `total` and `widest`.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns about pickles, type hints and a missing pip
        import mlflow  # noqa: F401

        logging.getLogger("mlflow").setLevel(logging.ERROR)  # after the import, which sets its level
        _savers[flavour](folder, requirements or [])
    return folder


def _save_sklearn(folder: Path, requirements: list[str]) -> None:
    import mlflow.sklearn

    mlflow.sklearn.save_model(
        iris_classifier(), folder, serialization_format="cloudpickle", pip_requirements=requirements or ["scikit-learn"]
    )


def _save_xgboost(folder: Path, requirements: list[str]) -> None:
    import mlflow.xgboost
    import xgboost

    features, labels = iris()
    settings = {"objective": "multi:softprob", "num_class": 3, "nthread": 1, "seed": 0}
    booster = xgboost.train(settings, xgboost.DMatrix(features, label=labels), num_boost_round=5)
    mlflow.xgboost.save_model(booster, folder, pip_requirements=requirements or ["xgboost"])


def _save_lightgbm(folder: Path, requirements: list[str]) -> None:
    import lightgbm
    import mlflow.lightgbm

    features, labels = iris()
    settings = {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1, "seed": 0}
    booster = lightgbm.train(settings, lightgbm.Dataset(features, labels), num_boost_round=5)
    mlflow.lightgbm.save_model(booster, folder, pip_requirements=requirements or ["lightgbm"])


def _save_pyfunc(folder: Path, requirements: list[str]) -> None:
    import mlflow.pyfunc

    source = folder.parent / f"{folder.name}_code.py"
    source.write_text(_PYFUNC)
    mlflow.pyfunc.save_model(folder, python_model=str(source), pip_requirements=requirements or ["pandas"])


_PYFUNC = """
import mlflow.models
import mlflow.pyfunc
import pandas


class Totals(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        rows = pandas.DataFrame(model_input)
        return pandas.DataFrame({"total": rows.sum(axis=1), "widest": rows.max(axis=1)})


mlflow.models.set_model(Totals())
"""

_savers = {"sklearn": _save_sklearn, "xgboost": _save_xgboost, "lightgbm": _save_lightgbm, "pyfunc": _save_pyfunc}
