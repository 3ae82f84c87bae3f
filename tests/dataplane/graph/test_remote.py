"""Units in other processes: a real server on a real socket, well behaved or not."""

import asyncio
import json
from typing import Any

import pytest

from fairlead.dataplane.graph.driving import as_future
from fairlead.dataplane.graph.remote import Peer, PeerFailed
from fairlead.plan.model import Branch, Chain, Method, UnitName
from support.serving import Fake, Served, call, header, served, unit, worker_spec
from support.table_peer import listening, peer, read_head

pytestmark = pytest.mark.anyio

ROW = b'{"data": {"ndarray": [[1]]}, "meta": {}}'
PREDICT = "/api/v1.0/predictions"


def remote(name: str, port: int, **fields: Any) -> Served:
    spec = worker_spec([unit(name)], call(name), addresses={name: f"127.0.0.1:{port}"}, **fields)
    return served(spec)


async def test_bytes_go_through_untouched() -> None:
    body = b'{ "data": {"ndarray": [[1.0000000000000000001]]} }'
    async with peer({"/predict": (200, b'{"strData" :  "x"}')}) as server:
        response = await remote("m", server.port).post(
            PREDICT, body, (b"seldon-puid", b"p"), (b"x-mine", b"1"), (b"connection", b"close")
        )

    path, headers, got = server.asked[0]
    assert (path, got, response.body) == ("/predict", body, b'{"strData" :  "x"}')
    assert headers["seldon-puid"] == "p"
    assert headers["x-mine"] == "1"
    assert headers["content-type"] == "application/json"
    assert "connection" not in headers
    assert header(response, "Seldon-Puid") == "p"


async def test_routing_is_put_where_the_peer_wrote_a_meta() -> None:
    async with peer({"/predict": (200, b'{"strData":"x","meta":{}}')}) as server:
        on = await remote("m", server.port).post(PREDICT, ROW)
        off = await remote("m", server.port, include_routing=False).post(PREDICT, ROW)

    assert json.loads(on.body) == {"strData": "x", "meta": {"routing": {"m": -1}}}
    assert off.body == b'{"strData":"x","meta":{}}'


async def test_a_peers_failure_is_passed_on_unchanged() -> None:
    async with peer({"/predict": (429, b'{"status":"slow down"}')}) as server:
        response = await remote("m", server.port).post(PREDICT, ROW)

    assert (response.status, response.body) == (429, b'{"status":"slow down"}')
    assert header(response, "Fairlead-Unit") == "m"


async def test_a_peer_that_is_not_there_is_named(unused_tcp_port: int) -> None:
    response = await remote("m", unused_tcp_port).post(PREDICT, ROW)

    assert response.status == 500
    assert header(response, "Content-Type") == "application/json"
    address = f"127.0.0.1:{unused_tcp_port}"
    assert json.loads(response.body)["status"] == {
        "code": 500,
        "info": f'Post "http://{address}/predict": dial tcp {address}: connect: connection refused',
        "reason": "unit 'm' failed",
        "status": "FAILURE",
    }


@pytest.fixture
async def unused_tcp_port() -> int:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def test_a_peer_that_takes_too_long_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(silent) as port:
        response = await remote("m", port, timeout_s=0.02).post(PREDICT, ROW)

    assert response.status == 500
    assert json.loads(response.body)["status"]["info"].endswith("(Client.Timeout exceeded while awaiting headers)")


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", b"not http at all\r\n\r\n"]
)
async def test_a_peer_that_breaks_off_or_talks_nonsense_is_a_failure(said: bytes) -> None:
    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(said)

    async with listening(broken) as port:
        response = await remote("m", port).post(PREDICT, ROW)

    assert response.status == 500
    assert json.loads(response.body)["status"]["info"].startswith(f'Post "http://127.0.0.1:{port}/predict": ')


async def test_an_answer_longer_than_the_limit_is_refused() -> None:
    async with peer({"/predict": (200, b"x" * 2000)}) as server:
        response = await remote("m", server.port, max_body_bytes=1000).post(PREDICT, ROW)

    assert "longer than 1000 bytes" in json.loads(response.body)["status"]["info"]


async def test_connections_are_kept_and_a_stale_one_is_replaced() -> None:
    async with peer({"/predict": (200, b"{}")}) as server:
        asked = Peer("127.0.0.1", server.port, limit_bytes=1000)
        for _ in range(3):
            await as_future(as_step(asked))
        assert server.connections == 1

    with pytest.raises(PeerFailed, match="connection refused"):
        await as_future(as_step(asked))
    asked.close()


async def as_step(asked: Peer) -> Any:
    return await asked.call("POST", "/predict", [], b"{}", timeout_s=5)


async def test_remote_and_local_units_share_a_graph() -> None:
    async with peer({"/transform-input": (200, b'{"data":{"ndarray":[[5]]},"meta":{"tags":{"a":1}}}')}) as server:
        spec = worker_spec(
            [unit("t"), unit("m")],
            Chain(steps=(call("t", Method.TRANSFORM_INPUT), call("m"))),
            addresses={"t": f"127.0.0.1:{server.port}"},
        )
        response = await served(spec, m=Fake("m", predict=lambda value: value + 1)).post(PREDICT, ROW)

    answer = json.loads(response.body)
    assert answer["data"]["ndarray"] == [[6]]
    assert answer["meta"]["tags"] == {"a": 1}
    assert answer["meta"]["routing"] == {"t": -1, "m": -1}


def combined(port: int) -> Served:
    root = Branch(name=UnitName("c"), choices=(call("a"), call("b")), combine=UnitName("c"))
    address = f"127.0.0.1:{port}"
    spec = worker_spec([unit("a"), unit("b"), unit("c")], root, addresses={"b": address, "c": address})
    return served(spec, a=Fake("a"))


async def test_a_remote_combiner_gets_one_list() -> None:
    async with peer({"/predict": (200, b'{"strData":"b"}'), "/aggregate": (200, b'{"strData":"all"}')}) as server:
        response = await combined(server.port).post(PREDICT, ROW)

    sent = json.loads(next(body for path, _, body in server.asked if path == "/aggregate"))
    assert response.body == b'{"strData":"all"}'
    assert sent[0]["data"]["ndarray"] == [[1]]
    assert sent[1] == {"strData": "b"}


async def test_a_child_that_is_no_json_cannot_be_combined() -> None:
    async with peer({"/predict": (200, b"<html>"), "/aggregate": (200, b"{}")}) as server:
        response = await combined(server.port).post(PREDICT, ROW)

    assert (response.status, json.loads(response.body)["status"]["info"]) == (500, "Data is not JSON")


def routed(port: int) -> Served:
    root = Branch(name=UnitName("r"), choices=(call("a"), call("b")), route=UnitName("r"))
    spec = worker_spec([unit("a"), unit("b"), unit("r")], root, addresses={"r": f"127.0.0.1:{port}"})
    return served(spec, a=Fake("a", predict=lambda _: "a"), b=Fake("b", predict=lambda _: "b"))


@pytest.mark.parametrize(
    "answer", [b"[1]", b'{"data":{"ndarray":[[1]]}}', b'{"data":{"tensor":{"shape":[1,1],"values":[1]}}}']
)
async def test_a_remote_router_may_answer_with_a_bare_list(answer: bytes) -> None:
    async with peer({"/route": (200, answer)}) as server:
        response = await routed(server.port).post(PREDICT, ROW)

    assert json.loads(response.body)["strData"] == "b"


async def test_a_remote_router_that_fails_is_an_internal_call_that_failed() -> None:
    async with peer({"/route": (503, b"busy")}) as server:
        response = await routed(server.port).post(PREDICT, ROW)

    assert response.status == 503
    assert json.loads(response.body)["status"]["info"] == (
        f"Internal service call from executor failed calling http://127.0.0.1:{server.port}/route status code 503"
    )


async def test_readiness_needs_an_answer_not_a_connection(unused_tcp_port: int) -> None:
    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)

    async with peer({}) as server:
        assert (await remote("m", server.port).get("/ready")).status == 200
    async with listening(hangs_up) as port:
        assert (await remote("m", port).get("/ready")).status == 503
    assert (await remote("m", unused_tcp_port).get("/ready")).status == 503


async def test_status_metadata_and_feedback_are_asked_of_the_peer() -> None:
    answers = {
        "/health/status": (200, b'{"strData":"fine"}'),
        "/metadata": (200, b'{"name":"m"}'),
        "/send-feedback": (200, b'{"strData":"thanks"}'),
    }
    async with peer(answers) as server:
        surface = remote("m", server.port)
        status = await surface.get("/api/v1.0/status/m")
        metadata = await surface.get("/api/v1.0/metadata/m")
        bare = await surface.post("/send-feedback", b'{"reward":1}')

    assert (status.body, json.loads(metadata.body), bare.body) == (
        b'{"strData":"fine"}',
        {"name": "m"},
        b'{"strData":"thanks"}',
    )
