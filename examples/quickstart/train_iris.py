"""Trains a small classifier on the iris flowers and saves it as scikit-learn users do."""

import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


def train(folder: Path) -> Path:
    """Fit the model and write `model.joblib` into the folder; gives the file."""
    rows, kinds = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=1000).fit(rows, kinds)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.joblib"
    joblib.dump(model, file)
    return file


if __name__ == "__main__":
    print(train(Path(sys.argv[1] if len(sys.argv) > 1 else "build/quickstart/iris")))
