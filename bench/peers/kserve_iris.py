"""The iris model on the KServe SDK's server."""

import os

import joblib
import kserve
import numpy as np
from kserve.utils.utils import get_predict_response


class Iris(kserve.Model):
    def __init__(self):
        super().__init__("iris")
        self.model = joblib.load(os.environ["IRIS_MODEL"])
        self.ready = True

    async def predict(self, payload, headers=None, response_headers=None):
        if isinstance(payload, kserve.InferRequest):
            rows = payload.inputs[0].as_numpy()
            return get_predict_response(payload, self.model.predict_proba(rows), self.name)
        return {"predictions": self.model.predict_proba(np.array(payload["instances"])).tolist()}


if __name__ == "__main__":
    grpc_port = int(os.environ.get("PEER_GRPC_PORT", "0"))
    kserve.ModelServer(
        http_port=int(os.environ["PEER_PORT"]), grpc_port=grpc_port, enable_grpc=bool(grpc_port), workers=1
    ).start([Iris()])
