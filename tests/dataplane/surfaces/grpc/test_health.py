"""gRPC's health protocol: asked once, and watched."""

import asyncio
import queue
import threading
from typing import Any

import grpc
import pytest

from fairlead.dataplane.surfaces.grpc import health
from fairlead.plan.model import Protocol
from fairlead.protocols import protos
from support.grpc_calls import Caller, Failed, calling
from support.grpc_channels import channel_to
from support.serving import Fake, call, unit, worker_spec

pytestmark = pytest.mark.anyio
REQUEST, ANSWER = "grpc.health.v1.HealthCheckRequest", "grpc.health.v1.HealthCheckResponse"
SERVING, NOT_SERVING, UNKNOWN = 1, 2, 3


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def spec() -> Any:
    return worker_spec([unit("m")], call("m"), protocol=Protocol.V2)


async def check(ask: Caller, service: str) -> int:
    answer = await ask("/grpc.health.v1.Health/Check", REQUEST, ANSWER, {"service": service})
    return int(answer.status)


@pytest.mark.parametrize("service", ["", "inference.GRPCInferenceService"])
async def test_a_worker_that_answers_serves(service: str) -> None:
    async with calling(spec(), m=Fake("m")) as ask:
        assert await check(ask, service) == SERVING


async def test_a_service_that_is_not_here_is_not_found() -> None:
    async with calling(spec(), m=Fake("m")) as ask:
        with pytest.raises(Failed, match=r"NOT_FOUND: there is no service 'seldon\.protos\.Seldon'"):
            await check(ask, "seldon.protos.Seldon")


class Watching:
    """The real client's watch, read by a thread of its own."""

    def __init__(self, port: int, service: str) -> None:
        self.heard: queue.Queue[int] = queue.Queue()
        self._channel = channel_to(port)
        channel = self._channel.__enter__()
        data = protos.message(REQUEST)(service=service).SerializeToString()
        self.call = channel.unary_stream("/grpc.health.v1.Health/Watch")(data, timeout=30)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        try:
            for one in self.call:
                self.heard.put(protos.message(ANSWER).FromString(one).status)
        except grpc.RpcError:
            pass

    async def next(self) -> int:
        return await asyncio.to_thread(self.heard.get, True, 20)

    def end(self) -> None:
        self.call.cancel()
        self._thread.join()
        self._channel.__exit__(None, None, None)


@pytest.mark.slow
async def test_a_watcher_hears_the_status_and_every_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "EVERY_S", 0.01)
    async with calling(spec(), m=Fake("m")) as ask:
        watching = Watching(ask.port, "")
        first = await watching.next()
        ask.served.executor.units["m"].is_ready = _no  # type: ignore[method-assign]  # as a peer that went away
        second = await watching.next()
        await asyncio.to_thread(watching.end)

    assert (first, second) == (SERVING, NOT_SERVING)


async def test_a_watcher_of_an_unknown_service_is_told_so_and_kept() -> None:
    async with calling(spec(), m=Fake("m")) as ask:
        watching = Watching(ask.port, "nope")
        heard = await watching.next()
        is_open = watching.call.is_active()
        await asyncio.to_thread(watching.end)

    assert heard == UNKNOWN
    assert is_open


async def _no() -> bool:
    return False


async def test_a_worker_that_drains_does_not_serve() -> None:
    async with calling(spec(), m=Fake("m")) as ask:
        surfaces: Any = ask.served.handler
        surfaces.drain()

        assert await check(ask, "") == NOT_SERVING
