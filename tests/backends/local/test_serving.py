"""The whole of one machine without its control API: real supervisor, nurseries, workers and gateway."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import pytest

from fairlead.backends.local.backend import LocalBackend
from fairlead.backends.local.client import SupervisorClient
from fairlead.backends.local.gateway.client import GatewayClient
from fairlead.backends.local.home import Home
from fairlead.backends.local.ports import Ports
from fairlead.errors import NotReady
from fairlead.plan.model import Artifact, Component, Parameter, Plan, Protocol, Unit, UserCode
from fairlead.plan.scaling import KnativeScaling, ScalePolicy
from fairlead.plan.status import Phase
from fairlead.storage import Fetcher
from support.grpc_channels import channel_to
from support.local_world import OWNER, FakeGateway, FakeLookup, World, component, plan, unit
from support.supervising import RunningSupervisor, short_home, supervisor

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
MODEL = """
import os
class Model:
    def __init__(self, answer):
        self.answer = answer
    def predict(self, X, names, meta=None):
        return [self.answer, os.getpid()]
"""
SEVERAL = """
from kserve import Model, ModelServer
class Mine(Model):
    def __init__(self, name):
        super().__init__(name)
        self.ready = True
if __name__ == "__main__":
    ModelServer().start([Mine("first"), Mine("second")])
"""
COMMAND = """
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({"data": {"names": [], "ndarray": []}})
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer({"data": {"names": [], "ndarray": ["from beside"]}})
    def answer(self, body):
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["UNIT_PORT"])), Handler).serve_forever()
"""


@dataclass
class Machine:
    world: World
    port: int
    code: Path

    async def predict(self) -> tuple[int, dict[str, object]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        body = b'{"data":{"ndarray":[[1]]}}'
        head = f"POST /x/api/v1.0/predictions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}"
        writer.write(f"{head}\r\nContent-Type: application/json\r\n\r\n".encode() + body)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        _, _, payload = answer.partition(b"\r\n\r\n")
        return int(answer.split()[1]), json.loads(payload)

    def model(self, answer: str, **changes: object) -> Unit:
        made = unit(
            code=UserCode(target="Model", path=str(self.code)), parameters=(Parameter(name="answer", value=answer),)
        )
        return replace(made, **changes)  # type: ignore[arg-type]  # fields by name, from a test

    async def apply(self, made: Component) -> None:
        wanted: Plan = plan(made)
        await self.world.backend.apply(replace(wanted, routes=(replace(wanted.routes[0], path_prefix="/x/"),)))


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    (tmp_path / "Model.py").write_text(MODEL)
    with short_home() as home:
        port = Ports().take()
        options = ("--port", str(port), "--admin", str(home.gateway_socket), "--table", str(home.routes))
        argv = (sys.executable, "-m", "fairlead.backends.local.gateway", *options)
        async with (
            supervisor(home, gateway_argv=argv, worker="fairlead.dataplane.worker") as running,
            _control(home, running) as world,
        ):
            await world.backend.settle()
            yield Machine(world, port, tmp_path)


@contextlib.asynccontextmanager
async def _control(home: Home, running: RunningSupervisor) -> AsyncIterator[World]:
    gateway = GatewayClient(home.gateway_socket)
    async with SupervisorClient(home.supervisor_socket) as client:
        backend = LocalBackend(home, client, gateway, Fetcher(home.cache), FakeLookup())
        world = World(home, running, FakeGateway(), None, FakeLookup(), backend)  # type: ignore[arg-type]  # real ones are behind the backend
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(backend.run()), group.create_task(world.listen())]
            yield world
            for task in tasks:
                task.cancel()


async def test_a_users_class_answers_through_the_gateway(machine: Machine) -> None:
    await machine.apply(component(machine.model("hello")))
    await machine.world.until_routed()
    status, answer = await machine.predict()

    assert status == 200
    assert "hello" in json.dumps(answer)


async def test_calls_find_models_by_names_that_only_the_worker_knows(machine: Machine) -> None:
    (machine.code / "Several.py").write_text(SEVERAL)
    made = component(unit(code=UserCode(target="Several", path=str(machine.code))))
    await machine.apply(replace(made, revision=replace(made.revision, protocol=Protocol.V2)))
    other = plan(component(machine.model("other")), owner=replace(OWNER, name="other"))
    await machine.world.backend.apply(replace(other, routes=(replace(other.routes[0], path_prefix="/y/"),)))
    await machine.world.until_routed()

    def is_ready(model: bytes) -> bytes:
        asked = b"\n" + bytes((len(model),)) + model
        with channel_to(machine.port) as channel:
            ask = channel.unary_unary("/inference.GRPCInferenceService/ModelReady")
            answer: bytes = ask(asked, timeout=20, wait_for_ready=True)
        return answer

    assert await asyncio.to_thread(is_ready, b"second") == b"\x08\x01"
    with pytest.raises(grpc.RpcError) as refused:
        await asyncio.to_thread(is_ready, b"third")
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


async def test_no_request_is_dropped_while_revisions_and_replicas_change(machine: Machine) -> None:
    await machine.apply(component(machine.model("one"), replicas=2))
    await machine.world.until_routed()
    statuses: list[int] = []
    answers: set[str] = set()
    is_over = asyncio.Event()

    async def ask() -> None:
        while not is_over.is_set():
            status, answer = await machine.predict()
            statuses.append(status)
            answers.add("one" if "one" in json.dumps(answer) else "two")

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(ask())
        await machine.apply(component(machine.model("two"), replicas=2, revision="rev2bbbb"))
        await machine.world.until(lambda status: {replica.revision for replica in status.replicas} == {"rev2bbbb"})
        await machine.apply(component(machine.model("two"), replicas=1, revision="rev2bbbb"))
        await machine.world.until(lambda status: len(status.replicas) == 1)
        is_over.set()

    assert set(statuses) == {200}
    assert answers == {"one", "two"}


async def test_requests_wait_for_a_killed_worker_to_come_back(machine: Machine) -> None:
    await machine.apply(component(machine.model("hello")))
    first = (await machine.world.until_routed()).components[0].replicas[0]
    os.kill(first.pid, signal.SIGKILL)
    await machine.world.until(lambda status: not status.ready or status.replicas[0].pid != first.pid)

    assert (await machine.predict())[0] == 200


async def test_a_killed_gateway_serves_again_without_being_told(machine: Machine) -> None:
    await machine.apply(component(machine.model("hello")))
    await machine.world.until_routed()
    (gateway,) = machine.world.supervisor.running("backends.local.gateway")
    os.kill(gateway, signal.SIGKILL)
    client = GatewayClient(machine.world.home.gateway_socket)
    async with asyncio.timeout(20):
        while machine.world.supervisor.running("backends.local.gateway") in ([], [gateway]):
            await asyncio.sleep(0.01)
        while True:
            with contextlib.suppress(NotReady):
                await client.stats()
                break
            await asyncio.sleep(0.01)

    assert (await machine.predict())[0] == 200


async def test_a_command_is_called_for_its_unit(machine: Machine) -> None:
    command = (sys.executable, "-c", COMMAND)
    beside = unit({"UNIT_PORT": "9000"}, runtime="command", command=command, http_port=9000)
    await machine.apply(component(beside))
    await machine.world.until_routed()
    status, answer = await machine.predict()

    assert status == 200
    assert "from beside" in json.dumps(answer)


async def test_an_isolated_unit_answers_from_its_own_process(machine: Machine) -> None:
    await machine.apply(component(machine.model("alone", isolate=True)))
    replica = (await machine.world.until_routed()).components[0].replicas[0]
    status, answer = await machine.predict()

    assert status == 200
    assert "alone" in json.dumps(answer)
    assert str(replica.pid) not in json.dumps(answer)


async def test_a_corrupt_model_fails_with_its_cause(machine: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.joblib").write_bytes(b"this is no pickle")
    await machine.apply(component(unit(runtime="sklearn", artifact=Artifact(uri=str(folder)))))
    status = await machine.world.until(lambda status: status.phase is Phase.FAILED)

    assert status.cause is not None
    assert (status.cause.unit, status.cause.reason) == ("model", "LoadError")
    assert (await machine.predict())[0] == 503


async def test_a_class_that_raises_while_it_loads_is_quoted(machine: Machine) -> None:
    (machine.code / "Model.py").write_text(
        "class Model:\n    def __init__(self, answer):\n        raise ValueError('no licence')\n"
    )
    await machine.apply(component(machine.model("hello")))
    status = await machine.world.until(lambda status: status.phase is Phase.FAILED)

    assert status.cause is not None
    assert "ValueError: no licence" in status.cause.message


BUSY = """
import os, threading
class Model:
    def __init__(self, answer):
        self.answer = answer
    def predict(self, X, names, meta=None):
        threading.Event().wait(0.2)
        return [self.answer, os.getpid()]
"""
QUICK = KnativeScaling(stable_window_s=2.0, panic_window_percent=50.0, zero_grace_s=0.0)


def scaled(made: Component, *, limit: int = 0, initial: int = 0, most: int = 0) -> Component:
    scale = ScalePolicy(min_replicas=0, max_replicas=most, initial_replicas=initial, auto=QUICK)
    limits = replace(made.revision.limits, concurrency=limit)
    return replace(made, scale=scale, revision=replace(made.revision, limits=limits))


async def test_a_request_to_what_is_at_zero_waits_for_its_replica_which_goes_when_nobody_asks(
    machine: Machine,
) -> None:
    await machine.apply(scaled(component(machine.model("hello"))))
    status = (await machine.world.until_routed()).components[0]
    assert (status.desired, status.replicas) == (0, ())

    assert (await machine.predict())[0] == 200
    assert machine.world.statuses["iris"].components[0].desired == 1
    await machine.world.until(lambda status: status.desired == 0 and not status.replicas)

    told = [notice.reason for notice in machine.world.notices if notice.reason in ("Activated", "ScaledToZero")]
    assert told == ["Activated", "ScaledToZero"]


async def test_a_burst_is_spread_over_new_replicas_and_no_request_is_lost(machine: Machine) -> None:
    (machine.code / "Model.py").write_text(BUSY)
    await machine.apply(scaled(component(machine.model("hello")), limit=1, most=4))
    await machine.world.until_routed()
    statuses: list[int] = []
    pids: set[str] = set()
    is_over = asyncio.Event()

    async def ask() -> None:
        while not is_over.is_set():
            status, answer = await machine.predict()
            statuses.append(status)
            pids.add(json.dumps(answer))

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(ask())
        await machine.world.until(lambda status: status.ready == 4)
        async with asyncio.timeout(20):
            while len(pids) < 4:
                await asyncio.sleep(0.05)
        is_over.set()

    assert set(statuses) == {200}
    assert "Activated" in {notice.reason for notice in machine.world.notices}
