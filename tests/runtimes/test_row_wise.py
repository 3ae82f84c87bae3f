from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from fairlead.runtimes.failures import BadData
from fairlead.runtimes.row_wise import RowFunction, looks_at_rows_alone
from support.models import iris


class Foreign(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """A class of somebody's own."""


def test_estimators_of_known_libraries_are_row_wise() -> None:
    assert looks_at_rows_alone(LogisticRegression())
    assert looks_at_rows_alone(make_pipeline(StandardScaler(), LogisticRegression()))


@pytest.mark.parametrize(
    "estimator",
    [
        object(),
        Foreign(),
        make_pipeline(StandardScaler(), Foreign()),
        make_pipeline(FunctionTransformer(lambda rows: rows - rows.mean()), LogisticRegression()),
    ],
)
def test_anything_unknown_inside_is_not(estimator: Any) -> None:
    assert not looks_at_rows_alone(estimator)


def test_one_answer_per_row_is_let_through() -> None:
    assert RowFunction(lambda rows: rows * 2).predict(np.array([[1], [2]])).tolist() == [[2], [4]]


def test_several_outputs_are_not_mistaken_for_rows() -> None:
    features, labels = iris()
    model = MultiOutputClassifier(LogisticRegression(max_iter=1000)).fit(features, np.stack([labels, labels], axis=1))

    with pytest.raises(BadData):
        RowFunction(model.predict_proba).predict(features[:2])


@pytest.mark.parametrize("answer", [[[1]], np.array(1), np.array([1]), None])
def test_an_answer_that_is_not_one_per_row_is_refused(answer: Any) -> None:
    with pytest.raises(BadData):
        RowFunction(lambda rows: answer).predict(np.zeros((2, 2)))
