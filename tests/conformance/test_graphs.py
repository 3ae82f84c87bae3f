"""Transformer, router, two models, combiner and output transformer under every protocol, over REST and gRPC, with the
units in the worker or behind addresses: one suite, because a graph is the same wherever its units are.

Seldon's own orchestrator crashes in several of these; here each has an answer.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from fairlead.dataplane.net.server import HttpServer
from fairlead.dataplane.spec import Placement, TcpSocket, WorkerSpec
from fairlead.plan.model import Branch, Chain, Feedback, Method, Protocol, Step, UnitName
from fairlead.protocols import protos
from fairlead.protocols.streaming import is_streamed
from fairlead.runtimes.base import Servable
from fairlead.runtimes.component import Component
from support.graph_clients import ROWS, Outcome, Question, post, questions
from support.grpc_calls import Caller
from support.grpc_servers import grpc_server
from support.serving import Served, call, served, unit, worker_spec

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NAMES = ("scale", "router", "a", "b", "combiner", "last")
WAYS = questions()
HTTP_AND_GRPC, HTTP_ALONE, GRPC_ALONE = "http and grpc", "http alone", "grpc alone"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Scale:
    def transform_input(self, rows: Any, names: Any) -> Any:
        return rows * 10


class Router:
    def __init__(self, branch: int) -> None:
        self.branch = branch
        self.rewards: list[tuple[float, Any]] = []

    def route(self, rows: Any, names: Any) -> int:
        assert isinstance(rows, np.ndarray)
        return self.branch

    def send_feedback(self, rows: Any, names: Any, reward: float, truth: Any, routing: Any = None) -> Any:
        self.rewards.append((reward, routing))
        return []


class Model:
    def __init__(self, plus: float) -> None:
        self.plus = plus
        self.rewards: list[float] = []

    def predict(self, rows: Any, names: Any) -> Any:
        return rows + self.plus

    def send_feedback(self, rows: Any, names: Any, reward: float, truth: Any, routing: Any = None) -> Any:
        self.rewards.append(reward)
        return []


class Failing:
    """Raises whatever it is asked."""

    def predict(self, rows: Any, names: Any) -> Any:
        raise ValueError("out of order")

    transform_input = transform_output = route = aggregate = predict


class Combiner:
    def aggregate(self, answers: Any, names: Any) -> Any:
        return np.sum(answers, axis=0)


class Last:
    def transform_output(self, rows: Any, names: Any) -> Any:
        return rows - 1


def targets(branch: int = -1) -> dict[str, Any]:
    return {
        "scale": Scale(),
        "router": Router(branch),
        "a": Model(1),
        "b": Model(2),
        "combiner": Combiner(),
        "last": Last(),
    }


def graph() -> Step:
    branch = Branch(
        name=UnitName("router"),
        choices=(call("a"), call("b")),
        route=UnitName("router"),
        combine=UnitName("combiner"),
    )
    return Chain(steps=(call("scale", Method.TRANSFORM_INPUT), branch, call("last", Method.TRANSFORM_OUTPUT)))


def rewarding() -> Feedback:
    children = (Feedback(unit=UnitName("a"), accepts=True), Feedback(unit=UnitName("b"), accepts=True))
    return Feedback(unit=UnitName("router"), accepts=True, children=children)


def loaded(made: dict[str, Any], *names: str) -> dict[str, Servable]:
    return {name: Component(made[name], unit(name), env={}) for name in names}


@asynccontextmanager
async def port_of(one: Served) -> AsyncIterator[int]:
    server = HttpServer(one.handler, streams=is_streamed)
    port = await server.listen(TcpSocket("127.0.0.1", 0))
    try:
        yield port
    finally:
        await server.drain(0)
        one.executor.close()


def whole(protocol: Protocol, placements: list[Placement], **fields: Any) -> WorkerSpec:
    """The graph's worker. Units beside it are workers of ours, unless they are to speak gRPC alone."""
    beside = {placement.unit for placement in placements if placement.address != placement.grpc_address}
    ours = [replace(unit(name), http_port=9000 if name in beside else 0) for name in NAMES]
    spec = worker_spec(ours, graph(), protocol=protocol, feedback=rewarding(), **fields)
    return msgspec.structs.replace(spec, placements=placements)


@asynccontextmanager
async def world(
    protocol: Protocol, made: dict[str, Any], *, apart: tuple[str, ...] = (), speaking: str = HTTP_AND_GRPC
) -> AsyncIterator[int]:
    """The port of a graph whose units `apart` are workers of their own."""
    async with AsyncExitStack() as stack:
        placements = []
        for name in apart:
            spec = worker_spec([unit(name)], call(name), protocol=protocol, single_unit=True)
            port = await stack.enter_async_context(port_of(served(spec, **loaded(made, name))))
            placements.append(placement(name, port, speaking))
        own = loaded(made, *(name for name in NAMES if name not in apart))
        yield await stack.enter_async_context(port_of(served(whole(protocol, placements), **own)))


def placement(name: str, port: int, speaking: str) -> Placement:
    """A worker's one port speaks both; the same host under another name makes it two."""
    if speaking == HTTP_ALONE:
        return Placement(unit=name, address=f"127.0.0.1:{port}")
    http = "localhost" if speaking == HTTP_AND_GRPC else "127.0.0.1"
    return Placement(unit=name, address=f"{http}:{port}", grpc_address=f"127.0.0.1:{port}")


PLACES: dict[str, Any] = {
    "inside": {},
    "beside": {"apart": NAMES},
    "mixed": {"apart": ("router", "b")},
    "http": {"apart": NAMES, "speaking": HTTP_ALONE},
}
ANSWERS = {
    -1: [[22.0, 42.0], [62.0, 82.0]],
    -2: [[9.0, 19.0], [29.0, 39.0]],
    0: [[10.0, 20.0], [30.0, 40.0]],
    1: [[11.0, 21.0], [31.0, 41.0]],
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", WAYS)
async def test_a_graph_answers_the_same_wherever_its_units_are(way: str, place: str) -> None:
    question = WAYS[way]
    made = targets()
    async with world(question.protocol, made, **PLACES[place]) as port:
        answers = {}
        for branch in ANSWERS:
            made["router"].branch = branch
            answers[branch] = await question.put(port)

    assert {branch: answer.values or answer for branch, answer in answers.items()} == ANSWERS


@pytest.mark.parametrize("place", ["inside", "beside"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_branch_that_is_not_there_is_the_routers_failure(way: str, place: str) -> None:
    question = WAYS[way]
    async with world(question.protocol, targets(7), **PLACES[place]) as port:
        outcome = await question.put(port)

    assert (outcome.unit, outcome.code) == ("router", "INTERNAL" if question.is_grpc else "500")
    assert "unit 'router' chose branch 7; it has 2" in outcome.words


@pytest.mark.parametrize("unit_name", NAMES)
@pytest.mark.parametrize("place", ["inside", "beside"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_failure_says_which_unit_it_is(way: str, place: str, unit_name: str) -> None:
    question = WAYS[way]
    async with world(question.protocol, targets() | {unit_name: Failing()}, **PLACES[place]) as port:
        outcome = await question.put(port)

    assert outcome.unit == unit_name
    # Of a router behind a path of REST clients are told its status alone, in the words of Seldon's orchestrator.
    is_told_all = unit_name != "router" or place == "inside" or way == "seldon-grpc"
    assert ("out of order" if is_told_all else "failed calling http://") in outcome.words


@pytest.mark.parametrize("way", [way for way in WAYS if way.endswith("grpc")])
async def test_units_that_speak_grpc_alone_are_asked_there_by_every_caller(way: str) -> None:
    grpc, rest = WAYS[way], WAYS[way.replace("grpc", "rest")]
    everything = grpc.protocol is Protocol.SELDON
    apart = NAMES if everything else ("scale", "a", "b", "last")
    async with world(grpc.protocol, targets(), apart=apart, speaking=GRPC_ALONE) as port:
        outcomes = [await grpc.put(port), await rest.put(port)]

    assert [outcome.values or outcome for outcome in outcomes] == [ANSWERS[-1]] * 2


@pytest.mark.parametrize("name", ["v2", "tensorflow"])
async def test_a_combiner_that_speaks_a_protocol_without_combiners_is_told_apart_from_a_crash(name: str) -> None:
    question = WAYS[f"{name}-grpc"]
    async with world(question.protocol, targets(), apart=("combiner",), speaking=GRPC_ALONE) as port:
        outcome = await question.put(port)

    assert (outcome.unit, outcome.code) == ("combiner", "UNIMPLEMENTED")
    assert f"aggregate has no gRPC method in the protocol {name}" in outcome.words


@pytest.mark.parametrize("transport", ["rest", "grpc"])
async def test_an_image_of_somebody_elses_is_asked_by_the_services_of_seldons_wrapper(transport: str) -> None:
    numbers = protos.message("seldon.protos.SeldonMessage")
    asked: list[str] = []

    def routing(_data: bytes, _context: Any) -> bytes:
        asked.append("route")
        return bytes(numbers(data={"ndarray": [[1]]}).SerializeToString())

    def adding(data: bytes, context: Any) -> bytes:
        message = numbers.FromString(data)
        asked.append(dict(context.invocation_metadata())["seldon-puid"])
        message.data.tensor.values[:] = [value + 1000 for value in message.data.tensor.values]
        return bytes(message.SerializeToString())

    methods = {"/seldon.protos.Router/Route": routing, "/seldon.protos.Model/Predict": adding}
    with grpc_server(methods) as container:
        where = f"127.0.0.1:{container.port}"
        placements = [Placement(unit=name, address=where, grpc_address=where) for name in ("router", "b")]
        own = loaded(targets(), *(name for name in NAMES if name not in ("router", "b")))
        question = WAYS[f"seldon-{transport}"]
        tensors = {"data": {"tensor": {"shape": [2, 2], "values": [1, 2, 3, 4]}}}
        question = replace(question, asked=tensors, read=question.read if question.is_grpc else rows_of_tensor)
        async with port_of(served(whole(Protocol.SELDON, placements), **own)) as port:
            outcome = await question.put(port, {"seldon-puid": "p-1"})

    assert outcome.values == [[1009.0, 1019.0], [1029.0, 1039.0]], outcome
    assert asked == ["route", "p-1"]


def rows_of_tensor(body: Any) -> list[list[float]]:
    rows: list[list[float]] = np.reshape(body["data"]["tensor"]["values"], body["data"]["tensor"]["shape"]).tolist()
    return rows


@pytest.mark.parametrize("place", PLACES)
async def test_a_question_by_column_is_answered_by_column(place: str) -> None:
    columns = replace(WAYS["tensorflow-rest"], asked={"inputs": {"x": ROWS}}, read=lambda body: body["outputs"])
    async with world(Protocol.TENSORFLOW, targets(), **PLACES[place]) as port:
        outcome = await columns.put(port)

    assert outcome.values == ANSWERS[-1], outcome


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("transport", ["rest", "grpc"])
async def test_a_reward_goes_to_the_branch_that_answered_and_to_the_router(transport: str, place: str) -> None:
    made = targets(1)
    async with world(Protocol.SELDON, made, **PLACES[place]) as port:
        await reward(WAYS[f"seldon-{transport}"], port, 0.5)

    assert [made[name].rewards for name in ("a", "b")] == [[], [0.5]]
    assert made["router"].rewards == [(0.5, 1)]


async def reward(question: Question, port: int, value: float) -> Outcome:
    answer = await question.put(port)
    feedback: dict[str, Any] = {"request": question.asked, "response": answer.body, "reward": value}
    if question.is_grpc:
        caller = Caller(port, None)  # type: ignore[arg-type]  # its surface is not looked at
        message = "seldon.protos.SeldonMessage"
        return Outcome(
            body=await caller("/seldon.protos.Seldon/SendFeedback", "seldon.protos.Feedback", message, feedback)
        )
    status, _, body = await asyncio.to_thread(post, port, "/api/v1.0/feedback", feedback)
    assert status == 200, body
    return Outcome(body=body)
