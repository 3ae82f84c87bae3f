"""Whatever way calls and streams end, nothing of them stays behind in gateway or worker."""

import asyncio
import gc
import random
from typing import cast

import grpc.aio
import pytest

from fairlead.backends.local.gateway.link import WorkerLink
from fairlead.errors import GrpcCode
from fairlead.plan.model import ComponentName, Route, Target
from fairlead.protocols.exchange import Reply, Request, ServerReply
from fairlead.protocols.grpc import CONTENT_TYPE, grpc_response, status_lines
from support.gateways import Bench, Worker, bench, pool, service, until

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"
UNARY = "/inference.GRPCInferenceService/ModelInfer"
ROUNDS = 150


def echo(request: Request, reply: Reply) -> None:
    """Streams come back, unary calls get an answer, and nothing is ever said about a call whose body is `hold`."""
    if request.incoming is None:
        if not request.body.endswith(b"hold"):
            reply(grpc_response(request.body[5:]))
        return
    out = cast(ServerReply, reply).begin(200, CONTENT_TYPE)
    incoming = request.incoming

    def take(piece: bytes) -> None:
        out.send(piece)
        if piece.endswith(b"break"):
            out.abort()
        elif out.is_full:
            incoming.pause()

    out.when_free = incoming.resume
    incoming.listen(take, lambda: out.end(status_lines(GrpcCode.OK)))


async def misbehave(channel: grpc.aio.Channel, choice: random.Random) -> str:
    """One call that ends in one of many ways; which one."""
    way = choice.choice(["whole", "cancel", "abandon", "break", "deadline", "unary", "held"])
    size = choice.choice([1, 1000, 300_000])
    try:
        if way in ("unary", "held"):
            body = b"x" * size if way == "unary" else b"hold"
            await channel.unary_unary(UNARY)(body, timeout=5 if way == "unary" else 0.05)
            return way
        call = channel.stream_stream(STREAM)(timeout=0.05 if way == "deadline" else 5)
        await call.write(b"x" * size if way != "break" else b"break")
        if way == "cancel":
            call.cancel()
        elif way == "abandon":
            await call.write(b"y" * size)
            call.cancel()
        elif way == "whole":
            assert len(await call.read()) == size
            await call.done_writing()
            assert await call.read() is grpc.aio.EOF
        else:
            while await call.read() is not grpc.aio.EOF:
                pass
    except (grpc.aio.AioRpcError, asyncio.CancelledError, asyncio.InvalidStateError):
        pass
    return way


def what_is_left(made: Bench, workers: list[Worker]) -> dict[str, int]:
    """Everything that is kept for a call, by where."""
    pools = [serving.pool for serving in made.gateway.switchboard.servings.values()]
    links = [cast(WorkerLink, replica.link) for pool in pools for replica in pool._replicas if replica.link is not None]
    connections = [connection for worker in workers for connection in worker.server.connections]
    return {
        "at links": sum(len(link.open) + len(link.sources) + len(link.sinks) for link in links),
        "waiting": sum(pool.load.waiting for pool in pools),
        "in flight": sum(pool.load.in_flight for pool in pools),
        "at workers": sum(len(c.open) + len(c.sources) + len(c.sinks) for c in connections),
    }


async def test_calls_that_end_in_every_way_leave_nothing() -> None:
    choice = random.Random(7)
    ways: set[str] = set()
    async with bench() as made:
        workers = [await made.worker(name, echo) for name in ("one", "two")]
        target = Target(component=ComponentName("main"), weight=1)
        route = Route(path_prefix="/", metadata=(("seldon", "m"),), targets=(target,))
        await made.serve(service("m", {"main": pool(*workers)}, routes=(route,)))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{made.port}") as channel:
            for _ in range(ROUNDS // 10):
                ways.update(await asyncio.gather(*(misbehave(channel, choice) for _ in range(10))))
            busy = [asyncio.ensure_future(misbehave(channel, choice)) for _ in range(20)]
            await asyncio.sleep(0)
            await workers[0].die()
            await asyncio.gather(*busy)
        await until(lambda: not any(what_is_left(made, workers).values()))
        await until(lambda: made.gateway.stats().connections == 0)
        for worker in workers:
            worker.requests.clear()
        gc.collect()
        kept = [each for each in gc.get_objects() if type(each).__name__ in ("GrpcPassage", "FrameSink", "FrameSource")]

    assert len(ways) == 7
    assert kept == []
