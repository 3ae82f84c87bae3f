"""Real files of the formats beyond scikit-learn's, made by their own libraries and kept tiny.

PyTorch and TensorFlow are not in every environment; `needed` says so in the words of the test report.
"""

import functools
import importlib.util
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.models import iris, iris_classifier


def needed(module: str, install: str) -> Any:
    """A library of an optional format, or the test is reported as not run. It is imported at its first use: such
    libraries take seconds, and every process of the suite reads every file of it."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"not run: {module} is not installed ({install})", allow_module_level=True)
    return _OnUse(module)


class _OnUse:
    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)  # pytest asks everything in a file whether it is a fixture
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(importlib.import_module(self._module), name)


def save_onnx(folder: Path, model: Any = None, *, name: str = "model.onnx", **options: Any) -> Path:
    """An estimator converted by skl2onnx; `options` are the converter's for the classifier (zipmap, say)."""
    (folder / name).write_bytes(_onnx_bytes(model, **options))
    return folder


def _onnx_bytes(model: Any, **options: Any) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skl2onnx import to_onnx

        estimator = iris_classifier() if model is None else model
        converted = to_onnx(estimator, iris()[0][:1].astype(np.float32), options={id(estimator): options})
    return bytes(converted.SerializeToString())


def save_onnx_graph(
    folder: Path, inputs: dict[str, tuple[str, list[Any]]], outputs: dict[str, tuple[str, list[Any]]], *nodes: Any
) -> Path:
    """A graph of nodes `(operator, inputs, outputs)`, with its tensors' types (onnx's names) and dimensions."""
    from onnx import TensorProto, helper

    def infos(of: dict[str, tuple[str, list[Any]]]) -> list[Any]:
        return [
            helper.make_tensor_value_info(name, getattr(TensorProto, kind), shape) for name, (kind, shape) in of.items()
        ]

    made = [helper.make_node(operator, given, answered) for operator, given, answered in nodes]
    graph = helper.make_graph(made, "graph", infos(inputs), infos(outputs))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder


@functools.cache
def lightgbm_booster(objective: str = "multiclass") -> Any:
    """A booster of iris."""
    import lightgbm

    features, labels = iris()
    settings = {"objective": objective, "verbose": -1, "num_threads": 1, "seed": 0, "min_data_in_leaf": 5}
    if objective == "multiclass":
        settings["num_class"] = 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lightgbm.train(settings, lightgbm.Dataset(features, labels), num_boost_round=3)


def save_lightgbm(folder: Path, *, name: str = "model.txt", objective: str = "multiclass") -> Path:
    """A booster as text."""
    lightgbm_booster(objective).save_model(folder / name)
    return folder


@functools.cache
def catboost_model(kind: str = "CatBoostClassifier") -> Any:
    """A model of iris of that class."""
    import catboost

    settings = {"iterations": 3, "depth": 2, "thread_count": 1, "allow_writing_files": False, "verbose": False}
    return getattr(catboost, kind)(**settings).fit(*iris())


def save_catboost(folder: Path, *, name: str = "model.cbm", kind: str = "CatBoostClassifier") -> Path:
    """A model in the format the name's suffix says."""
    catboost_model(kind).save_model(str(folder / name), format=Path(name).suffix[1:])
    return folder


def save_tensorflow(folder: Path) -> Path:
    """A SavedModel with two signatures: `serving_default` (x [n, 2] to y = 2 x0 + x1) and `upper` (texts to capitals
    and their lengths)."""
    tf = needed("tensorflow", "make setup")

    class Model(tf.Module):  # type: ignore[misc, name-defined]  # the library has no types
        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])  # type: ignore[untyped-decorator]  # TensorFlow has no types
        def line(self, x: Any) -> Any:
            return {"y": tf.linalg.matvec(x, tf.constant([2.0, 1.0])), "double": x * 2}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])  # type: ignore[untyped-decorator]  # TensorFlow has no types
        def upper(self, text: Any) -> Any:
            return {"upper": tf.strings.upper(text), "length": tf.strings.length(text)}

    model = Model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tf.saved_model.save(model, str(folder), signatures={"serving_default": model.line, "upper": model.upper})
    return folder
