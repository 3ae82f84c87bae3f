"""Every graph of services against a plain reading of the rules."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairlead.dataplane.graph.outcome import StepFailed
from fairlead.plan.model import Enter, Flow, Hop, Merge, Sequence, Split, Switch
from fairlead.protocols import gjson
from support.service_graphs import Service, Walked, hop

KINDS: tuple[type[Flow], ...] = (Split, Switch, Merge, Sequence)
SERVICES: dict[str, tuple[int, bytes]] = {
    "good": (200, b'{"predictions": [1], "label": "dog"}'),
    "empty": (200, b'{"predictions": []}'),
    "list": (200, b"[1, 2]"),
    "text": (200, b"no json"),
    "busy": (503, b'{"error": "busy"}'),
    "broken": (500, b"trace"),
}
CONDITIONS = ("", "label", "predictions.0", "instances", "[@this].#(label==cat)")


@dataclass
class Failed(Exception):
    """The whole graph's."""

    status: int


@dataclass(frozen=True)
class Plain:
    """The rules, without haste and without sockets. A failure of the graph is an exception."""

    nodes: dict[str, Flow]
    share: int

    def run(self, step: Any, body: bytes) -> tuple[int, bytes]:
        if isinstance(step, Enter):
            return self.node(self.nodes[step.name], body)
        return SERVICES[step.unit][0], SERVICES[step.unit][1]

    def node(self, node: Flow, body: bytes) -> tuple[int, bytes]:
        if isinstance(node, Split):
            shares = [one for one in node.hops for _ in range(one.weight)]
            if self.share >= len(shares):
                raise Failed(500)
            return self.run(shares[self.share].step, body)
        if isinstance(node, Switch):
            for one in node.hops:
                if found(body, one.condition):
                    return self.run(one.step, body)
            raise Failed(404)
        return self.merged(node, body) if isinstance(node, Merge) else self.sequence(node, body)

    def merged(self, node: Merge, body: bytes) -> tuple[int, bytes]:
        members: dict[str, Any] = {}
        for one in node.hops:
            status, answer = self.run(one.step, body)
            if one.is_required and not 200 <= status < 300:
                return status, answer
            members[one.label] = value = read(answer)
            if not isinstance(value, dict):
                raise Failed(500)
        return 200, json.dumps(members).encode()

    def sequence(self, node: Sequence, body: bytes) -> tuple[int, bytes]:
        status, answer = 200, b""
        for index, one in enumerate(node.hops):
            if one.condition:
                if read(answer) is NO_JSON:
                    raise Failed(500)
                if not found(answer, one.condition):
                    return 200, answer
            sent = answer if one.takes_answer and index else body
            value = read(sent)
            if one.renames_predictions and isinstance(value, dict) and value.get("predictions"):
                sent = json.dumps({"instances": value["predictions"]}).encode()
            status, answer = self.run(one.step, sent)
            if one.is_required and not 200 <= status < 300:
                return status, answer
        return status, answer


NO_JSON = object()


def read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return NO_JSON


def found(body: bytes, condition: str) -> bool:
    value = read(body)
    return value is not NO_JSON and gjson.exists(value, condition)


@st.composite
def graphs(draw: st.DrawFn) -> list[Flow]:
    """Nodes that lead to later ones alone."""
    count = draw(st.integers(1, 4))
    return [draw(node(index, count)) for index in range(count)]


@st.composite
def node(draw: st.DrawFn, index: int, count: int) -> Flow:
    later = [Enter(name=f"n{other}") for other in range(index + 1, count)]
    targets = st.sampled_from([*SERVICES, *later])
    booleans = st.booleans()
    made = st.builds(one_hop, targets, booleans, st.sampled_from(CONDITIONS), booleans, booleans, st.integers(0, 60))
    hops = draw(st.lists(made, max_size=3))
    labelled = tuple(Hop(**{**as_fields(one), "label": str(at)}) for at, one in enumerate(hops))
    kind = draw(st.sampled_from(KINDS))
    return kind(name=f"n{index}", hops=labelled)


def one_hop(target: Any, required: bool, condition: str, takes: bool, renames: bool, weight: int) -> Hop:
    return hop(
        target,
        "x",
        is_required=required,
        condition=condition,
        takes_answer=takes,
        renames_predictions=renames,
        weight=weight,
    )


def as_fields(one: Hop) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


@given(graphs(), st.integers(0, 99), st.sampled_from([b'{"instances": [1]}', b'{"label": "cat"}', b"[]", b"no json"]))
def test_a_graph_answers_as_the_rules_say(nodes: list[Flow], share: int, body: bytes) -> None:
    services = {name: Service(answer, status) for name, (status, answer) in SERVICES.items()}
    try:
        expected = Plain({one.name: one for one in nodes}, share).node(nodes[0], body)
    except Failed as failed:
        expected = (failed.status, b"")

    async def ask() -> tuple[int, bytes]:
        try:
            outcome = await Walked(*nodes, share=share, **services).ask(body)
        except StepFailed as error:
            return error.http, b""
        return outcome.status, outcome.data

    status, answer = asyncio.run(ask())

    assert status == expected[0]
    assert (read(answer) if read(answer) is not NO_JSON else answer) == (
        read(expected[1]) if read(expected[1]) is not NO_JSON else expected[1]
    )
