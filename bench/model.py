"""The model under measurement: logistic regression on scikit-learn's bundled iris data."""

from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


def train(folder: Path) -> Path:
    """Write `model.joblib` into `folder` and give the folder back."""
    data = load_iris()
    joblib.dump(LogisticRegression(max_iter=200).fit(data.data, data.target), folder / "model.joblib")
    return folder
