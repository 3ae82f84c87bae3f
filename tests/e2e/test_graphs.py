"""A router, a combiner and two models through a whole installation, in every protocol that Seldon's manifests know."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.graph_clients import Question, questions
from support.instance import Installation
from support.manifests import images, sdep

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

GRAPH: dict[str, Any] = {
    "name": "router",
    "implementation": "SIMPLE_ROUTER",
    "children": [
        {
            "name": "both",
            "implementation": "AVERAGE_COMBINER",
            "children": [{"name": name, "type": "MODEL"} for name in ("a", "b")],
        }
    ],
}
WAYS = {name: question for name, question in questions().items() if not name.startswith("v1")}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", params=["seldon", "v2", "tensorflow"])
def graph(shared: Installation, request: pytest.FixtureRequest) -> Iterator[tuple[str, Installation]]:
    """The same graph, told to speak one protocol after the other."""
    models = dict.fromkeys(("a", "b"), "seldonio/mock_classifier:1.5.0")
    shared.apply(sdep("dep", images("main", GRAPH, models, replicas=1), protocol=request.param))
    shared.wait_for("dep")
    yield request.param, shared
    shared.delete("dep")


@pytest.mark.parametrize("transport", ["rest", "grpc"])
async def test_a_graph_answers_through_the_gateway(graph: tuple[str, Installation], transport: str) -> None:
    protocol, running = graph
    question: Question = WAYS[f"{protocol}-{transport}"]
    ports = json.loads((running.home / "instance.json").read_text())
    metadata = {"seldon": "dep", "namespace": "default"}

    if question.is_grpc:
        outcome = await question.put(ports["grpcPort"], metadata)
    else:
        outcome = await question.put(ports["port"], prefix="/seldon/default/dep")

    assert outcome.values is not None, outcome
    assert [len(row) for row in outcome.values] == [1, 1]
    assert [row[0] for row in outcome.values] == pytest.approx([0.195221, 0.641870], abs=1e-4)
