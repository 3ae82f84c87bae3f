"""The iris model as a class for seldon-core-microservice."""

import os

import joblib


class seldon_iris:  # noqa: N801 - the wrapper wants the class to be called like its module
    def __init__(self):
        self.model = joblib.load(os.environ["IRIS_MODEL"])

    def predict(self, X, names, meta=None):
        return self.model.predict_proba(X)
