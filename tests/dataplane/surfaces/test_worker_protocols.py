"""A worker in a process of its own speaks the protocols that its revision names, and imports nothing for them that a
cold start must not pay for."""

import json
from pathlib import Path

import pytest

from fairlead.plan.model import Protocol
from support.workers import python_unit, running_worker

pytestmark = pytest.mark.slow

JSON = {"Content-Type": "application/json"}
HEAVY = (
    "google.protobuf",
    "cloudevents",
    "pandas",
    "sklearn",
    "aiohttp",
    "pydantic",
    "fairlead.control",
    "fairlead.cli",
)
LISTS = """
import sys
class Lists:
    def predict(self, X, names):
        return {"modules": sorted(sys.modules), "shape": list(X.shape)}
"""


@pytest.mark.parametrize("protocol", [Protocol.V1, Protocol.TENSORFLOW])
def test_a_worker_answers_its_protocol_and_has_imported_little_for_it(tmp_path: Path, protocol: Protocol) -> None:
    (tmp_path / "Lists.py").write_text(LISTS)
    with running_worker(python_unit(tmp_path, "Lists"), protocol=protocol, max_body_bytes=1000) as worker:
        answer = worker.request("POST", "/v1/models/classifier:predict", b'{"instances": [[1, 2]]}', JSON)
        state = worker.request("GET", "/v1/models/classifier")
        too_long = worker.request("POST", "/v1/models/classifier:predict", b" " * 2000, JSON)

    value = json.loads(answer.body)
    assert value["shape"] == [1, 2]
    assert [name for name in value["modules"] if name.startswith(HEAVY)] == []
    assert state.status == 200
    assert too_long.status == 413
    assert "1000" in json.loads(too_long.body)["error"]
