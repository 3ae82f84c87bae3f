"""The iris model on the KServe SDK's server."""

import os

import joblib
import kserve
import numpy as np


class Iris(kserve.Model):
    def __init__(self):
        super().__init__("iris")
        self.model = joblib.load(os.environ["IRIS_MODEL"])
        self.ready = True

    async def predict(self, payload, headers=None, response_headers=None):
        return {"predictions": self.model.predict_proba(np.array(payload["instances"])).tolist()}


if __name__ == "__main__":
    kserve.ModelServer(http_port=int(os.environ["PEER_PORT"]), enable_grpc=False, workers=1).start([Iris()])
