"""The conventions of users' code, each asked over a worker's socket."""

from pathlib import Path

import pytest

from support.user_files import write
from support.workers import python_unit, running_worker

pytestmark = pytest.mark.slow

KSERVE = """
from kserve import Model
class Mine(Model):
    def __init__(self, name):
        super().__init__(name)
        self.ready = True
    async def predict(self, payload, headers=None):
        return {"predictions": [[n * 2 for n in row] for row in payload["instances"]]}
"""
MLSERVER = """
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, NumpyRequestCodec
class Mine(MLModel):
    async def predict(self, payload):
        return self.encode_response(NumpyCodec.decode_input(payload.inputs[0]) * 2)
"""
PLAIN = "def twice(X):\n    return X * 2\n"


@pytest.mark.parametrize(
    ("source", "target"),
    [(KSERVE, "mine.Mine"), (MLSERVER, "mine.Mine"), (PLAIN, "mine.twice")],
    ids=["kserve", "mlserver", "plain"],
)
def test_a_convention_answers_seldons_clients(tmp_path: Path, source: str, target: str) -> None:
    write(tmp_path, "mine", source)

    with running_worker(python_unit(tmp_path, target)) as worker:
        answer = worker.request(
            "POST", "/api/v1.0/predictions", b'{"data":{"ndarray":[[1,2]]}}', {"Content-Type": "application/json"}
        )

    assert answer.status == 200
    assert b'"ndarray":[[2,4]]' in answer.body
