"""Graphs of services over real sockets: what clients of KServe's router see."""

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fairlead.dataplane.net.server import HttpServer
from fairlead.dataplane.spec import UnixSocket
from fairlead.plan.model import Merge, Sequence, Switch
from fairlead.protocols.exchange import LiveReply, Reply, Request, Response
from support.certificates import make_certificate
from support.service_graphs import graph_of_services, hop, service
from support.serving import Served, header
from support.table_peer import listening, peer, read_head

pytestmark = pytest.mark.anyio

PATH = "/v1/models/m:predict"
ASKED = {"instances": [1]}


def lone(url: str, *, retries: int = 0, **fields: Any) -> Served:
    """A graph of one step."""
    node = Sequence(name="root", hops=(hop("a"),))
    return graph_of_services([service("a", url, retries=retries)], node, **fields)


async def test_a_step_is_a_post_of_the_bytes_to_the_whole_url() -> None:
    async with peer({f"{PATH}?v=1": (200, b'{"predictions" : [1.0]}')}) as server:
        response = await lone(f"http://127.0.0.1:{server.port}{PATH}?v=1").post("/anything/at/all", b" [1]\n")

    path, headers, body = server.asked[0]
    assert (path, body) == (f"{PATH}?v=1", b" [1]\n")
    assert headers["content-type"] == "application/json"
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert (response.status, response.body) == (200, b'{"predictions" : [1.0]}')
    assert header(response, "Content-Type") == "application/json"
    assert header(response, "Fairlead-Step") == ""


async def test_a_get_is_a_request_to_the_graph_too() -> None:
    async with peer({PATH: (200, b"{}")}) as server:
        response = await lone(f"http://127.0.0.1:{server.port}{PATH}").get("/")

    assert (response.status, len(server.asked)) == (200, 1)


async def test_a_failure_keeps_its_status_and_names_its_step() -> None:
    async with peer({PATH: (422, b'{"error":"bad rows"}')}) as server:
        response = await lone(f"http://127.0.0.1:{server.port}{PATH}").post("/", ASKED)

    assert (response.status, response.body) == (422, b'{"error":"bad rows"}')
    assert header(response, "Fairlead-Step") == "root/a"


async def test_what_gave_no_answer_is_worded_as_kserves_router_does() -> None:
    async with peer({}) as server:
        port = server.port

    response = await lone(f"http://user:secret@127.0.0.1:{port}{PATH}?token=t").post("/", ASKED)

    assert response.status == 500
    assert json.loads(response.body) == {
        "error": "Failed to process request",
        "cause": f'Post "http://127.0.0.1:{port}{PATH}": dial tcp 127.0.0.1:{port}: connect: connection refused',
    }
    assert header(response, "Fairlead-Step") == "root/a"


async def test_a_request_without_a_way_is_not_found() -> None:
    node = Switch(name="root", hops=(hop("a", condition="nobody"),))

    response = await graph_of_services([service("a", "http://127.0.0.1:1/")], node).post("/", ASKED)

    assert response.status == 404
    assert json.loads(response.body)["cause"] == "None of the routes matched with the switch condition"
    assert header(response, "Fairlead-Step") == "root"


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b'"text"', "application/json"), (b"NaN", ""), (b"", ""), (b"<p>", ""), (b"12", "application/json")],
)
async def test_what_is_json_says_so_and_nothing_else_does(body: bytes, kind: str) -> None:
    async with peer({PATH: (200, body)}) as server:
        response = await lone(f"http://127.0.0.1:{server.port}{PATH}").post("/", ASKED)

    assert (response.body, header(response, "Content-Type")) == (body, kind)


async def test_what_is_no_json_keeps_the_media_type_that_its_step_said() -> None:
    async with answering(b"Content-Type: image/png\r\n", b"\x89PNG") as port:
        response = await lone(f"http://127.0.0.1:{port}/").post("/", ASKED)

    assert (response.body, header(response, "Content-Type")) == (b"\x89PNG", "image/png")


async def test_headers_of_steps_are_dropped() -> None:
    async with answering(b"Content-Type: application/json\r\nX-Secret: 1\r\n", b"{}") as port:
        response = await lone(f"http://127.0.0.1:{port}/").post("/", ASKED)

    assert header(response, "X-Secret") == ""


async def test_compressed_bodies_are_read_both_ways() -> None:
    asked = gzip.compress(b'{"a":1}')
    node = Switch(name="root", hops=(hop("a", condition="a"),))
    async with answering(b"Content-Encoding: gzip\r\n", gzip.compress(b'{"b":2}')) as port:
        graph = graph_of_services([service("a", f"http://127.0.0.1:{port}/")], node)
        response = await graph.post("/", asked, (b"content-encoding", b"gzip"))

    assert (response.status, response.body) == (200, b'{"b":2}')


async def test_a_compressed_body_that_is_none_is_refused() -> None:
    response = await lone("http://127.0.0.1:1/").post("/", b"no gzip", (b"content-encoding", b"gzip"))

    assert response.status == 400
    assert json.loads(response.body)["error"] == "Failed to process request"


@pytest.mark.parametrize(
    ("patterns", "passed"),
    [
        ("", set()),
        ("X-Tenant", {"x-tenant"}),
        ("^X-,Authorization", {"x-tenant", "x-request-id", "authorization"}),
        ("x-tenant", set()),
        ("(?i:x-tenant)", {"x-tenant"}),
        ("Request", {"x-request-id"}),
        ("(, X-Tenant", {"x-tenant"}),
        (".*", {"x-tenant", "x-request-id", "authorization", "content-type"}),
    ],
)
async def test_headers_go_on_by_name(patterns: str, passed: set[str]) -> None:
    sent = ((b"x-tenant", b"t"), (b"x-request-id", b"1"), (b"authorization", b"Bearer b"), (b"connection", b"close"))
    async with peer({PATH: (200, b"{}")}) as server:
        graph = lone(f"http://127.0.0.1:{server.port}{PATH}", env={"PROPAGATE_HEADERS": patterns})
        await graph.post("/", ASKED, *sent)

    headers = server.asked[0][1]
    assert {name for name in headers if name not in ("host", "content-length")} == passed | {"content-type"}


async def test_a_user_in_a_url_is_sent_as_credentials() -> None:
    async with peer({PATH: (200, b"{}")}) as server:
        await lone(f"http://me:p%40ss@127.0.0.1:{server.port}{PATH}").post("/", ASKED)

    assert server.asked[0][1]["authorization"] == "Basic bWU6cEBzcw=="
    assert server.asked[0][1]["host"] == f"127.0.0.1:{server.port}"


async def test_a_step_that_takes_too_long_is_given_up() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(hang) as port:
        response = await lone(f"http://127.0.0.1:{port}/", timeout_s=0.05).post("/", ASKED)

    assert response.status == 500
    assert "context deadline exceeded" in json.loads(response.body)["cause"]


async def test_a_step_that_dies_in_its_answer_is_named() -> None:
    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")
        writer.close()

    async with listening(die) as port:
        response = await lone(f"http://127.0.0.1:{port}/").post("/", ASKED)

    assert (response.status, header(response, "Fairlead-Step")) == (500, "root/a")
    assert json.loads(response.body)["cause"].endswith("EOF")


async def test_a_step_whose_answer_is_too_long_is_given_up() -> None:
    async with peer({PATH: (200, b'"' + b"x" * 2000 + b'"')}) as server:
        response = await lone(f"http://127.0.0.1:{server.port}{PATH}", max_body_bytes=1000).post("/", {})

    assert response.status == 500
    assert "longer than 1000 bytes" in json.loads(response.body)["cause"]


@pytest.mark.parametrize("status", [307, 308])
async def test_a_service_that_moved_is_asked_at_its_new_path(status: int) -> None:
    asked: list[str] = []

    async def move(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await read_head(reader):
            await reader.readexactly(len(json.dumps(ASKED)))
            path = head.split()[1]
            asked.append(path)
            if path == "/score/?v=1":
                writer.write(b"HTTP/1.1 %d X\r\nLocation: /score?v=1\r\nContent-Length: 0\r\n\r\n" % status)
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async with listening(move) as port:
        response = await lone(f"http://127.0.0.1:{port}/score/?v=1").post("/", ASKED)

    assert (response.status, asked) == (200, ["/score/?v=1", "/score?v=1"])


@pytest.mark.parametrize("where", [b"http://elsewhere/score", b"/p"])
async def test_a_service_that_moved_elsewhere_or_in_circles_is_not_followed_for_ever(where: bytes) -> None:
    moves = 0

    async def move(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal moves
        while await read_head(reader):
            await reader.readexactly(len(json.dumps(ASKED)))
            moves += 1
            writer.write(b"HTTP/1.1 308 X\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % where)

    async with listening(move) as port:
        response = await lone(f"http://127.0.0.1:{port}/p").post("/", ASKED)

    assert (response.status, header(response, "Fairlead-Step")) == (308, "root/a")
    assert moves == (6 if where == b"/p" else 1)


async def test_a_step_is_asked_again_when_it_is_away_for_a_moment() -> None:
    statuses = [503, 502]

    async def recover(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (await read_head(reader)) != "":
            await reader.readexactly(len(json.dumps(ASKED)))
            status = statuses.pop() if statuses else 200
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\n{}" % status)

    async with listening(recover) as port:
        response = await lone(f"http://127.0.0.1:{port}/", retries=2).post("/", ASKED)

    assert response.status == 200


async def test_a_step_that_stays_away_has_its_last_answer_passed_on() -> None:
    async with peer({PATH: (503, b'{"error":"no replica"}')}) as server:
        response = await lone(f"http://127.0.0.1:{server.port}{PATH}", retries=1).post("/", ASKED)

    assert (response.status, len(server.asked)) == (503, 2)


async def test_services_of_ours_are_asked_behind_a_unix_socket_by_their_host(tmp_path: Path) -> None:
    asked: list[tuple[bytes, str]] = []

    def gateway(request: Request, reply: Reply) -> None:
        asked.append((request.header(b"host"), request.path))
        reply(Response(200, b"Content-Type: application/json\r\n", b'{"predictions":[1]}'))

    inside = tmp_path / "inside.sock"
    server = HttpServer(gateway)
    await server.listen(UnixSocket(str(inside)))
    url = f"http://iris.ns.svc.cluster.local{PATH}"

    graph = lone(url, addresses={"a": f"unix:{inside}"})
    response = await graph.post("/", ASKED)
    graph.executor.close()
    await server.drain(0)

    assert asked == [(b"iris.ns.svc.cluster.local", PATH)]
    assert response.body == b'{"predictions":[1]}'


async def test_a_gateway_that_is_away_is_not_told_by_its_socket(tmp_path: Path) -> None:
    graph = lone("http://iris.ns.svc.cluster.local/p", addresses={"a": f"unix:{tmp_path}/gone.sock"})

    response = await graph.post("/", ASKED)

    cause = json.loads(response.body)["cause"]
    assert cause == (
        'Post "http://iris.ns.svc.cluster.local/p": dial tcp iris.ns.svc.cluster.local: '
        "connect: no such file or directory"
    )


async def test_https_is_checked_against_the_roots_of_the_system(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate, key = make_certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    async with answering(b"", b"{}", tls=tls) as port:
        unknown = await lone(f"https://localhost:{port}/x").post("/", ASKED)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        known = await lone(f"https://localhost:{port}/x").post("/", ASKED)

    assert unknown.status == 500
    assert "tls: failed to verify certificate: self-signed certificate" in json.loads(unknown.body)["cause"]
    assert (known.status, known.body) == (200, b"{}")


async def test_readiness_has_a_path_of_its_own_until_the_worker_stops() -> None:
    graph = lone("http://127.0.0.1:1/")

    before = await graph.get("/readyz")
    graph.handler.drain()  # type: ignore[attr-defined]  # what a worker has is all surfaces
    after = await graph.get("/readyz")

    assert (before.status, before.body) == (200, b"")
    assert (after.status, after.body) == (503, b"shutting down")


async def test_a_graph_is_ready_whatever_its_services_are_and_has_no_models() -> None:
    graph = lone("http://127.0.0.1:1/")

    assert await graph.executor.units["a"].is_ready()
    assert graph.handler.model_names == ()  # type: ignore[attr-defined]  # as above


async def test_parts_of_an_ensemble_are_asked_side_by_side() -> None:
    both = asyncio.Barrier(2)

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        await both.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    node = Merge(name="root", hops=(hop("a"), hop("b")))
    async with listening(meet) as port:
        units = [service(name, f"http://127.0.0.1:{port}/{name}") for name in "ab"]
        response = await graph_of_services(units, node, timeout_s=5.0).post("/", ASKED)

    assert response.body == b'{"a":{},"b":{}}'


async def test_calls_are_counted_by_service_and_status() -> None:
    async with peer({PATH: (200, b"{}")}) as server:
        graph = lone(f"http://127.0.0.1:{server.port}{PATH}")
        await graph.post("/", ASKED)

    families = {family.name: family for family in graph.meters.families()}
    asked = families["seldon_api_executor_client_requests_seconds"].samples[0].labels
    served = families["seldon_api_executor_server_requests_seconds"].samples[0].labels
    assert (asked["model_name"], asked["code"]) == ("a", "200")
    assert (served["service"], served["method"], served["code"]) == ("predictions", "post", "200")


@asynccontextmanager
async def answering(lines: bytes, body: bytes, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A peer that gives one answer on each connection."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (lines, len(body), body))
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class Gone(LiveReply):
    """A reply whose client hangs up."""

    is_wanted = True

    def __init__(self) -> None:
        self.on_gone: Any = None
        self.answered = asyncio.get_running_loop().create_future()

    def __call__(self, response: Response) -> None:
        self.answered.set_result(response)


async def test_a_client_that_hangs_up_is_heard_by_the_step_it_waits_for() -> None:
    asked, hung_up = asyncio.Event(), asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        asked.set()
        await reader.read()
        hung_up.set()

    async with listening(hang) as port:
        reply = Gone()
        lone(f"http://127.0.0.1:{port}/").handler(Request("POST", "/", b"", [], b"{}"), reply)
        await asked.wait()
        reply.on_gone()
        await asyncio.wait_for(hung_up.wait(), 5)
        response = await reply.answered

    assert response.status == 499
