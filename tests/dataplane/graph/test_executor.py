"""How requests and rewards walk through graphs."""

import json
from typing import Any

import pytest

from fairlead.plan.model import Branch, Chain, Feedback, Method, Node, Protocol, Step, UnitName
from fairlead.protocols.exchange import Response
from support.serving import Fake, Served, call, served, unit, worker_spec

pytestmark = pytest.mark.anyio

PREDICT = "/api/v1.0/predictions"
REQUEST = {"data": {"ndarray": [[1.0]]}}


def plus(number: float) -> Any:
    return lambda value: value + number


def branch(*choices: Step, route: str | None = None, combine: str | None = None, name: str = "r") -> Branch:
    return Branch(
        name=UnitName(name),
        choices=choices,
        route=UnitName(route) if route else None,
        combine=UnitName(combine) if combine else None,
    )


def graph(root: Step, **fakes: Fake) -> Served:
    return served(worker_spec([unit(name) for name in fakes], root), **fakes)


def models(*names: str) -> dict[str, Fake]:
    return {name: Fake(name, predict=plus(10 ** (index + 1))) for index, name in enumerate(names)}


def value(response: Response) -> Any:
    return json.loads(response.body)


def failing(text: str = "broken") -> Any:
    def fail(_: Any) -> None:
        raise ValueError(text)

    return fail


async def test_a_chain_feeds_each_unit_what_the_one_before_answered() -> None:
    root = Chain(steps=(call("t", Method.TRANSFORM_INPUT), call("m"), call("o", Method.TRANSFORM_OUTPUT)))
    fakes = {
        "t": Fake("t", transform_input=plus(1)),
        "m": Fake("m", predict=plus(10)),
        "o": Fake("o", transform_output=plus(100)),
    }

    answer = value(await graph(root, **fakes).post(PREDICT, REQUEST))

    assert answer == {
        "data": {"names": [], "ndarray": [[112.0]]},
        "meta": {"requestPath": {"t": "image:1", "m": "image:1", "o": "image:1"}, "routing": {"t": -1, "m": -1}},
    }


@pytest.mark.parametrize(
    ("route", "asked", "data", "routing"),
    [
        (0, ["a"], [[11.0]], {"r": 0, "a": -1}),
        (1, ["b"], [[101.0]], {"r": 1, "b": -1}),
        (-1, ["a", "b"], [[11.0]], {"r": -1, "a": -1, "b": -1}),
        (-2, [], [[1.0]], {"r": -2}),
    ],
)
async def test_a_router_decides_who_is_asked(route: int, asked: list[str], data: Any, routing: dict[str, int]) -> None:
    fakes = {"r": Fake("r", route=lambda _: [[route]]), **models("a", "b")}
    surface = graph(branch(call("a"), call("b"), route="r"), **fakes)

    answer = value(await surface.post(PREDICT, {"meta": {}, **REQUEST}))

    assert answer["data"]["ndarray"] == data
    assert answer["meta"]["routing"] == routing
    assert [name for name in ("a", "b") if fakes[name].asked] == asked


@pytest.mark.parametrize("route", [2, -3])
async def test_a_branch_that_is_not_there_is_an_error_that_says_so(route: int) -> None:
    surface = graph(branch(call("a"), call("b"), route="r"), r=Fake("r", route=lambda _: [[route]]), **models("a", "b"))

    response = await surface.post(PREDICT, REQUEST)

    assert response.status == 500
    assert value(response)["status"]["info"].startswith(f"unit 'r' chose branch {route}; it has 2")


@pytest.mark.parametrize("answer", ["text", [[]], [["x"]]])
async def test_a_router_that_names_no_branch_means_all(answer: Any) -> None:
    surface = graph(branch(call("a"), call("b"), route="r"), r=Fake("r", route=lambda _: answer), **models("a", "b"))

    routing = value(await surface.post(PREDICT, {"meta": {}, **REQUEST}))["meta"]["routing"]

    assert routing == {"r": -1, "a": -1, "b": -1}


async def test_a_combiner_gets_the_answers_in_the_order_of_the_choices() -> None:
    combiner = Fake("c", aggregate=sum)
    surface = graph(branch(call("a"), call("b"), combine="c", name="c"), c=combiner, **models("a", "b"))

    answer = value(await surface.post(PREDICT, REQUEST))

    assert answer["data"]["ndarray"] == [[112.0]]
    assert [one.tolist() for one in combiner.asked[0][1]] == [[[11.0]], [[101.0]]]
    assert answer["meta"]["routing"] == {"c": -1, "a": -1, "b": -1}


async def test_a_combiner_behind_a_router_gets_the_chosen_answer_alone() -> None:
    fakes = {"r": Fake("r", route=lambda _: [[1]]), "c": Fake("c", aggregate=sum), **models("a", "b")}
    surface = graph(branch(call("a"), call("b"), route="r", combine="c"), **fakes)

    assert value(await surface.post(PREDICT, REQUEST))["data"]["ndarray"] == [[101.0]]
    assert len(fakes["c"].asked[0][1]) == 1


async def test_without_a_combiner_the_first_answer_is_taken() -> None:
    fakes = models("a", "b")
    surface = graph(branch(call("a"), call("b")), **fakes)

    assert value(await surface.post(PREDICT, REQUEST))["data"]["ndarray"] == [[11.0]]
    assert fakes["b"].asked


async def test_the_first_failure_in_the_order_of_the_choices_wins() -> None:
    fakes = {
        "a": Fake("a", predict=plus(1)),
        "b": Fake("b", predict=failing("b is broken")),
        "c": Fake("c", predict=failing("c is broken")),
    }
    surface = graph(branch(call("a"), call("b"), call("c")), **fakes)

    response = await surface.post(PREDICT, REQUEST)

    assert response.status == 500
    assert value(response)["status"]["info"] == "b is broken"
    assert b"Fairlead-Unit: b\r\n" in response.headers


async def test_a_failure_stops_the_walk() -> None:
    fakes = {"a": Fake("a", predict=failing()), **models("b")}
    surface = graph(Chain(steps=(call("a"), call("b"))), **fakes)

    assert (await surface.post(PREDICT, REQUEST)).status == 500
    assert fakes["b"].asked == []


REWARD = {"request": REQUEST, "reward": 1.0, "response": {"meta": {"routing": {"r": 1}}}}


def rewarded(accepts: bool, *children: Feedback) -> Feedback:
    return Feedback(unit=UnitName("r"), accepts=accepts, children=children)


def leaf(name: str) -> Feedback:
    return Feedback(unit=UnitName(name), accepts=True)


@pytest.mark.parametrize(
    ("routing", "told"),
    [
        ({"r": 1}, ["b", "r"]),
        ({"r": 0}, ["a", "r"]),
        ({}, ["a", "b", "r"]),
        ({"r": -1}, ["a", "b", "r"]),
        ({"r": -2}, ["r"]),
    ],
)
async def test_a_reward_follows_the_recorded_routing(routing: dict[str, int], told: list[str]) -> None:
    fakes = {"r": Fake("r"), "a": Fake("a"), "b": Fake("b")}
    spec = worker_spec(
        [unit(name) for name in fakes],
        branch(call("a"), call("b"), route="r"),
        feedback=rewarded(True, leaf("a"), leaf("b")),
    )
    surface = served(spec, **fakes)

    response = await surface.post("/api/v1.0/feedback", {**REWARD, "response": {"meta": {"routing": routing}}})

    assert response.body == b'{"data":{"ndarray":[]},"meta":{"requestPath":{"r":"image:1"}}}\n'
    assert [name for name in ("a", "b", "r") if fakes[name].asked == [("feedback", 1.0)]] == told


async def test_a_reward_the_root_does_not_take_comes_back() -> None:
    fakes = {"r": Fake("r"), "a": Fake("a")}
    spec = worker_spec([unit(name) for name in fakes], branch(call("a")), feedback=rewarded(False, leaf("a")))

    body = json.dumps(REWARD | {"response": {}}).encode()
    response = await served(spec, **fakes).post("/api/v0.1/feedback", body)

    assert (response.status, response.body) == (200, body)
    assert fakes["a"].asked


async def test_a_reward_for_a_branch_that_is_not_there_is_an_error() -> None:
    fakes = {"r": Fake("r"), "a": Fake("a")}
    spec = worker_spec([unit(name) for name in fakes], branch(call("a")), feedback=rewarded(True, leaf("a")))

    response = await served(spec, **fakes).post(
        "/api/v1.0/feedback", REWARD | {"response": {"meta": {"routing": {"r": 7}}}}
    )

    assert response.status == 500
    assert "chose branch 7" in value(response)["status"]["info"]


def info(name: str) -> dict[str, Any]:
    return {"name": name, "versions": [], "inputs": [f"{name}-in"], "outputs": [f"{name}-out"]}


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs"),
    [
        ("model", "p-in", "a-out"),
        ("transformer", "p-in", "a-out"),
        ("output-transformer", "a-in", "p-out"),
        ("combiner", "a-in", "p-out"),
        ("router", "a-in", "a-out"),
    ],
)
async def test_the_graphs_ends_follow_the_kind_of_its_root(kind: str, inputs: str, outputs: str) -> None:
    drawing = Node(unit=UnitName("p"), kind=kind, children=(Node(unit=UnitName("a"), kind="model"),))
    fakes = {"p": Fake("p", info=info("p")), "a": Fake("a", info=info("a"))}
    spec = worker_spec([unit("p"), unit("a")], Chain(steps=(call("p"), call("a"))), drawing=drawing)

    assert value(await served(spec, **fakes).get("/api/v1.0/metadata")) == {
        "name": "main",
        "models": {name: {"name": name, "inputs": [f"{name}-in"], "outputs": [f"{name}-out"]} for name in ("p", "a")},
        "graphinputs": [inputs],
        "graphoutputs": [outputs],
    }


async def test_an_explanation_takes_the_way_of_a_prediction() -> None:
    root = Chain(steps=(call("t", Method.TRANSFORM_INPUT), call("m"), call("o", Method.TRANSFORM_OUTPUT)))
    fakes = {
        "t": Fake("t", transform_input=plus(1)),
        "m": Fake("m", predict=plus(10), explain=plus(20)),
        "o": Fake("o", transform_output=plus(100)),
    }
    spec = worker_spec([unit(name) for name in fakes], root, protocol=Protocol.V1)

    answer = value(await served(spec, **fakes).post("/v1/models/m:explain", {"instances": [[1.0]]}))

    assert answer == {"explanations": [[122.0]]}


async def test_an_explainer_that_no_step_asks_for_predictions_is_asked_alone() -> None:
    root = Chain(steps=(call("t", Method.TRANSFORM_INPUT), call("m")))
    fakes = {"t": Fake("t", transform_input=plus(1), explain=plus(5)), "m": Fake("m", predict=plus(10))}
    spec = worker_spec([unit(name) for name in fakes], root, protocol=Protocol.V1)

    answer = value(await served(spec, **fakes).post("/v1/models/m:explain", {"instances": [[1.0]]}))

    assert answer == {"explanations": [[6.0]]}
