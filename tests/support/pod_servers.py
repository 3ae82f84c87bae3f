"""What stands for a pod on this machine: a server of ours at a port, that answers with its name."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from fairlead.dataplane.net.server import HttpServer
from fairlead.dataplane.spec import TcpSocket
from fairlead.pods.gateway.addresses import PodAddress
from fairlead.protocols.exchange import Request, Response, ServerReply
from support.cluster import Cluster, Refusal

Handler = Callable[[Request, ServerReply], None]


class PodServer:
    """`held` are the answers that wait while it `holds`."""

    def __init__(self, name: str, handler: Handler | None = None) -> None:
        self.name = name
        self.requests: list[Request] = []
        self.held: list[ServerReply] = []
        self.holds = False
        self.port = 0
        self._handler = handler
        self._server = HttpServer(self._handle)

    async def start(self, port: int = 0) -> None:
        self.port = await self._server.listen(TcpSocket("127.0.0.1", port))

    async def stop(self, grace_s: float = 5.0) -> None:
        """As a pod ends: what is here is answered."""
        self.release()
        await self._server.drain(grace_s)

    def release(self) -> None:
        """Answer what is held and hold no more."""
        self.holds = False
        held, self.held = self.held, []
        for reply in held:
            reply(self._answer())

    @property
    def address(self) -> PodAddress:
        return PodAddress(host="127.0.0.1", http=self.port, calls=0)

    def document(self, workload: str, revision: str, namespace: str = "models", *, is_ready: bool = True) -> Any:
        """The pod as the API has it."""
        labels = {"fairlead.dev/on-demand": workload, "fairlead.dev/revision": revision}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": self.name, "namespace": namespace, "labels": labels},
            "spec": {"containers": [{"name": "m", "image": "m", "ports": [{"containerPort": self.port}]}]},
            "status": {
                "podIP": "127.0.0.1",
                "conditions": [{"type": "Ready", "status": "True" if is_ready else "False"}],
            },
        }

    def _handle(self, request: Request, reply: ServerReply) -> None:
        self.requests.append(request)
        if self._handler is not None:
            self._handler(request, reply)
        elif self.holds:
            self.held.append(reply)
        else:
            reply(self._answer())

    def _answer(self) -> Response:
        return Response(200, b"X-Pod: %b\r\n" % self.name.encode(), self.name.encode())


@asynccontextmanager
async def pod_server(name: str, handler: Handler | None = None) -> AsyncIterator[PodServer]:
    """A running one."""
    server = PodServer(name, handler)
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0)
        await asyncio.sleep(0)


class Kubelet:
    """Gives Deployments of workloads the pods that they want, each a server of its own, and says so to the cluster.
    While it `delays` there are no new ones; while it `holds`, new ones hold what they are asked."""

    def __init__(self, cluster: Cluster, namespace: str = "default") -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._count = 0
        self.pods: dict[str, list[PodServer]] = {}
        self.leaving: list[asyncio.Task[None]] = []
        self.delays = self.holds = False

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for deployment in self._cluster.objects("Deployment", self._namespace):
                if "fairlead.dev/revision" in deployment["metadata"].get("labels", {}):
                    # One that went since it was listed, or has changed, is looked at in the next turn.
                    with suppress(Refusal):
                        await self._look(deployment)
            there = {one["metadata"]["name"] for one in self._cluster.objects("Deployment", self._namespace)}
            for gone in self.pods.keys() - there:
                await self._scale(gone, "", 0)
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """End all pods."""
        for name in self.pods:
            for server in self.pods[name]:
                await server.stop(0)
        await asyncio.gather(*self.leaving)

    async def _look(self, deployment: Any) -> None:
        name = deployment["metadata"]["name"]
        wanted = int(deployment["spec"].get("replicas", 1))
        await self._scale(name, deployment["metadata"]["labels"]["fairlead.dev/on-demand"], wanted)
        status = _status(deployment, len(self.pods.get(name, ())))
        if status != deployment.get("status"):
            await self._cluster.merge(deployment, {"status": status}, subresource="status")

    async def _scale(self, name: str, workload: str, wanted: int) -> None:
        pods = self.pods.setdefault(name, [])
        while len(pods) < wanted and not self.delays:
            self._count += 1
            server = PodServer(f"{name}-{self._count}")
            server.holds = self.holds
            await server.start()
            pods.append(server)
            await self._cluster.create(server.document(workload, name, self._namespace))
            document = self._cluster.get("Pod", server.name, self._namespace)
            status = server.document(workload, name)["status"]
            await self._cluster.merge(document, {"status": status}, subresource="status")
        while len(pods) > wanted:
            server = pods.pop()
            await self._cluster.delete(self._cluster.get("Pod", server.name, self._namespace))
            self.leaving.append(asyncio.create_task(_let_go(server)))


async def _let_go(server: PodServer) -> None:
    """As our pods end: requests are taken a while longer."""
    await asyncio.sleep(0.3)
    await server.stop()


def _status(deployment: Any, ready: int) -> Any:
    replicas = {"replicas": ready, "updatedReplicas": ready, "readyReplicas": ready, "availableReplicas": ready}
    wanted = int(deployment["spec"].get("replicas", 1))
    available = {"type": "Available", "status": "True" if ready >= wanted else "False"}
    return {"observedGeneration": deployment["metadata"].get("generation", 1), **replicas, "conditions": [available]}
