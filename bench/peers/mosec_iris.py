"""The iris model on mosec, one worker, batches of up to 32."""

import os

import joblib
import numpy as np
from mosec import Server, Worker


class Iris(Worker):
    def __init__(self):
        self.model = joblib.load(os.environ["IRIS_MODEL"])

    def forward(self, data):
        rows = np.array([item["data"]["ndarray"][0] for item in data])
        return [{"data": {"ndarray": [row]}} for row in self.model.predict_proba(rows).tolist()]


if __name__ == "__main__":
    server = Server()
    server.append_worker(Iris, num=1, max_batch_size=32, max_wait_time=1)
    server.run()
