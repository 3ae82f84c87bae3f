"""A gateway and workers in this process, on real sockets, for tests of what happens between them."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fairlead.backends.local.gateway import GatewayClient
from fairlead.backends.local.gateway.process import Gateway, Settings
from fairlead.dataplane.net.frame_server import FrameServer
from fairlead.dataplane.spec import TcpSocket, UnixSocket
from fairlead.plan.model import ComponentName, Mirror, Route, Target
from fairlead.plan.routing import Endpoint, Pool, RouteTable, Service
from fairlead.protocols.exchange import Handler, Reply, Request, Response
from fairlead.protocols.streaming import is_streamed

PATIENCE_S = 10.0


class Worker:
    """A replica that answers with its name, or holds requests until the test lets them go, or does what `handler`
    does. gRPC streams come to it in pieces."""

    def __init__(self, name: str, folder: Path, handler: Handler | None = None) -> None:
        self.name = name
        self.path = folder / f"{name}.sock"
        self.requests: list[Request] = []
        self.held: list[Reply] = []
        self.holds = False
        self.status = 200
        self._handler = handler
        self.server = FrameServer(self._handle, streams=is_streamed)

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(replica=self.name, frames=str(self.path))

    def _handle(self, request: Request, reply: Reply) -> None:
        self.requests.append(request)
        if self._handler is not None:
            self._handler(request, reply)
        elif self.holds:
            self.held.append(reply)
        else:
            reply(self.answer())

    def answer(self) -> Response:
        return Response(self.status, b"X-Worker: %b\r\n" % self.name.encode(), self.name.encode())

    def release(self) -> None:
        """Answer what is held and hold no more."""
        self.holds = False
        held, self.held = self.held, []
        for reply in held:
            reply(self.answer())

    async def start(self) -> None:
        await self.server.listen(UnixSocket(str(self.path)))

    async def die(self) -> None:
        """End at once, as by a kill."""
        await self.server.drain(0)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that a connection brings about."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


class Bench:
    """One gateway, its client, and the workers a test starts."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        self.gateway = gateway
        self.folder = folder
        self.client = GatewayClient(folder / "admin.sock")
        self.workers: list[Worker] = []

    @property
    def port(self) -> int:
        return self.gateway.port

    async def worker(self, name: str, handler: Handler | None = None) -> Worker:
        worker = Worker(name, self.folder, handler)
        await worker.start()
        self.workers.append(worker)
        return worker

    async def serve(self, *services: Service) -> None:
        """Publish a table and wait until the replicas in it that live are connected."""
        await self.client.publish(RouteTable(services=services))
        living = {str(worker.path) for worker in self.workers if worker.path.exists()}
        wanted = {
            f"{service.namespace}/{service.name}/{component}": sum(e.frames in living for e in pool.endpoints)
            for service in services
            for component, pool in service.pools
        }
        pools = {serving.pool.name: serving.pool for serving in self.gateway.switchboard.servings.values()}
        await until(lambda: all(pools[name].load.ready >= count for name, count in wanted.items()))


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """A gateway that serves nothing yet."""
    # Not pytest's folder: its paths may be too long for a Unix socket.
    with tempfile.TemporaryDirectory(prefix="gw-") as name:
        folder = Path(name)
        anywhere = TcpSocket("127.0.0.1", 0)
        settings = Settings(
            where=anywhere,
            also=anywhere,
            inside=folder / "inside.sock",
            admin=folder / "admin.sock",
            table=folder / "table.json",
        )
        gateway = Gateway(settings)
        await gateway.start()
        made = Bench(gateway, folder)
        try:
            yield made
        finally:
            await gateway.drain(0)
            for worker in made.workers:
                await worker.server.drain(0)


def pool(
    *workers: Worker, wait_s: float = 5.0, queue_limit: int = 100, refusal: str = "", protocol: str = "seldon"
) -> Pool:
    """A pool of these workers."""
    return Pool(
        endpoints=tuple(worker.endpoint for worker in workers),
        wait_s=wait_s,
        queue_limit=queue_limit,
        refusal=refusal,
        protocol=protocol,
    )


def service(
    name: str,
    pools: dict[str, Pool],
    *,
    weights: dict[str, int] | None = None,
    mirrors: dict[str, float] | None = None,
    timeout_s: float | None = None,
    retries: int = 0,
    routes: tuple[Route, ...] = (),
) -> Service:
    """A service at `/seldon/ns/<name>/` whose route leads to all its pools that are no mirrors, or to `weights`."""
    mirrors = mirrors or {}
    shares = weights if weights is not None else {component: 100 for component in pools if component not in mirrors}
    route = Route(
        path_prefix=f"/seldon/ns/{name}/",
        targets=tuple(
            Target(component=ComponentName(component), weight=weight) for component, weight in shares.items()
        ),
        mirrors=tuple(Mirror(component=ComponentName(item), percent=percent) for item, percent in mirrors.items()),
        timeout_s=timeout_s,
        retries=retries,
    )
    return Service(
        kind="SeldonDeployment", namespace="ns", name=name, routes=routes or (route,), pools=tuple(pools.items())
    )
