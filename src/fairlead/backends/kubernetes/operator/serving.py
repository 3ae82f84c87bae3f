"""The operator's own small HTTP server: whether it lives, whether it is ready, and its metrics."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from aiohttp import web

from fairlead.backends.kubernetes.operator.metering import Meter

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(slots=True, kw_only=True)
class Pages:
    """`is_ready` is asked at every call. Ports of 0 are free ones, which `ports` tells after `open`."""

    host: str
    metrics_port: int
    health_port: int
    meter: Meter
    is_ready: Callable[[], bool]
    ports: dict[int, int] = field(default_factory=dict)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def open(self) -> None:
        """Begin to answer. The two ports may be one."""
        health = [web.get("/healthz", self._alive), web.get("/readyz", self._ready)]
        metrics = [web.get("/metrics", self._metrics)]
        if self.metrics_port == self.health_port:
            await self._listen(self.health_port, [*health, *metrics])
        else:
            await self._listen(self.health_port, health)
            await self._listen(self.metrics_port, metrics)

    async def close(self) -> None:
        """Answer no more."""
        await self._stack.aclose()

    async def _listen(self, port: int, routes: list[web.RouteDef]) -> None:
        app = web.Application()
        app.add_routes(routes)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, self.host, port).start()
        self.ports[port] = int(runner.addresses[0][1])

    async def _alive(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _ready(self, _: web.Request) -> web.Response:
        if self.is_ready():
            return web.Response(text="ok\n")
        return web.Response(status=503, text="the objects of the cluster are not all known yet\n")

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self.meter.text(), headers={"Content-Type": _METRICS_TYPE})
