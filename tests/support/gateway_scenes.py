"""Gateways of a cluster in front of servers that stand for pods, against the API server double."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fairlead.backends.kubernetes.operator import find_config
from fairlead.backends.kubernetes.operator.leading import Terms
from fairlead.pods.gateway.running import ClusterGateway, Options
from support.cluster import Cluster, running_cluster
from support.pod_servers import Kubelet
from support.wire import Wire, wire_to

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

    async def configure(self) -> None:
        """The shortest way to zero that Knative takes."""
        place = {"name": "config-autoscaler", "namespace": "knative-serving"}
        await self.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place["namespace"]}})
        data = {"scale-to-zero-grace-period": "6s", "stable-window": "6s"}
        await self.cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": place, "data": data})

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

    async def workload(
        self, number: int = 1, *, routing: Any = None, words: Mapping[str, str] = MappingProxyType({})
    ) -> None:
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


async def _cancelled(work: asyncio.Task[None]) -> None:
    """One that ended by itself says why."""
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[tuple[Scene, AsyncExitStack]]:
    async with running_cluster() as cluster, AsyncExitStack() as stack:
        kubelet = Kubelet(cluster)
        stack.push_async_callback(kubelet.close)
        stack.push_async_callback(_cancelled, asyncio.create_task(kubelet.run()))
        made = Scene(cluster, kubelet, folder)
        await made.configure()
        yield made, stack


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
