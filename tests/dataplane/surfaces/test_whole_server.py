"""A worker in front of a container or program that is all of its revision."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from bench.ports import free_ports

from fairlead.plan.model import Batching, Feedback, Node, Protocol, Unit, UnitName
from fairlead.protocols.exchange import Request, Response
from support.loopback_server import loopback_server
from support.serving import JSON, Served, call, header, served, worker_spec

pytestmark = pytest.mark.anyio


class Echo(BaseHTTPRequestHandler):
    """Says what it was asked, with a status and a header of its own."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        told: dict[str, Any] = {
            "asked": f"{self.command} {self.path}",
            "body": body,
            "type": self.headers.get("Content-Type"),
        }
        if self.path.endswith(":predict"):
            told = {"predictions": [len(row) for row in json.loads(body)["instances"]]}
        data = json.dumps(told).encode()
        self.send_response(200 if self.path.endswith(":predict") else 299)
        self.send_header("X-Own", "1")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_PUT(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with loopback_server(Echo) as port:
        yield port


Front = Callable[..., Served]


@pytest.fixture
async def front(port: int) -> AsyncIterator[Front]:
    """Makes workers in front of the server; what they had open is closed at the end."""
    made: list[Served] = []

    def fronting(runtime: str = "container", *, at: int = port, **fields: Any) -> Served:
        given: dict[str, Any] = {"protocol": Protocol.V1, "also": (Protocol.V2,)} | fields
        units = [Unit(name=UnitName("m"), runtime=runtime)]
        made.append(served(worker_spec(units, call("m"), addresses={"m": f"127.0.0.1:{at}"}, **given)))
        return made[-1]

    yield fronting
    for one in made:
        one.executor.close()
    await asyncio.sleep(0)  # sockets are closed by the loop's next turn


async def ask(of: Served, method: str, path: str, body: bytes = b"", kind: bytes = JSON[1]) -> Response:
    answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    of.handler(Request(method, path, b"a=1", [(b"content-type", kind)], body), answer.set_result)
    return await asyncio.wait_for(answer, 20)


@pytest.mark.parametrize("runtime", ["container", "command"])
@pytest.mark.parametrize("path", ["/", "/generate", "/v1/chat/completions", "/v1/models/x", "/v2", "/ready", "/docs"])
async def test_every_path_is_the_servers_own(front: Front, path: str, runtime: str) -> None:
    answer = await ask(front(runtime), "PUT", path, b"\x00not json", b"text/x")

    assert answer.status == 299
    assert header(answer, "X-Own") == "1"
    assert json.loads(answer.body) == {"asked": f"PUT {path}?a=1", "body": "\x00not json", "type": "text/x"}


async def test_metrics_are_the_workers(front: Front) -> None:
    worker = front()
    await ask(worker, "POST", "/generate", b"{}")
    answer = await ask(worker, "GET", "/metrics")

    assert answer.status == 200
    assert b'code="299"' in answer.body


async def test_batches_are_gathered_before_the_server(front: Front) -> None:
    worker = front(batching=Batching(max_rows=2, max_latency_s=5))
    answers = await asyncio.gather(
        ask(worker, "POST", "/v1/models/m:predict", b'{"instances": [[1]]}'),
        ask(worker, "POST", "/v1/models/m:predict", b'{"instances": [[2]]}'),
    )

    assert [json.loads(answer.body)["predictions"] for answer in answers] == [[1], [1]]
    assert len({json.loads(answer.body)["batchId"] for answer in answers}) == 1


async def test_a_server_that_is_not_there_is_unavailable(front: Front) -> None:
    (nobody,) = free_ports(1)
    answer = await ask(front(at=nobody), "POST", "/anything")

    assert answer.status == 503
    assert "cannot be reached" in json.loads(answer.body)["error"]


async def test_a_graph_of_seldons_keeps_the_orchestrators_paths(front: Front) -> None:
    name = UnitName("m")
    drawn = front(drawing=Node(unit=name, kind="model"), feedback=Feedback(unit=name, accepts=False))

    assert (await ask(drawn, "GET", "/generate")).status == 404
