"""Models that come and go in a running replica: a real supervisor, worker and gateway, and models on disk."""

import asyncio
import contextlib
import json
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from fairlead.backends.local.backend import LocalBackend
from fairlead.backends.local.client import SupervisorClient
from fairlead.backends.local.gateway.client import GatewayClient
from fairlead.backends.local.hosting import Host
from fairlead.backends.local.ports import Ports
from fairlead.plan.model import (
    Artifact,
    Component,
    ComponentName,
    HostedModel,
    Prefetched,
    Protocol,
    Resources,
    Unit,
    UnitName,
)
from fairlead.plan.status import ComponentStatus, ModelState, PlanStatus
from fairlead.storage.fetch import Fetcher
from support.local_world import FakeGateway, FakeLookup, World, component, plan, world
from support.models import train_iris_sklearn
from support.supervising import short_home, supervisor

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ROWS = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [6.8, 2.8, 4.8, 1.4]}]}
SHELF = Unit(name=UnitName("kserve-container"), runtime="sklearn", holds_models=True)


@dataclass
class Machine:
    world: World
    port: int
    models: Path

    def hosted(self, name: str, memory_bytes: int = 0) -> HostedModel:
        folder = self.models / name
        if not folder.exists():
            folder.mkdir()
            train_iris_sklearn(folder)
        artifact = Artifact(uri=f"file://{folder}")
        return HostedModel(name=name, runtime="sklearn", artifact=artifact, memory_bytes=memory_bytes)

    async def apply(self, *hosted: HostedModel, unit: Unit = SHELF) -> None:
        made = _serving(unit, hosted)
        wanted = plan(made)
        await self.world.backend.apply(replace(wanted, routes=(replace(wanted.routes[0], path_prefix="/x/"),)))

    async def ask(self, model: str) -> int:
        """The status of an inference."""
        return await self.post(f"/v2/models/{model}/infer", ROWS)

    async def until_answered(self, model: str, status: int) -> None:
        """Until inferences have this status."""
        async with asyncio.timeout(20):
            while await self.ask(model) != status:
                await asyncio.sleep(0.01)

    async def post(self, path: str, value: Any) -> int:
        """The status of a request."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        body = json.dumps(value).encode()
        head = f"POST /x{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}"
        writer.write(f"{head}\r\nContent-Type: application/json\r\n\r\n".encode() + body)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return int(answer.split()[1])

    async def until(self, **states: ModelState) -> ComponentStatus:
        return await self.world.until(lambda status: {one.name: one.state for one in status.models} == states)


def _serving(unit: Unit, hosted: tuple[HostedModel, ...]) -> Component:
    made = component(unit)
    return replace(made, revision=replace(made.revision, protocol=Protocol.V2), hosted=hosted)


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    with short_home() as home:
        port = Ports().take()
        options = ("--port", str(port), "--admin", str(home.gateway_socket), "--table", str(home.routes))
        argv = (sys.executable, "-m", "fairlead.backends.local.gateway", *options)
        async with (
            supervisor(home, gateway_argv=argv, worker="fairlead.dataplane.worker") as running,
            SupervisorClient(home.supervisor_socket) as client,
        ):
            gateway = GatewayClient(home.gateway_socket)
            backend = LocalBackend(home, client, gateway, Fetcher(home.cache), FakeLookup())
            one = World(home, running, FakeGateway(), None, FakeLookup(), backend)  # type: ignore[arg-type]  # real ones are behind the backend
            tasks = [asyncio.create_task(backend.run()), asyncio.create_task(one.listen())]
            await backend.settle()
            yield Machine(one, port, tmp_path)
            for task in tasks:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks)


async def test_models_are_loaded_into_and_unloaded_from_the_same_process(machine: Machine) -> None:
    await machine.apply()
    await machine.world.until_routed()
    assert await machine.ask("a") == 404
    await machine.apply(machine.hosted("a"), machine.hosted("b"))

    status = await machine.until(a=ModelState.READY, b=ModelState.READY)
    assert [await machine.ask(name) for name in ("a", "b", "c")] == [200, 200, 404]
    await machine.apply(machine.hosted("b"))
    after = await machine.until(b=ModelState.READY)
    # The status is about what is wanted: what is not any more may be let go of a moment later.
    await machine.until_answered("a", 404)

    assert await machine.ask("b") == 200
    assert [replica.pid for replica in after.replicas] == [replica.pid for replica in status.replicas]


async def test_a_model_that_cannot_be_fetched_or_loaded_says_why_and_the_others_serve(machine: Machine) -> None:
    broken = machine.hosted("broken")
    (machine.models / "broken" / "model.joblib").write_bytes(b"not a model")
    missing = machine.hosted("missing")
    shutil.rmtree(machine.models / "missing")
    await machine.apply(machine.hosted("good"), broken, missing)

    status = await machine.until(good=ModelState.READY, broken=ModelState.FAILED, missing=ModelState.FAILED)
    said = {one.name: one.message for one in status.models}
    assert "model.joblib" in said["broken"]
    assert "missing" in said["missing"]
    assert await machine.ask("good") == 200


async def test_a_replica_that_was_killed_holds_the_same_models_when_it_is_back(machine: Machine) -> None:
    import os
    import signal

    await machine.apply(machine.hosted("a"))
    status = await machine.until(a=ModelState.READY)
    os.kill(status.replicas[0].pid, signal.SIGKILL)
    await machine.world.until(lambda now: now.ready == 1 and now.replicas[0].pid not in (0, status.replicas[0].pid))
    await machine.until(a=ModelState.READY)

    assert await machine.ask("a") == 200


async def test_what_a_client_unloads_and_loads_is_told(machine: Machine) -> None:
    await machine.apply(machine.hosted("a"), machine.hosted("b"))
    await machine.until(a=ModelState.READY, b=ModelState.READY)

    assert await machine.post("/v2/repository/models/a/unload", {}) == 200
    status = await machine.until(a=ModelState.FAILED, b=ModelState.READY)
    assert status.models[0].reason == "Unloaded"
    assert await machine.post("/v2/repository/models/a/load", {}) == 200
    await machine.until(a=ModelState.READY, b=ModelState.READY)


async def test_models_beyond_the_memory_limit_are_told_apart(machine: Machine) -> None:
    unit = replace(SHELF, resources=Resources(memory_limit_bytes=2 << 30))
    await machine.apply(machine.hosted("a", 1 << 30), machine.hosted("b", (1 << 30) + 1), unit=unit)

    status = await machine.until(a=ModelState.READY, b=ModelState.FAILED)

    assert "needs 1073741825 bytes" in status.models[1].message


async def test_prefetched_models_are_told_of_and_not_pruned() -> None:
    def state(status: PlanStatus | None) -> list[str]:
        return [one.state.value for one in status.prefetched] if status is not None else []

    async with world() as one:
        wanted = plan(component())
        cached = Prefetched(name="model", artifact=Artifact(uri="s3://bucket/large"))
        await one.backend.apply(replace(wanted, components=(), routes=(), prefetched=(cached,)))
        async with asyncio.timeout(20):
            while state(one.statuses.get("iris")) != ["Ready"]:
                one.changed.clear()
                await one.changed.wait()

        assert {folder.name for folder in one.backend.folders_in_use()} == {"s3___bucket_large"}
        assert one.fetcher.pinned == {("s3://bucket/large", "ns")}
        await one.backend.delete(wanted.owner)
        assert one.backend.folders_in_use() == set()
        async with asyncio.timeout(20):
            while one.fetcher.pinned:
                await asyncio.sleep(0.01)


class Gate:
    """A preparer whose transfers end when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened = asyncio.Event()
        self.asked = 0

    async def fetch(self, *_: object) -> Path:
        self.asked += 1
        await self.opened.wait()
        return self.folder


@contextlib.asynccontextmanager
async def hosting(folder: Path) -> AsyncIterator[tuple[Host, Gate, list[tuple[str, str]]]]:
    """A host, what it fetches with, and the components whose replicas were told to look."""
    gate, told = Gate(folder), list[tuple[str, str]]()
    with short_home() as home:
        async with asyncio.TaskGroup() as group:
            preparer: Any = gate
            yield Host(home, preparer, spawn=group.create_task, changed=lambda _: None, tell=told.append), gate, told


async def test_a_component_that_goes_while_its_model_is_fetched_gets_no_list(tmp_path: Path) -> None:
    made = _serving(SHELF, (HostedModel(name="a", runtime="sklearn", artifact=Artifact(uri="s3://b/a")),))
    async with hosting(tmp_path) as (host, gate, told):
        host.want(("plan", "x"), plan(made).owner, made)
        while not gate.asked:
            await asyncio.sleep(0)
        told.clear()
        host.drop(("plan", "x"))
        gate.opened.set()

    assert told == []
    assert host.folders() == set()
    assert host.statuses(("plan", "x"), (), desired=1) == ()


async def test_two_components_may_host_the_same_model_and_one_may_let_go_of_it(tmp_path: Path) -> None:
    made = _serving(SHELF, (HostedModel(name="a", runtime="sklearn", artifact=Artifact(uri="s3://b/a")),))
    other = replace(made, name=ComponentName("y"))
    first, second = ("plan", "x"), ("plan", "y")
    async with hosting(tmp_path) as (host, gate, told):
        host.want(first, plan(made).owner, made)
        host.want(second, plan(other).owner, other)
        gate.opened.set()
        while not {first, second} <= set(told):
            await asyncio.sleep(0)
        host.drop(first)

    assert host.folders() == {tmp_path}
    assert [one.state for one in host.statuses(second, (), desired=0)] == [ModelState.READY]
