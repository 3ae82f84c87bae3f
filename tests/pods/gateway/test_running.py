"""Gateways against an API server, with real servers for pods: nothing is lost from zero up and down again."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fairlead.backends.kubernetes.operator import find_config
from fairlead.backends.kubernetes.operator.leading import Terms
from fairlead.pods.gateway.running import ClusterGateway, Options
from support.cluster import Cluster, running_cluster
from support.pod_servers import Kubelet
from support.wire import Wire, wire_to

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NAME = "iris-predictor"
HOST = f"{NAME}.default.svc.cluster.local"
WORDS = {"window": "6s", "min-scale": "0", "target": "2", "max-scale": "3"}
SELECTOR = "app.kubernetes.io/component=gateway"


@dataclass
class Scene:
    """A cluster with its gateways and pods."""

    cluster: Cluster
    kubelet: Kubelet
    folder: Path
    gateways: list[ClusterGateway] = field(default_factory=list)
    stops: list[asyncio.Event] = field(default_factory=list)

    async def gateway(self, stack: AsyncExitStack) -> ClusterGateway:
        """One more."""
        number = len(self.gateways) + 1
        folder = self.folder / str(number)
        folder.mkdir()
        options = Options(
            namespace="default",
            identity=f"gateway-{number}",
            selector=SELECTOR,
            host="127.0.0.1",
            port=0,
            demand_port=0,
            health_port=0,
            folder=folder,
            linger_s=0.0,
            grace_s=2.0,
            terms=Terms(lease_s=1.0, renew_s=0.7, retry_s=0.05),
        )
        made, stop = ClusterGateway(find_config(self.cluster.write_kubeconfig(folder)), options), asyncio.Event()
        task = asyncio.create_task(made.run(stop))
        self.gateways.append(made)
        self.stops.append(stop)
        stack.push_async_callback(_ended, stop, task)
        await until(lambda: made.is_ready and made.health_port)
        await self._announce(made, number)
        return made

    async def _announce(self, made: ClusterGateway, number: int) -> None:
        ports = [{"name": "http", "containerPort": made.port}, {"name": "demand", "containerPort": made.demand_port}]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"gateway-{number}",
                "namespace": "default",
                "labels": {"app.kubernetes.io/component": "gateway"},
            },
            "spec": {"containers": [{"name": "gateway", "image": "f", "ports": ports}]},
        }
        document = await self.cluster.create(pod)
        status = {"podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
        await self.cluster.merge(document, {"status": status}, subresource="status")

    async def workload(self, number: int = 1, *, routing: Any = None, **words: str) -> None:
        """A revision of the workload, and its name."""
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": NAME,
                "namespace": "default",
                "labels": {"fairlead.dev/on-demand": NAME},
                "annotations": {"fairlead.dev/routing": json.dumps(routing or {})},
            },
            "spec": {"ports": [{"name": "http", "port": 80}]},
        }
        await self.cluster.apply(service, force=True)
        await self.cluster.create(_deployment(f"{NAME}-{number:05d}", {**WORDS, **words}))

    def replicas(self, number: int = 1) -> int:
        """How many a revision should have."""
        return int(self.cluster.get("Deployment", f"{NAME}-{number:05d}")["spec"].get("replicas", 1))


def _deployment(name: str, words: dict[str, str]) -> Any:
    labels = {"fairlead.dev/on-demand": NAME, "fairlead.dev/revision": name}
    said = {"annotations": {f"autoscaling.knative.dev/{key}": value for key, value in words.items()}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": labels,
            "annotations": {"fairlead.dev/scaling": json.dumps(said)},
        },
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "m", "image": "m"}]}},
        },
    }


async def until(is_so: Callable[[], object], *, within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not is_so():
            await asyncio.sleep(0.01)


async def _ended(stop: asyncio.Event, task: asyncio.Task[int]) -> None:
    stop.set()
    await task


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[tuple[Scene, AsyncExitStack]]:
    async with running_cluster() as cluster, AsyncExitStack() as stack:
        kubelet = Kubelet(cluster)
        stack.push_async_callback(kubelet.close)
        work = asyncio.create_task(kubelet.run())
        stack.callback(work.cancel)
        yield Scene(cluster, kubelet, folder), stack


def ask(host: str = HOST) -> bytes:
    return f"POST /v1/models/iris:predict HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n\r\n{{}}".encode()


async def load(port: int, asked: Callable[[], bool], answers: list[tuple[int, bytes]]) -> None:
    """One client, one request after the other, for as long as it is asked for any."""
    async with wire_to(port) as wire:
        while asked():
            got = await wire.ask(ask())
            answers.append((got.status, got.body))
            await asyncio.sleep(0.005)


async def answer(wire: Wire, host: str = HOST) -> str:
    return (await wire.ask(ask(host))).body.decode()


async def test_a_workload_goes_to_zero_and_back_without_losing_a_request(tmp_path: Path) -> None:
    async with scene(tmp_path) as (made, stack):
        await made.workload()
        gateway = await made.gateway(stack)
        await until(lambda: made.replicas() == 0)
        async with wire_to(gateway.port) as wire:
            assert (await answer(wire)).startswith(f"{NAME}-00001-")
        assert made.replicas() == 1
        await until(lambda: made.replicas() == 0)


async def test_load_of_two_gateways_counts_together_and_nothing_is_lost(tmp_path: Path) -> None:
    async with scene(tmp_path) as (made, stack):
        await made.workload()
        first, second = await made.gateway(stack), await made.gateway(stack)
        await until(lambda: first.is_leading or second.is_leading)
        answers: list[tuple[int, bytes]] = []
        is_asking = True
        for server in made.kubelet.pods.get(f"{NAME}-00001", ()):
            server.holds = True
        clients = [
            asyncio.create_task(load(one.port, lambda: is_asking, answers)) for one in (first, second) for _ in range(2)
        ]
        # Two of one gateway are what one pod carries; it takes the four of both to ask for more.
        await until(lambda: made.replicas() == 3)
        is_asking = False
        for server in made.kubelet.pods[f"{NAME}-00001"]:
            server.release()
        await asyncio.gather(*clients)
        await until(lambda: made.replicas() == 0)
        assert {status for status, _ in answers} == {200}


async def test_a_new_revision_takes_over_when_it_is_ready_and_nothing_is_lost(tmp_path: Path) -> None:
    async with scene(tmp_path) as (made, stack):
        await made.workload()
        gateway = await made.gateway(stack)
        answers: list[tuple[int, bytes]] = []
        is_asking = True
        clients = [asyncio.create_task(load(gateway.port, lambda: is_asking, answers)) for _ in range(3)]
        await until(lambda: len(answers) > 50)
        made.kubelet.delays = True
        await made.workload(2)
        before = len(answers)
        await until(lambda: len(answers) > before + 50)
        made.kubelet.delays = False
        await until(lambda: b"-00002-" in answers[-1][1])
        await until(lambda: made.replicas(1) == 0)
        is_asking = False
        await asyncio.gather(*clients)
        assert {status for status, _ in answers} == {200}
        number = [b"-00002-" in body for _, body in answers]
        assert number.index(True) > before + 40


async def test_shares_and_tags_lead_to_their_revisions(tmp_path: Path) -> None:
    shares = [{"percent": 20, "tag": "latest"}, {"percent": 80, "revision": f"{NAME}-00001", "tag": "prev"}]
    async with scene(tmp_path) as (made, stack):
        await made.workload(1)
        await made.workload(2, routing={"traffic": shares, "hosts": [{"host": "iris.example.com"}]})
        gateway = await made.gateway(stack)
        await until(lambda: all(len(made.kubelet.pods.get(f"{NAME}-0000{at}", ())) == 1 for at in (1, 2)))
        async with wire_to(gateway.port) as wire:
            await until(lambda: len(gateway.gateway.switchboard.table.services) == 1)
            answers = [await answer(wire) for _ in range(50)] + [
                await answer(wire, "iris.example.com") for _ in range(50)
            ]
            assert sum(f"{NAME}-00002-" in one for one in answers) == 20
            assert f"{NAME}-00001-" in await answer(wire, f"prev-{NAME}.default")
            assert f"{NAME}-00002-" in await answer(wire, f"latest-{NAME}.default.svc")


async def test_services_lead_to_the_gateways_that_there_are(tmp_path: Path) -> None:
    async with scene(tmp_path) as (made, stack):
        await made.workload()
        ports = {(await made.gateway(stack)).port, (await made.gateway(stack)).port}

        def announced() -> set[int]:
            found = made.cluster.find("Endpoints", NAME)
            return {port["port"] for one in (found or {}).get("subsets", ()) for port in one["ports"]}

        await until(lambda: announced() == ports)
        gone = made.cluster.get("Pod", "gateway-2")
        await made.cluster.delete(gone)
        await until(lambda: announced() == {made.gateways[0].port})


async def test_another_gateway_goes_on_where_the_leader_stopped(tmp_path: Path) -> None:
    async with scene(tmp_path) as (made, stack):
        await made.workload(**{"min-scale": "2", "max-scale": "5"})
        first, second = await made.gateway(stack), await made.gateway(stack)
        await until(lambda: made.replicas() == 2)
        leader = first if first.is_leading else second
        other = second if leader is first else first
        made.stops[made.gateways.index(leader)].set()
        await until(lambda: other.is_leading)
        deployment = made.cluster.get("Deployment", f"{NAME}-00001")
        await made.cluster.merge(deployment, {"spec": {"replicas": 0}})
        await until(lambda: made.replicas() == 2)


async def test_settings_of_the_autoscaler_count_at_once(tmp_path: Path) -> None:
    async with scene(tmp_path) as (made, stack):
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "knative-serving"}}
        await made.cluster.create(namespace)
        settings = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "config-autoscaler", "namespace": "knative-serving"},
            "data": {"enable-scale-to-zero": "false"},
        }
        made_settings = await made.cluster.create(settings)
        await made.workload()
        gateway = await made.gateway(stack)
        await until(lambda: gateway.is_leading)
        await until(lambda: gateway._config.enable_scale_to_zero is False)
        await made.cluster.merge(made_settings, {"data": {"enable-scale-to-zero": "true"}})
        await until(lambda: made.replicas() == 0)
