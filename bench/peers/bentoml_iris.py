"""The iris model as a BentoML service with adaptive batching."""

import os

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=1)
class Iris:
    def __init__(self):
        self.model = joblib.load(os.environ["IRIS_MODEL"])

    @bentoml.api(batchable=True, max_batch_size=32)
    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.model.predict_proba(rows)
