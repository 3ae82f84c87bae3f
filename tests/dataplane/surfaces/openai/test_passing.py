"""OpenAI's requests to a server in another process, played by a real one on a socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from bench.ports import free_ports

from fairlead.plan.model import Logger, Protocol, UnitName
from fairlead.protocols.exchange import Request, Response, ServerReply
from support.serving import JSON, Served, call, header, served, unit, worker_spec

pytestmark = pytest.mark.anyio

PATIENCE_S = 30


class Server:
    """A server that answers as the test says; `asked` are the requests it got, `left` is set when a client hangs up."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[str] = []
        self.pieces: list[bytes] = []
        self.left = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next((line.split(":")[1] for line in head.lower().split("\r\n") if "content-length" in line), "0")
        self.asked.append(head + (await reader.readexactly(int(length))).decode())
        for piece in self.pieces:
            writer.write(piece)
        await writer.drain()
        if not self.goes_on.is_set():
            await reader.read()
            self.left.set()
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    played = Server()
    played.goes_on.set()
    listening = await asyncio.start_server(played, "127.0.0.1", 0)
    played.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield played


def fronting(port: int, **fields: Any) -> Served:
    address = {"m": f"127.0.0.1:{port}"}
    spec = worker_spec([unit("m")], call("m"), protocol=Protocol.V2, addresses=address, **fields)
    return served(spec)


class Client(ServerReply):
    """A server's reply that remembers its answer."""

    is_wanted = True

    def __init__(self) -> None:
        self.on_gone: Any = None
        self.when_free: Any = None
        self.is_full = False
        self.status = 0
        self.head = b""
        self.body = b""
        self.has_some = asyncio.Event()
        self.is_over = asyncio.Event()
        self.is_cut = False

    def __call__(self, response: Response) -> None:
        self.status, self.head, self.body = response
        self.is_over.set()

    def begin(self, status: int, headers: bytes) -> "Client":
        self.status, self.head = status, headers
        return self

    def send(self, data: bytes) -> None:
        self.body += data
        self.has_some.set()

    def end(self, trailers: bytes = b"") -> None:
        self.is_over.set()

    def abort(self) -> None:
        self.is_cut = True
        self.is_over.set()


def asking(of: Served, path: str = "/v1/chat/completions", query: bytes = b"") -> Client:
    client = Client()
    of.handler(Request("POST", path, query, [JSON, (b"authorization", b"Bearer x")], b'{"model":"m"}'), client)
    return client


async def over(client: Client) -> Client:
    await asyncio.wait_for(client.is_over.wait(), PATIENCE_S)
    return client


async def test_requests_and_answers_pass_as_they_are(server: Server) -> None:
    server.pieces = [b"HTTP/1.1 418 Teapot\r\nContent-Type: text/x\r\nX-Own: 1\r\nContent-Length: 2\r\n\r\nhi"]

    answer = await over(asking(fronting(server.port), "/openai/v1/completions", b"a=1"))

    assert (answer.status, answer.body) == (418, b"hi")
    assert header(Response(answer.status, answer.head, b""), "X-Own") == "1"
    (asked,) = server.asked
    assert asked.startswith("POST /openai/v1/completions?a=1 HTTP/1.1\r\n")
    assert "authorization: Bearer x" in asked
    assert asked.endswith('{"model":"m"}')


async def test_pieces_leave_as_they_come(server: Server) -> None:
    server.goes_on.clear()
    server.pieces = [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"
    ]

    client = asking(fronting(server.port))
    await asyncio.wait_for(client.has_some.wait(), PATIENCE_S)

    assert (client.status, client.body, client.is_over.is_set()) == (200, b"one", False)
    client.on_gone()
    await asyncio.wait_for(server.left.wait(), PATIENCE_S)


async def test_a_stream_of_no_stated_length_ends_with_its_connection(server: Server) -> None:
    server.pieces = [b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"]

    client = await over(asking(fronting(server.port)))

    assert (client.body, client.is_cut) == (b"data: 1\n\n", False)


async def test_a_stream_that_breaks_off_is_cut(server: Server) -> None:
    server.pieces = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"]

    assert (await over(asking(fronting(server.port)))).is_cut


async def test_models_are_the_other_servers(server: Server) -> None:
    server.pieces = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]

    answer = await fronting(server.port).get("/v1/models")

    assert (answer.status, answer.body) == (200, b"{}")


@pytest.mark.parametrize(
    ("pieces", "status", "words"),
    [
        ([b"nonsense\r\n\r\n"], 502, "m broke off: malformed HTTP response"),
        ([], 502, "m broke off: the connection ended"),
    ],
)
async def test_a_server_that_does_not_answer_is_a_bad_gateway(
    server: Server, pieces: list[bytes], status: int, words: str
) -> None:
    server.pieces = pieces

    answer = await over(asking(fronting(server.port)))

    error = json.loads(answer.body)["error"]
    assert (answer.status, error["code"]) == (status, str(status))
    assert words in error["message"]


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    answer = await over(asking(fronting(free_ports(1)[0])))

    assert answer.status == 503
    assert "m cannot be reached" in json.loads(answer.body)["error"]["message"]


async def test_a_server_that_takes_too_long_is_a_timeout(server: Server) -> None:
    server.goes_on.clear()

    answer = await over(asking(fronting(server.port, timeout_s=0.05)))

    assert answer.status == 504
    await asyncio.wait_for(server.left.wait(), PATIENCE_S)


async def test_a_server_that_is_watched_is_asked_all_the_same(server: Server, tmp_path: Path) -> None:
    server.pieces = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]
    log = tmp_path / "log"
    logger = Logger(unit=UnitName("m"), mode="all", url=f"file://{log}")
    front = fronting(server.port, loggers=(logger,))

    answer = await over(asking(front))
    front.executor.close()

    assert (answer.status, answer.body) == (200, b"{}")
    assert len([line for file in log.rglob("*") if file.is_file() for line in file.read_text().splitlines()]) == 2
