"""V1 over real models: a scikit-learn file and a KServe model class."""

import json
from pathlib import Path

import pytest

from fairlead.plan.model import Protocol
from fairlead.runtimes import registry
from fairlead.runtimes.base import LoadContext, Servable
from support.models import SETOSA, train_iris_sklearn
from support.serving import Served, call, served, worker_spec
from support.units import unit
from support.user_files import forgotten, load, write

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CLASS = """
from kserve import InvalidInput, Model

class Counter(Model):
    def __init__(self, name):
        super().__init__(name, return_response_headers=True)
        self.ready = True

    async def preprocess(self, payload, headers=None):
        if "instances" not in payload:
            raise InvalidInput("no instances")
        return payload

    def predict(self, payload, headers=None, response_headers=None):
        response_headers["x-seen"] = headers.get("x-request-id", "none")
        rows = payload["instances"]
        return {"predictions": [len(row) for row in rows], "kinds": type(rows[0]).__name__}

    def explain(self, payload, headers=None):
        return {"explanations": payload["instances"]}
"""


def v1(model: Servable) -> Served:
    return served(worker_spec([unit()], call(unit().name), protocol=Protocol.V1), **{str(unit().name): model})


def path(verb: str) -> str:
    return f"/v1/models/{unit().name}:{verb}"


async def test_a_scikit_learn_model_answers_classes_and_names_what_is_wrong_with_a_row(tmp_path: Path) -> None:
    made = unit(runtime="sklearn")
    model = registry.load(LoadContext(unit=made, folder=train_iris_sklearn(tmp_path), protocol=Protocol.V1))

    right = await v1(model).post(path("predict"), {"instances": [SETOSA, [6.8, 2.8, 4.8, 1.4]]})
    wrong = await v1(model).post(path("predict"), {"instances": [[1, 2]]})

    assert right.body == b'{"predictions":[0,1]}'
    assert wrong.status == 400
    assert "expected shape [-1, 4], got [1, 2]" in json.loads(wrong.body)["error"]


async def test_a_kserve_model_gets_objects_in_its_rows_and_sets_headers(tmp_path: Path) -> None:
    with forgotten():
        model = load(unit(code=write(tmp_path, "Counter", CLASS)), protocol=Protocol.V1)
        surface = v1(model)
        rows = await surface.post(path("predict"), {"instances": [{"a": 1, "b": 2}]}, (b"x-request-id", b"r1"))
        ragged = await surface.post(path("predict"), {"instances": [[1], [1, 2]]})
        refused = await surface.post(path("predict"), {"rows": []})
        explained = await surface.post(path("explain"), {"instances": [[1]]})
        model.close()

    assert json.loads(rows.body) == {"predictions": [2], "kinds": "dict"}
    assert b"x-seen: r1\r\n" in rows.headers
    assert json.loads(ragged.body) == {"predictions": [1, 2], "kinds": "list"}
    assert (refused.status, refused.body) == (400, b'{"error":"no instances"}')
    assert explained.body == b'{"explanations":[[1]]}'
