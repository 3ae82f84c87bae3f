"""Requests on their way from the gateway to pods, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fairlead.backends.local.gateway.process import Gateway, Settings
from fairlead.dataplane.spec import TcpSocket
from fairlead.plan.model import ComponentName, Route, Target
from fairlead.plan.routing import Endpoint, Pool, RouteTable, Service
from fairlead.pods.gateway.addresses import PodAddress
from fairlead.pods.gateway.links import dial_pod
from fairlead.protocols.exchange import Request, Response, ServerReply
from support.gateways import until
from support.grpc_channels import channel_to
from support.grpc_servers import grpc_server
from support.pod_servers import PodServer, pod_server
from support.wire import get, post, wire_to

pytestmark = pytest.mark.anyio

METHOD = "/pkg.Service/Method"


@asynccontextmanager
async def gateway(folder: Path) -> AsyncIterator[Gateway]:
    made = Gateway(Settings(where=TcpSocket("127.0.0.1", 0), table=folder / "table.json"), dial_pod)
    await made.start()
    try:
        yield made
    finally:
        await made.drain(0)


def publish(made: Gateway, *addresses: PodAddress, limit: int = 100, wait_s: float = 5.0) -> None:
    pool = Pool(
        endpoints=tuple(Endpoint(replica=f"pod-{at}", frames=str(address)) for at, address in enumerate(addresses)),
        replica_limit=limit,
        wait_s=wait_s,
        protocol="raw",
    )
    route = Route(host="localhost", targets=(Target(component=ComponentName("a"), weight=100),))
    calls = Route(host="127.0.0.1", targets=route.targets)
    service = Service(kind="W", namespace="n", name="s", routes=(route, calls), pools=(("a", pool),))
    made.switchboard.publish(RouteTable(services=(service,)))


def load(made: Gateway) -> tuple[int, int, int]:
    found = next(iter(made.switchboard.servings.values())).pool.load
    return found.ready, found.in_flight, found.waiting


async def test_a_request_and_its_answer_arrive_as_they_were_sent(tmp_path: Path) -> None:
    def answer(request: Request, reply: ServerReply) -> None:
        reply(Response(418, b"X-Made: here\r\n", request.path.encode() + b"?" + request.query + request.body))

    async with gateway(tmp_path) as made, pod_server("a", answer) as pod, wire_to(made.port) as wire:
        publish(made, pod.address)
        got = await wire.ask(post("/v1/models/a%20b:predict?x=1", b"body", "X-Asked: yes"))
        assert (got.status, got.headers["x-made"]) == (418, "here")
        assert got.body == b"/v1/models/a%20b:predict?x=1body"
        assert pod.requests[0].header(b"x-asked") == b"yes"
        assert pod.requests[0].header(b"host") == b"localhost"


async def test_connections_are_used_again(tmp_path: Path) -> None:
    async with gateway(tmp_path) as made, pod_server("a") as pod, wire_to(made.port) as wire:
        publish(made, pod.address)
        for _ in range(5):
            assert (await wire.ask(post("/x"))).body == b"a"
        assert pod._server.connections == 1


async def test_an_answer_to_head_has_no_body(tmp_path: Path) -> None:
    async with gateway(tmp_path) as made, pod_server("a") as pod, wire_to(made.port) as wire:
        publish(made, pod.address)
        await wire.send(get("/x").replace(b"GET", b"HEAD"))
        assert (await wire.receive(has_body=False)).status == 200
        assert (await wire.ask(get("/y"))).body == b"a"


async def test_answers_in_pieces_are_passed_on_as_they_come(tmp_path: Path) -> None:
    replies = []

    def begin(_: Request, reply: ServerReply) -> None:
        out = reply.begin(200, b"Content-Type: text/event-stream\r\n")
        out.send(b"one")
        replies.append(out)

    async with gateway(tmp_path) as made, pod_server("a", begin) as pod, wire_to(made.port) as wire:
        publish(made, pod.address)
        await wire.send(post("/x"))
        assert b"one" in await wire.reader.readuntil(b"one\r\n")
        replies[0].send(b"two")
        replies[0].end()
        assert b"two" in await wire.reader.readuntil(b"0\r\n\r\n")
        await until(lambda: load(made)[1] == 0)


async def test_a_pod_holds_no_more_than_it_may(tmp_path: Path) -> None:
    async with gateway(tmp_path) as made, pod_server("a") as pod, wire_to(made.port) as one, wire_to(made.port) as two:
        pod.holds = True
        publish(made, pod.address, limit=1)
        await one.send(post("/x"))
        await until(lambda: len(pod.held) == 1)
        await two.send(post("/x"))
        await until(lambda: load(made) == (1, 1, 1))
        assert len(pod.requests) == 1
        pod.release()
        assert (await one.receive()).body == (await two.receive()).body == b"a"


async def test_requests_wait_for_a_pod_that_does_not_answer_yet(tmp_path: Path) -> None:
    pod = PodServer("a")
    await pod.start()
    address = pod.address
    await pod.stop()
    async with gateway(tmp_path) as made, wire_to(made.port) as wire:
        publish(made, address)
        await wire.send(post("/x"))
        await until(lambda: load(made)[2] == 1)
        again = PodServer("a")
        await again.start(address.http)
        assert (await wire.receive()).body == b"a"
        await again.stop()


async def test_a_pod_that_ended_gets_nothing_and_the_other_takes_over(tmp_path: Path) -> None:
    async with gateway(tmp_path) as made, pod_server("a") as a, pod_server("b") as b, wire_to(made.port) as wire:
        publish(made, a.address, b.address)
        await until(lambda: load(made)[0] == 2)
        await a.stop(0)
        assert {(await wire.ask(post("/x"))).body for _ in range(6)} == {b"b"}


async def test_a_pod_that_leaves_answers_what_it_has(tmp_path: Path) -> None:
    async with gateway(tmp_path) as made, pod_server("a") as a, pod_server("b") as b, wire_to(made.port) as wire:
        a.holds = True
        publish(made, a.address)
        await wire.send(post("/x"))
        await until(lambda: len(a.held) == 1)
        publish(made, b.address)
        a.release()
        assert (await wire.receive()).body == b"a"
        assert (await wire.ask(post("/x"))).body == b"b"


async def test_a_client_that_leaves_frees_the_place(tmp_path: Path) -> None:
    async with gateway(tmp_path) as made, pod_server("a") as pod:
        pod.holds = True
        publish(made, pod.address, limit=1)
        async with wire_to(made.port) as wire:
            await wire.send(post("/x"))
            await until(lambda: len(pod.held) == 1)
        await until(lambda: load(made)[1] == 0)


async def test_grpc_calls_go_to_the_port_that_speaks_it(tmp_path: Path) -> None:
    def method(request: bytes, context: object) -> bytes:
        context.set_trailing_metadata((("x-after", "said"),))  # type: ignore[attr-defined]  # grpc has no types
        return request * 2

    async with gateway(tmp_path) as made, pod_server("a") as pod:
        with grpc_server({METHOD: method}) as server:
            publish(made, PodAddress(host="127.0.0.1", http=pod.port, calls=server.port))
            answer, trailers = await asyncio.to_thread(_call, made.port, b"x" * 300_000)
            assert answer == b"x" * 600_000
            assert ("x-after", "said") in trailers
            assert not pod.requests


async def test_many_grpc_calls_share_a_connection_and_none_is_lost(tmp_path: Path) -> None:
    async with gateway(tmp_path) as made:
        with grpc_server({METHOD: lambda request, _: request}, max_concurrent_streams=2) as server:
            publish(made, PodAddress(host="127.0.0.1", http=0, calls=server.port))
            calls = [asyncio.to_thread(_call, made.port, b"%d" % at) for at in range(20)]
            assert [answer for answer, _ in await asyncio.gather(*calls)] == [b"%d" % at for at in range(20)]
            await until(lambda: load(made)[1] == 0)


async def test_what_is_wrong_with_a_call_is_told(tmp_path: Path) -> None:
    async with gateway(tmp_path) as made:
        with grpc_server({}) as server:
            publish(made, PodAddress(host="127.0.0.1", http=0, calls=server.port))
            assert await asyncio.to_thread(_code, made.port) == "UNIMPLEMENTED"


def _call(port: int, body: bytes) -> tuple[bytes, list[tuple[str, str]]]:
    with channel_to(port) as channel:
        answer, call = channel.unary_unary(METHOD).with_call(body, timeout=20)
        return answer, list(call.trailing_metadata())


def _code(port: int) -> str:
    import grpc

    try:
        _call(port, b"")
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"
