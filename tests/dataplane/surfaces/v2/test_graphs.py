"""Graphs over V2: Seldon's components in this process, units behind addresses, and both in one graph."""

import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import numpy as np
import pytest

from fairlead.dataplane.net.server import HttpServer, Limits
from fairlead.dataplane.spec import TcpSocket, WorkerSpec
from fairlead.dataplane.surfaces.seldon.surface import refusal
from fairlead.plan.model import Branch, Chain, Method, Protocol, Step, UnitName
from fairlead.protocols.exchange import Handler, Reply, Request, Response
from fairlead.runtimes.base import Servable
from fairlead.runtimes.component import Component
from support.serving import Served, ask, call, header, served, unit, worker_spec

pytestmark = pytest.mark.anyio

INFER = "/v2/models/dep/infer"
ASKED = {"id": "i", "inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP64", "data": [[1, 2], [3, 4]]}]}
NAMES = ("scale", "router", "a", "b", "combiner")
OCTETS = (b"content-type", b"application/octet-stream")


class Scale:
    def transform_input(self, rows: Any, names: Any) -> Any:
        return rows * 10


class Router:
    def __init__(self, branch: int) -> None:
        self.branch = branch

    def route(self, rows: Any, names: Any) -> int:
        assert isinstance(rows, np.ndarray)
        return self.branch


class Model:
    def __init__(self, plus: float) -> None:
        self.plus = plus

    def predict(self, rows: Any, names: Any) -> Any:
        return rows + self.plus

    def tags(self) -> dict[str, Any]:
        return {f"plus-{self.plus}": True}


class Combiner:
    def aggregate(self, answers: Any, names: Any) -> Any:
        return np.sum(answers, axis=0)


def components(branch: int) -> dict[str, Servable]:
    made = {"scale": Scale(), "router": Router(branch), "a": Model(1), "b": Model(2), "combiner": Combiner()}
    return {name: Component(target, unit(name), env={}) for name, target in made.items()}


def steps() -> Step:
    branch = Branch(
        name=UnitName("router"),
        choices=(call("a"), call("b")),
        route=UnitName("router"),
        combine=UnitName("combiner"),
    )
    return Chain(steps=(call("scale", Method.TRANSFORM_INPUT), branch))


def graph(addresses: dict[str, str] | None = None) -> WorkerSpec:
    return worker_spec([unit(name) for name in NAMES], steps(), protocol=Protocol.V2, addresses=addresses)


def outputs_of(response: Response) -> list[dict[str, Any]]:
    assert response.status == 200, response.body
    outputs: list[dict[str, Any]] = json.loads(response.body)["outputs"]
    return outputs


@asynccontextmanager
async def at_address(handler: Handler) -> AsyncIterator[str]:
    server = HttpServer(handler, limits=Limits(), refuse=refusal)
    port = await server.listen(TcpSocket(host="127.0.0.1", port=0))
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.drain(0)


class Talker:
    """A peer that gives fixed answers by path and remembers what it was asked."""

    def __init__(self, **answers: Response | Callable[[Request], Response]) -> None:
        self.answers = answers
        self.asked: list[Request] = []

    def __call__(self, request: Request, reply: Reply) -> None:
        self.asked.append(request)
        answer = self.answers[request.path.rpartition("/")[2]]
        reply(answer(request) if callable(answer) else answer)


def said(value: Any, headers: bytes = b"Content-Type: application/json\r\n", status: int = 200) -> Response:
    return Response(status, headers, value if isinstance(value, bytes) else json.dumps(value).encode())


def output(data: list[float], name: str = "y") -> dict[str, Any]:
    return {"name": name, "shape": [len(data)], "datatype": "FP64", "data": data}


def answer_of(*data: float) -> dict[str, Any]:
    return {"model_name": "p", "id": "i", "outputs": [output(list(data))]}


def remote(address: str, name: str = "p", method: Method = Method.PREDICT) -> Served:
    return served(worker_spec([unit(name)], call(name, method), protocol=Protocol.V2, addresses={name: address}))


@pytest.mark.parametrize(
    ("branch", "data", "tags"),
    [
        (0, [11, 21, 31, 41], {"plus-1": True}),
        (1, [12, 22, 32, 42], {"plus-2": True}),
        (-1, [23, 43, 63, 83], {"plus-1": True, "plus-2": True}),
    ],
)
async def test_components_make_a_graph_in_one_process(branch: int, data: list[float], tags: dict[str, Any]) -> None:
    response = await served(graph(), **components(branch)).post(INFER, ASKED)

    assert outputs_of(response) == [{"name": "output-0", "shape": [2, 2], "datatype": "FP64", "data": data}]
    assert json.loads(response.body)["id"] == "i"
    assert json.loads(response.body)["parameters"] == tags


async def test_a_graph_takes_binary_and_gives_it() -> None:
    array = np.array([[1, 2]], np.float64)
    item = {"name": "x", "shape": [1, 2], "datatype": "FP64", "parameters": {"binary_data_size": 16}}
    text = json.dumps({"inputs": [item], "parameters": {"binary_data_output": True}}).encode()
    length = (b"inference-header-content-length", str(len(text)).encode())

    it = served(graph(), **components(-1))
    response = await ask(it.handler, Request("POST", INFER, b"", [OCTETS, length], text + array.tobytes()))

    place = int(header(response, "Inference-Header-Content-Length"))
    assert np.frombuffer(response.body[place:]).tolist() == [23, 43]


async def test_a_graph_whose_router_chooses_nothing_answers_what_came() -> None:
    response = await served(graph(), **components(-2)).post(INFER, ASKED)

    assert outputs_of(response)[0]["data"] == [10, 20, 30, 40]


@pytest.mark.parametrize("elsewhere", [*NAMES, "all"])
async def test_any_unit_may_be_a_worker_of_its_own(elsewhere: str) -> None:
    made = components(-1)
    names = NAMES if elsewhere == "all" else (elsewhere,)
    async with AsyncExitStack() as stack:
        addresses = {
            name: await stack.enter_async_context(at_address(bare(name, made[name]).handler)) for name in names
        }
        local = {name: made[name] for name in NAMES if name not in names}
        response = await served(graph(addresses), **local).post(INFER, ASKED)

    assert outputs_of(response)[0]["data"] == [23, 43, 63, 83]
    assert json.loads(response.body)["id"] == "i"
    assert json.loads(response.body)["parameters"] == {"plus-1": True, "plus-2": True}


def bare(name: str, servable: Servable) -> Served:
    return served(worker_spec([unit(name)], call(name), protocol=Protocol.V2, single_unit=True), **{name: servable})


class Both:
    """A unit that is a model and a transformer."""

    def predict(self, rows: Any, names: Any) -> Any:
        return rows * 2

    def transform_input(self, rows: Any, names: Any) -> Any:
        return rows * 3


@pytest.mark.parametrize(("method", "factor"), [(Method.PREDICT, 2), (Method.TRANSFORM_INPUT, 3)])
async def test_a_unit_elsewhere_is_told_which_of_its_methods_is_asked(method: Method, factor: int) -> None:
    both = Component(Both(), unit("p"), env={})
    async with at_address(bare("p", both).handler) as address:
        # The header is ours: what a client says of it does not reach the unit.
        response = await remote(address, method=method).post(
            "/v2/models/p/infer", ASKED, (b"fairlead-method", b"transform-output")
        )

    assert outputs_of(response)[0]["data"] == [factor, 2 * factor, 3 * factor, 4 * factor]


async def test_a_bare_transformer_is_asked_by_the_path_of_a_model() -> None:
    response = await bare("scale", components(0)["scale"]).post("/v2/models/scale/infer", ASKED)

    assert outputs_of(response)[0]["data"] == [10, 20, 30, 40]


async def test_a_bare_combiner_wants_a_list_of_answers() -> None:
    combiner = bare("combiner", components(0)["combiner"])

    response = await combiner.post("/aggregate", {"outputs": []})

    assert (response.status, json.loads(response.body)) == (
        400,
        {"error": "expected a JSON array of answers, each an object with outputs"},
    )
    assert (await combiner.post("/aggregate", [answer_of(1), answer_of(2)])).status == 200
    assert (await combiner.get("/route")).status == 405


async def test_only_bare_units_are_asked_like_routers() -> None:
    response = await served(graph(), **components(0)).post("/route", ASKED)

    assert response.status == 404
    assert json.loads(response.body) == {"detail": "Not Found", "error": "there is no /route here"}


async def test_a_body_goes_to_a_peer_and_back_untouched() -> None:
    item = {"name": "x", "shape": [1, 2], "datatype": "FP64", "parameters": {"binary_data_size": 16}}
    text = json.dumps({"inputs": [item]}).encode()
    body = text + np.array([1.0, 2.0]).tobytes()
    length = (b"inference-header-content-length", str(len(text)).encode())
    answer = b'{ "outputs": [] }' + b"\x00\xff"
    lines = b"Content-Type: application/octet-stream\r\nInference-Header-Content-Length: 17\r\n"
    peer = Talker(infer=Response(200, lines, answer))
    async with at_address(peer) as address:
        it = remote(address)
        response = await ask(it.handler, Request("POST", "/v2/models/p/infer", b"", [OCTETS, length], body))

    assert (peer.asked[0].path, peer.asked[0].body) == ("/v2/models/p/infer", body)
    assert peer.asked[0].header(b"inference-header-content-length") == length[1]
    assert peer.asked[0].header(b"content-type") == OCTETS[1]
    assert (response.status, response.body) == (200, answer)
    assert header(response, "Inference-Header-Content-Length") == "17"


async def test_a_peer_is_asked_by_its_own_name_unless_only_it_knows_the_one_given() -> None:
    peer = Talker(infer=said(answer_of(1)))
    async with at_address(peer) as address:
        it = remote(address)
        for name in ("dep", "p", "other%20model"):
            await it.post(f"/v2/models/{name}/infer", ASKED)

    assert [request.path for request in peer.asked] == [
        "/v2/models/p/infer",
        "/v2/models/p/infer",
        "/v2/models/other%20model/infer",
    ]


async def test_a_peers_answer_feeds_the_next_unit_with_its_parameters() -> None:
    packed = gzip.compress(json.dumps(answer_of(1, 2) | {"parameters": {"p": 1}}).encode())
    first = Talker(infer=Response(200, b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n", packed))
    second = Talker(infer=said(answer_of(3)))
    async with at_address(first) as one, at_address(second) as two:
        spec = worker_spec(
            [unit("p"), unit("q")],
            Chain(steps=(call("p"), call("q"))),
            protocol=Protocol.V2,
            addresses={"p": one, "q": two},
        )
        response = await served(spec).post(INFER, ASKED)

    assert json.loads(second.asked[0].body) == {"id": "i", "parameters": {"p": 1}, "inputs": [output([1, 2])]}
    assert second.asked[0].path == "/v2/models/q/infer"
    assert json.loads(response.body) == answer_of(3)


async def test_an_answer_that_cannot_be_chained_is_told_in_seldons_words() -> None:
    first, second = Talker(infer=said({"predictions": [1]})), Talker(infer=said(answer_of(3)))
    async with at_address(first) as one, at_address(second) as two:
        spec = worker_spec(
            [unit("p"), unit("q")],
            Chain(steps=(call("p"), call("q"))),
            protocol=Protocol.V2,
            addresses={"p": one, "q": two},
        )
        response = await served(spec).post(INFER, ASKED)

    assert response.status == 500
    error = json.loads(response.body)["error"]
    assert error.startswith("Failed to convert kfserving response so it could be chained to new input")


@pytest.mark.parametrize("chosen", [[1], [[1]], {"data": {"ndarray": [[1]]}}, {"outputs": [output([1], "route")]}])
async def test_a_routers_answer_may_have_any_form(chosen: Any) -> None:
    async with at_address(Talker(route=said(chosen))) as address:
        spec = graph({"router": address})
        local = {name: one for name, one in components(0).items() if name != "router"}
        response = await served(spec, **local).post(INFER, ASKED)

    assert outputs_of(response)[0]["data"] == [12, 22, 32, 42]


async def test_a_combiner_elsewhere_gets_binary_answers_as_json() -> None:
    text = json.dumps(
        {"outputs": [{"name": "y", "shape": [1], "datatype": "FP64", "parameters": {"binary_data_size": 8}}]}
    ).encode()
    lines = b"Inference-Header-Content-Length: %d\r\n" % len(text)
    model = Talker(infer=Response(200, lines, text + np.float64(5).tobytes()))
    combiner = Talker(aggregate=said(answer_of(9)))
    async with at_address(model) as one, at_address(combiner) as two:
        spec = graph({"a": one, "b": one, "combiner": two})
        local = {name: made for name, made in components(-1).items() if name in ("scale", "router")}
        response = await served(spec, **local).post(INFER, ASKED)

    assert [item["outputs"] for item in json.loads(combiner.asked[0].body)] == [[output([5])], [output([5])]]
    assert json.loads(response.body) == answer_of(9)


async def test_an_answer_has_the_requests_id_though_a_unit_in_between_did_not_hand_it_on() -> None:
    text = json.dumps(
        {
            "id": "of the peer",
            "more": 1,
            "outputs": [{"name": "y", "shape": [1], "datatype": "FP64", "parameters": {"binary_data_size": 8}}],
        }
    ).encode()
    plain = Talker(infer=said(answer_of(1) | {"id": "of the peer", "more": 1}))
    lines = b"Inference-Header-Content-Length: %d\r\n" % len(text)
    binary = Talker(infer=Response(200, lines, text + b"12345678"))
    answers = []
    for peer in (plain, binary):
        async with at_address(peer) as address:
            steps = Chain(steps=(call("scale", Method.TRANSFORM_INPUT), call("p")))
            units = [unit("scale"), unit("p")]
            spec = worker_spec(units, steps, protocol=Protocol.V2, addresses={"p": address})
            answers.append(await served(spec, scale=components(0)["scale"]).post(INFER, ASKED))

    assert json.loads(answers[0].body) == answer_of(1) | {"more": 1}
    length = int(header(answers[1], "Inference-Header-Content-Length"))
    assert json.loads(answers[1].body[:length])["id"] == "i"
    assert answers[1].body[length:] == b"12345678"


async def test_a_peers_refusal_reaches_the_client_as_it_is() -> None:
    async with at_address(Talker(infer=said({"error": "too hot"}, status=429))) as address:
        response = await remote(address).post("/v2/models/p/infer", ASKED)

    assert (response.status, json.loads(response.body)) == (429, {"error": "too hot"})
    assert header(response, "Fairlead-Unit") == "p"


async def test_a_peer_says_itself_whether_it_is_ready_and_what_it_takes() -> None:
    metadata = {"name": "p", "platform": "sklearn", "inputs": [{"name": "x", "datatype": "FP64", "shape": [-1, 2]}]}
    peer = Talker(ready=said({"error": "not yet"}, status=503), p=said(metadata))
    async with at_address(peer) as address:
        it = remote(address)
        cold = await it.get("/v2/models/p/ready")
        peer.answers["ready"] = said({"name": "p", "ready": True})
        warm = await it.get("/v2/models/p/ready")
        described = json.loads((await it.get("/v2/models/p")).body)

    assert (cold.status, json.loads(cold.body)) == (503, {"error": "Model with name p is not ready."})
    assert warm.status == 200
    assert (described["platform"], described["inputs"]) == ("sklearn", metadata["inputs"])
