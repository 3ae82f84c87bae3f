"""The gateway process: its parts put together, and its life from start to drain."""

import asyncio
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from fairlead.backends.local.gateway.admin import Admin, TableFile
from fairlead.backends.local.gateway.collecting import Collector
from fairlead.backends.local.gateway.listing import Pages
from fairlead.backends.local.gateway.messages import GatewayStats, PoolStats
from fairlead.backends.local.gateway.metering import Meters
from fairlead.backends.local.gateway.proxying import Proxy
from fairlead.backends.local.gateway.switchboard import Switchboard
from fairlead.backends.local.gateway.wheel import TimerWheel
from fairlead.dataplane.net.server import HttpServer, Limits
from fairlead.dataplane.net.tls import server_context
from fairlead.dataplane.spec import Listen
from fairlead.protocols.streaming import is_streamed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line says."""

    where: Listen
    also: Listen | None = None
    """A second address for the same: the port that gRPC clients expect."""
    admin: Path
    table: Path
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    max_body_bytes: int = Limits().body_bytes


class Gateway:
    """Everything of one gateway. `start` and `drain` run on its loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._meters = Meters()
        self.switchboard = Switchboard(self._meters)
        self._collector = Collector(self.switchboard, self._meters, settings.table.with_suffix(".counts"))
        self.switchboard.on_counts = self._collector.take
        self._wheel = TimerWheel(asyncio.get_running_loop())
        self._server = self._make_server()
        self._file = TableFile(settings.table)
        self._admin = Admin(self.switchboard, self._file, stats=self.stats)
        self.port = 0
        self.grpc_port = 0

    def _make_server(self) -> HttpServer:
        pages = Pages(self.switchboard, self._collector.answer, is_draining=lambda: self._server.is_draining)
        proxy = Proxy(self.switchboard, self._meters, pages, self._wheel)
        self._calls = proxy.calls
        limits = Limits(body_bytes=self._settings.max_body_bytes)
        server = HttpServer(proxy, limits=limits, streams=is_streamed)
        self._meters.loads = self.switchboard.loads
        self._meters.connections = lambda: server.connections
        return server

    async def start(self) -> None:
        """Serve the last table, then take calls and requests. Raises `ConfigError` when a socket or certificate
        cannot be used."""
        settings = self._settings
        tls = server_context(settings.tls_certificate, settings.tls_key)
        self._collector.load()
        last = self._file.load()
        if last is not None:
            self.switchboard.publish(last)
        self.port = await self._server.listen(settings.where, tls=tls)
        if settings.also is not None:
            self.grpc_port = await self._server.listen(settings.also, tls=tls)
        await self._admin.listen(settings.admin)

    async def drain(self, grace_s: float) -> None:
        """Take nothing new, answer what is here, end."""
        self._calls.drain()
        await self._server.drain(grace_s)
        self._collector.save()
        self._admin.close()
        self._wheel.close()
        self.switchboard.close()

    def stats(self) -> GatewayStats:
        """What is carried now."""
        pools = tuple(
            PoolStats(
                namespace=serving.key.namespace,
                service=serving.key.service,
                component=serving.key.component,
                ready=(load := serving.pool.load).ready,
                in_flight=load.in_flight,
                waiting=load.waiting,
                answered=serving.meter.requests,
            )
            for serving in self.switchboard.servings.values()
        )
        return GatewayStats(pid=os.getpid(), port=self.port, connections=self._server.connections, pools=pools)
