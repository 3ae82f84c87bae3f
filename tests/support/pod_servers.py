"""What stands for a pod on this machine: a server of ours at a port, that answers with its name."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fairlead.dataplane.net.server import HttpServer
from fairlead.dataplane.spec import TcpSocket
from fairlead.pods.gateway.addresses import PodAddress
from fairlead.protocols.exchange import Request, Response, ServerReply

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
