"""The HTTP server behind TLS."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from fairlead.dataplane.net.server import HttpServer
from fairlead.dataplane.spec import TcpSocket
from fairlead.protocols.exchange import Reply, Request, Response
from support.certificates import make_certificate
from support.loops import BOTH_LOOPS, LOOP_NAMES
from support.wire import get, post, wire_to

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(params=BOTH_LOOPS, ids=LOOP_NAMES)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


def echo(request: Request, reply: Reply) -> None:
    reply(Response(200, b"", request.body))


async def test_requests_come_over_tls_and_a_drained_server_closes_properly(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(cert, key)
    theirs = ssl.create_default_context(cafile=cert)
    server = HttpServer(echo)
    port = await server.listen(TcpSocket("127.0.0.1", 0), tls=ours)
    body = bytes(range(256)) * 4000

    async with wire_to(port, tls=theirs) as wire:
        small = await wire.ask(post("/", b"abc"))
        sending = asyncio.ensure_future(wire.send(post("/", body)))
        large = await wire.receive()
        await sending
        last = await wire.ask(get("/", "Connection: close"))
        rest = await wire.rest()
    await server.drain(2)

    assert (small.body, large.body, last.headers["connection"], rest) == (b"abc", body, "close", b"")
    assert server.connections == 0


async def test_a_client_without_tls_is_hung_up_on(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(cert, key)
    server = HttpServer(echo)
    port = await server.listen(TcpSocket("127.0.0.1", 0), tls=ours)

    async with wire_to(port) as wire:
        await wire.send(get("/"))
        rest = await wire.rest()
    await server.drain(1)

    assert not rest.startswith(b"HTTP/")
