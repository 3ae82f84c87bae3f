from typing import Any

import numpy as np
import pytest

from fairlead.runtimes.probe_rows import probe_rows
from support.models import iris


def tree() -> Any:
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(random_state=0, max_depth=2).fit(*iris())


def test_they_are_the_same_each_time() -> None:
    model = tree()

    assert np.array_equal(probe_rows(model, 4), probe_rows(model, 4))


def test_a_tree_is_asked_at_its_thresholds_and_on_both_sides() -> None:
    model = tree()
    feature, threshold = int(model.tree_.feature[0]), float(model.tree_.threshold[0])
    asked = set(probe_rows(model, 4)[:, feature].tolist())

    assert {threshold, np.nextafter(threshold, np.inf), np.nextafter(threshold, -np.inf)} <= asked


def test_thresholds_behind_a_scaler_are_met_from_before_it() -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), tree()).fit(*iris())
    inner = model[-1].tree_
    scaled = model[:-1].transform(probe_rows(model, 4))[:, inner.feature[0]]

    assert np.isclose(scaled, inner.threshold[0], rtol=1e-9, atol=1e-12).sum() >= 3


@pytest.mark.slow
def test_a_model_without_trees_is_asked_where_it_was_trained() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, labels = iris()
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(features + 1000, labels)

    assert np.median(probe_rows(model, 4)[:256]) > 900


def test_a_booster_is_asked_at_its_splits() -> None:
    import xgboost

    features, labels = iris()
    booster = xgboost.train(
        {"objective": "multi:softprob", "num_class": 3, "nthread": 1},
        xgboost.DMatrix(features, label=labels),
        num_boost_round=1,
    )
    line = next(line for line in booster.get_dump()[0].splitlines() if "[f" in line)
    name, _, value = line.partition("[f")[2].partition("]")[0].partition("<")

    assert np.float32(value) in probe_rows(booster, 4)[:, int(name)].astype(np.float32)
