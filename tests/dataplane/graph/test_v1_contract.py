"""Units behind an address that speak V1 or TensorFlow Serving's REST: what they are asked, and how chains go on."""

import json
from typing import Any

import pytest

from fairlead.plan.model import Branch, Chain, Method, Protocol, UnitName
from support.serving import Fake, Served, Times, call, header, served, unit, worker_spec
from support.table_peer import Server, peer

pytestmark = pytest.mark.anyio


def remote(protocol: Protocol, names: list[str], root: Any, server: Server, **fakes: Fake) -> Served:
    addresses = {name: f"127.0.0.1:{server.port}" for name in names if name not in fakes}
    spec = worker_spec([unit(name) for name in names], root, addresses=addresses, protocol=protocol)
    return served(spec, **fakes)


def chain(*names: str) -> Chain:
    return Chain(steps=tuple(call(name) for name in names))


@pytest.mark.parametrize("protocol", [Protocol.V1, Protocol.TENSORFLOW])
async def test_bytes_go_through_a_peer_untouched(protocol: Protocol) -> None:
    asked, given = b'{ "instances": [[1.0000000000000000001]] }', b'{"predictions" : [1], "x": 2}'
    async with peer({"/v1/models/m:predict": (200, given)}) as server:
        response = await remote(protocol, ["m"], call("m"), server).post(
            "/v1/models/m:predict", asked, (b"x-request-id", b"r")
        )

    path, headers, body = server.asked[0]
    assert (path, body, response.body) == ("/v1/models/m:predict", asked, given)
    assert headers["x-request-id"] == "r"


@pytest.mark.parametrize("protocol", [Protocol.V1, Protocol.TENSORFLOW])
async def test_a_peers_refusal_is_passed_on_unchanged(protocol: Protocol) -> None:
    async with peer({"/v1/models/m:predict": (429, b'{"error" : "slow down"}')}) as server:
        response = await remote(protocol, ["m"], call("m"), server).post("/v1/models/m:predict", {"instances": [[1]]})

    assert (response.status, response.body) == (429, b'{"error" : "slow down"}')
    assert header(response, "Fairlead-Unit") == "m"


@pytest.mark.parametrize("protocol", [Protocol.V1, Protocol.TENSORFLOW])
async def test_a_chain_asks_the_second_peer_with_the_firsts_predictions(protocol: Protocol) -> None:
    answers = {
        "/v1/models/a:predict": (200, b'{"predictions": [[1, {"b": "c"}]]}'),
        "/v1/models/b:predict": (200, b'{"predictions": [2]}'),
    }
    async with peer(answers) as server:
        response = await remote(protocol, ["a", "b"], chain("a", "b"), server).post(
            "/v1/models/dep:predict", {"instances": [[0]]}
        )

    assert json.loads(server.asked[1][2]) == {"instances": [[1, {"b": "c"}]]}
    assert response.body == b'{"predictions": [2]}'


async def test_a_chain_cannot_go_on_from_an_answer_without_rows() -> None:
    answers = {"/v1/models/a:predict": (200, b'{"other": 1}')}
    async with peer(answers) as server:
        response = await remote(Protocol.TENSORFLOW, ["a", "b"], chain("a", "b"), server).post(
            "/v1/models/dep:predict", {"instances": [[0]]}
        )

    assert response.status == 500
    assert json.loads(response.body) == {
        "error": "Failed to convert tensorflow response so it could be chained to new input"
    }


async def test_a_chain_cannot_go_on_from_what_is_no_json() -> None:
    async with peer({"/v1/models/a:predict": (200, b"<html>")}) as server:
        response = await remote(Protocol.TENSORFLOW, ["a", "b"], chain("a", "b"), server).post(
            "/v1/models/dep:predict", {"instances": [[0]]}
        )

    assert (response.status, response.body) == (500, b'{"error":"Data is not JSON"}')


@pytest.mark.parametrize("protocol", [Protocol.V1, Protocol.TENSORFLOW])
async def test_a_unit_of_ours_takes_a_peers_rows(protocol: Protocol) -> None:
    async with peer({"/v1/models/a:predict": (200, b'{"predictions": [[1.5, 2]]}')}) as server:
        response = await remote(protocol, ["a", "m"], chain("a", "m"), server, m=Fake("m", rows=Times())).post(
            "/v1/models/dep:predict", {"instances": [[0]]}
        )

    assert response.body == b'{"predictions":[[3.0,4.0]]}'


@pytest.mark.parametrize("protocol", [Protocol.V1, Protocol.TENSORFLOW])
@pytest.mark.parametrize("answer", [b"[1]", b'{"predictions": [[1]]}', b'{"data": {"ndarray": [1]}}'])
async def test_a_router_behind_an_address_is_asked_for_a_branch(protocol: Protocol, answer: bytes) -> None:
    root = Branch(name=UnitName("r"), route=UnitName("r"), choices=(call("a"), call("b")))
    answers = {"/v1/models/r:route": (200, answer), "/v1/models/b:predict": (200, b'{"predictions": ["b"]}')}
    async with peer(answers) as server:
        response = await remote(protocol, ["r", "a", "b"], root, server).post(
            "/v1/models/dep:predict", {"instances": [[0]]}
        )

    assert response.body == b'{"predictions": ["b"]}'
    assert [path for path, _, _ in server.asked] == ["/v1/models/r:route", "/v1/models/b:predict"]


@pytest.mark.parametrize("protocol", [Protocol.V1, Protocol.TENSORFLOW])
async def test_a_combiner_behind_an_address_gets_a_list_of_answers(protocol: Protocol) -> None:
    root = Branch(name=UnitName("c"), combine=UnitName("c"), choices=(call("a"), call("m")))
    answers = {
        "/v1/models/a:predict": (200, b'{"predictions": [[1.5]]}\n'),
        "/v1/models/c:aggregate": (200, b'{"predictions": [[2.5]]}'),
    }
    async with peer(answers) as server:
        surface = remote(protocol, ["c", "a", "m"], root, server, m=Fake("m", rows=Times()))
        response = await surface.post("/v1/models/dep:predict", {"instances": [[1.0]]})

    combined = next(body for path, _, body in server.asked if path.endswith(":aggregate"))
    assert combined == b'[{"predictions": [[1.5]]},{"predictions":[[2.0]]}]'
    assert response.body == b'{"predictions": [[2.5]]}'


async def test_routers_and_combiners_of_ours_work_on_tensorflows_messages() -> None:
    root = Branch(
        name=UnitName("r"),
        route=UnitName("r"),
        choices=(
            call("a"),
            Branch(name=UnitName("c"), combine=UnitName("c"), choices=(call("a"), call("b"))),
        ),
    )
    fakes = {
        "r": Fake("r", route=lambda rows: [[1]]),
        "a": Fake("a", predict=lambda rows: rows + 1),
        "b": Fake("b", predict=lambda rows: rows + 2),
        "c": Fake("c", aggregate=lambda parts: (parts[0] + parts[1]) / 2),
    }
    spec = worker_spec([unit(name) for name in fakes], root, protocol=Protocol.TENSORFLOW)

    response = await served(spec, **fakes).post("/v1/models/dep:predict", {"instances": [[1.0]]})

    assert response.body == b'{"predictions":[[2.5]]}'


async def test_a_peer_is_asked_for_the_version_and_verb_that_came() -> None:
    answers = {"/v1/models/m/versions/2:classify": (200, b'{"results": []}')}
    async with peer(answers) as server:
        response = await remote(Protocol.TENSORFLOW, ["m"], call("m"), server).post(
            "/v1/models/dep/versions/2:classify", {"examples": [{"x": 1}]}
        )

    assert (response.status, response.body) == (200, b'{"results": []}')


async def test_state_and_metadata_come_from_the_peer() -> None:
    answers = {"/v1/models/m": (200, b'{"model_version_status": []}'), "/v1/models/m/metadata": (200, b'{"a": 1}')}
    async with peer(answers) as server:
        surface = remote(Protocol.TENSORFLOW, ["m"], call("m"), server)
        state, metadata = await surface.get("/v1/models/m"), await surface.get("/v1/models/m/metadata")

    assert (state.body, json.loads(metadata.body)) == (b'{"model_version_status": []}', {"a": 1})


async def test_a_peer_is_asked_to_explain() -> None:
    async with peer({"/v1/models/m:explain": (200, b'{"explanations": [1]}')}) as server:
        response = await remote(Protocol.V1, ["m"], call("m"), server).post(
            "/v1/models/m:explain", {"instances": [[1]]}
        )

    assert response.body == b'{"explanations": [1]}'


async def test_a_model_whose_peer_does_not_answer_for_it_is_not_ready() -> None:
    async with peer({"/v1/models/m": (503, b"{}")}) as server:
        response = await remote(Protocol.V1, ["m"], call("m"), server).get("/v1/models/m")

    assert (response.status, response.body) == (503, b'{"error":"Model with name m is not ready."}')


async def test_transforming_peers_are_asked_as_models_are() -> None:
    root = Chain(steps=(call("t", Method.TRANSFORM_INPUT), call("m")))
    async with peer({"/v1/models/t:predict": (200, b'{"predictions": [[4]]}')}) as server:
        response = await remote(Protocol.TENSORFLOW, ["t", "m"], root, server, m=Fake("m", rows=Times())).post(
            "/v1/models/dep:predict", {"inputs": [[0]]}
        )

    assert response.body == b'{"outputs":[[8.0]]}'


@pytest.mark.parametrize(
    ("path", "body", "answer"),
    [
        ("/v1/models/m:predict", {"instances": [[1]]}, b'{"predictions":[[2.5]]}'),
        ("/api/v1.0/predictions", {"data": {"ndarray": [[1]]}}, b'{"data":{"ndarray":[[2.5]]},"meta":{}}'),
    ],
)
async def test_a_peer_of_seldons_protocol_answers_v1_clients_too(path: str, body: Any, answer: bytes) -> None:
    answers = {"/predict": (200, b'{"data":{"ndarray":[[2.5]]},"meta":{}}')}
    async with peer(answers) as server:
        spec = worker_spec(
            [unit("m")],
            call("m"),
            addresses={"m": f"127.0.0.1:{server.port}"},
            protocol=Protocol.SELDON,
            also=(Protocol.V1,),
            include_routing=False,
        )
        response = await served(spec).post(path, body)

    assert json.loads(server.asked[0][2])["data"] == {"names": [], "ndarray": [[1]]} or path.startswith("/api")
    assert response.body == answer


async def test_a_peer_of_v1_answers_seldons_clients_too() -> None:
    async with peer({"/v1/models/m:predict": (200, b'{"predictions": [[2.5]]}')}) as server:
        response = await remote(Protocol.V1, ["m"], call("m"), server).post(
            "/api/v1.0/predictions", {"data": {"ndarray": [[1]]}}
        )

    assert json.loads(server.asked[0][2]) == {"instances": [[1]]}
    assert json.loads(response.body)["data"]["ndarray"] == [[2.5]]


@pytest.mark.parametrize(
    ("names", "asked", "path"),
    [
        (["m"], "..%2Fx/versions/..%2F1", "/v1/models/..%2Fx/versions/..%2F1:predict"),
        (["m", "n"], "..%2Fx", "/v1/models/..%2Fx:predict"),
    ],
)
async def test_a_clients_name_for_a_model_stays_one_part_of_the_peers_path(
    names: list[str], asked: str, path: str
) -> None:
    async with peer({}) as server:
        surface = remote(Protocol.TENSORFLOW, names, chain(*names), server)
        await surface.post(f"/v1/models/{asked}:predict", {"instances": [[0]]})

    assert server.asked[0][0] == path
