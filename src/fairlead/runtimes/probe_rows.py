"""Rows to compare two versions of one model on, made from what the model itself tells of its input.

Deterministic. Trees are asked at their thresholds and one rounding step beside them, which is where a copy that keeps
numbers in another width goes wrong first; everything else is asked where it was trained, as far as a scaler tells.
"""

import json
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_PLAIN = 256
_THRESHOLDS = 400
"""Asked at in all; each in six rows."""


def probe_rows(model: Any, width: int) -> Array:
    """Some hundreds of rows of float64, [n, width]."""
    draw = np.random.default_rng(0)
    center, spread = _range(model, width)
    rows = [center + spread * draw.standard_normal((_PLAIN, width)), draw.standard_normal((_PLAIN, width)) * 10.0]
    rows.append(np.zeros((1, width)))
    at = _threshold_rows(model, draw.permutation(rows[0]), draw)
    return np.concatenate([*rows, at]) if len(at) else np.concatenate(rows)


def _range(model: Any, width: int) -> tuple[Array, Array]:
    """Where its input was in training: what its first scaler remembers, else between its thresholds."""
    for step in _steps(model):
        low, high = getattr(step, "data_min_", None), getattr(step, "data_max_", None)
        if low is not None and high is not None and len(low) == width:
            return (low + high) / 2, (high - low) / 2 + 1e-9
        mean, scale = getattr(step, "mean_", None), getattr(step, "scale_", None)
        if mean is not None and scale is not None and np.shape(mean) == (width,) == np.shape(scale):
            return mean, scale
    center, spread = np.zeros(width), np.ones(width)
    for feature, values in _thresholds(model).items():
        if feature < width:
            center[feature], spread[feature] = np.mean(values), np.ptp(values) / 2 + 1.0
    return center, spread


def _threshold_rows(model: Any, base: Array, draw: np.random.Generator) -> Array:
    """Rows that lie on a threshold and beside it, behind whatever scales the input."""
    thresholds = _thresholds(model)
    inner = _scaled(model, base)
    if inner is None:
        return base[:0]
    most = max(1, _THRESHOLDS // max(1, len(thresholds)))
    made: list[Array] = []
    for feature, values in sorted(thresholds.items()):
        if feature >= inner.shape[1]:
            continue
        chosen = values if len(values) <= most else draw.choice(values, most, replace=False)
        for value in chosen:
            for beside in _beside(float(value)):
                row = inner[len(made) % len(inner)].copy()
                row[feature] = beside
                made.append(row)
    if not made:
        return base[:0]
    return _unscaled(model, np.array(made), base)


def _beside(value: float) -> Iterator[float]:
    """The value, and its neighbours in both widths of numbers."""
    narrow = np.float32(value)
    yield from (value, float(narrow))
    for towards in (-np.inf, np.inf):
        yield float(np.nextafter(value, towards))
        yield float(np.nextafter(narrow, np.float32(towards)))


def _steps(model: Any) -> list[Any]:
    """The steps of a pipeline, else the model alone."""
    steps = getattr(model, "steps", None)
    return [step for _, step in steps] if isinstance(steps, list) else [model]


def _scaled(model: Any, rows: Array) -> Array | None:
    steps = _steps(model)
    if len(steps) == 1:
        return rows
    try:
        scaled = model[:-1].transform(rows)
    except Exception:
        return None  # steps that take no numbers have no thresholds on them either
    return scaled if isinstance(scaled, np.ndarray) and scaled.ndim == 2 else None


def _unscaled(model: Any, rows: Array, base: Array) -> Array:
    if len(_steps(model)) == 1:
        return rows
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(model[:-1].inverse_transform(rows), dtype=np.float64)
    except Exception:
        return base[:0]  # there is no way back through these steps


def _thresholds(model: Any) -> Mapping[int, Array]:
    """Of every tree inside, by feature."""
    found: dict[int, list[float]] = {}
    for feature, value in _splits(_steps(model)[-1]):
        found.setdefault(feature, []).append(value)
    return {feature: np.unique(values) for feature, values in found.items()}


def _splits(model: Any) -> Iterator[tuple[int, float]]:
    tree = getattr(model, "tree_", None)
    if tree is not None:
        splits = tree.children_left != -1
        yield from zip(tree.feature[splits].tolist(), tree.threshold[splits].tolist(), strict=True)
        return
    if hasattr(model, "get_dump"):
        for text in model.get_dump(dump_format="json"):
            yield from _of_xgboost(json.loads(text), list(model.feature_names or ()))
        return
    if hasattr(model, "dump_model"):
        for one in model.dump_model()["tree_info"]:
            yield from _of_lightgbm(one["tree_structure"])
        return
    for stage in getattr(model, "_predictors", ()):
        for predictor in stage:
            nodes = predictor.nodes[predictor.nodes["is_leaf"] == 0]
            yield from zip(nodes["feature_idx"].tolist(), nodes["num_threshold"].tolist(), strict=True)
    for inner in np.ravel(np.asarray(getattr(model, "estimators_", ()), dtype=object)):
        yield from _splits(inner)


def _of_xgboost(node: Mapping[str, Any], names: list[str]) -> Iterator[tuple[int, float]]:
    if "split" not in node:
        return
    name, value = str(node["split"]), node["split_condition"]
    feature = names.index(name) if name in names else int(name.lstrip("f") or 0)
    if isinstance(value, int | float):  # else it asks for categories
        yield feature, float(value)
    for child in node["children"]:
        yield from _of_xgboost(child, names)


def _of_lightgbm(node: Mapping[str, Any]) -> Iterator[tuple[int, float]]:
    if "split_feature" not in node:
        return
    if node.get("decision_type") == "<=":
        yield int(node["split_feature"]), float(node["threshold"])
    for side in ("left_child", "right_child"):
        yield from _of_lightgbm(node[side])
