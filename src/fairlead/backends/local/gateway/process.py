"""The gateway process: its parts put together, and its life from start to drain."""

import asyncio
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fairlead.backends.local.gateway.admin import Admin, TableFile
from fairlead.backends.local.gateway.calls import Calls
from fairlead.backends.local.gateway.collecting import Collector
from fairlead.backends.local.gateway.demanding import Demands
from fairlead.backends.local.gateway.doors import Doors
from fairlead.backends.local.gateway.finding import View
from fairlead.backends.local.gateway.link import Dial, dial_worker
from fairlead.backends.local.gateway.listing import Pages
from fairlead.backends.local.gateway.messages import GatewayStats, PoolStats
from fairlead.backends.local.gateway.metering import Meters
from fairlead.backends.local.gateway.proxying import Proxy
from fairlead.backends.local.gateway.scale_metrics import Board
from fairlead.backends.local.gateway.switchboard import Switchboard
from fairlead.backends.local.gateway.trails import Trails
from fairlead.backends.local.gateway.wheel import TimerWheel
from fairlead.dataplane.access_log import open_log
from fairlead.dataplane.net.server import HttpServer, Limits
from fairlead.dataplane.net.tls import NamedCertificates, server_context
from fairlead.dataplane.spec import Listen, UnixSocket
from fairlead.dataplane.tracing.opening import open_tracer
from fairlead.plan.routing import RouteTable
from fairlead.protocols.streaming import is_streamed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line says."""

    where: Listen
    also: Listen | None = None
    """A second address for the same: the port that gRPC clients expect."""
    inside: Path | None = None
    """A Unix socket for our own processes: in clear, and with routes that clients do not have."""
    admin: Path | None = None
    """Where tables and questions come; without it, whoever made the gateway gives them to it."""
    table: Path
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    max_body_bytes: int = Limits().body_bytes
    access_log: str = "off"
    """Which requests get a line in the log: see `fairlead.dataplane.access_log`."""
    tracing: Mapping[str, str] = field(default_factory=dict)
    """The environment, as far as it says whether and where spans are sent."""


class Gateway:
    """Everything of one gateway. `start` and `drain` run on its loop."""

    def __init__(self, settings: Settings, dial: Dial = dial_worker) -> None:
        self._settings = settings
        self._meters = Meters()
        self.board = Board()
        self._certificates = NamedCertificates()
        self._marks: dict[Path, str] = {}
        self.switchboard = Switchboard(self._meters, dial)
        self.switchboard.on_table = self._use_certificates
        self._collector = Collector(self.switchboard, self._meters, settings.table.with_suffix(".counts"))
        self.switchboard.on_counts = self._collector.farewell
        tracer = open_tracer(settings.tracing, service="fairlead-gateway")
        self._trails = Trails(open_log(settings.access_log), tracer)
        self._wheel = TimerWheel(asyncio.get_running_loop())
        self.doors = Doors(settings.table.with_suffix(".access"), time.time)
        self._calls: list[Calls] = []
        self._server = self._make_server(is_inside=False)
        self._inside = self._make_server(is_inside=True)
        self._meters.clock = asyncio.get_running_loop().time
        self._meters.loads = self.switchboard.loads
        self._meters.scales = lambda: self.board.families(self.switchboard.servings)
        self._meters.connections = lambda: self._server.connections
        self._file = TableFile(settings.table)
        self.demands = Demands(self.switchboard.servings, asyncio.get_running_loop())
        self.switchboard.on_poke = self.demands.poke
        self._admin = Admin(
            self.switchboard, self._file, self.demands, self.board, stats=self.stats, admit=self.doors.admit
        )
        self.port = 0
        self.grpc_port = 0

    def _make_server(self, *, is_inside: bool) -> HttpServer:
        """One for those who come from a side of their own."""
        view = View(self.switchboard, is_inside=is_inside)
        pages = Pages(self.switchboard, view, self._collector.answer, is_draining=lambda: self._server.is_draining)
        # Our own services ask each other without a token: the socket's owner has vouched for them.
        doors = None if is_inside else self.doors
        proxy = Proxy(view, self._meters, pages, self._wheel, self._trails, doors)
        self._calls.append(proxy.calls)
        return HttpServer(proxy, limits=Limits(body_bytes=self._settings.max_body_bytes), streams=is_streamed)

    async def start(self) -> None:
        """Serve the last table, then take calls and requests. Raises `ConfigError` when a socket or certificate
        cannot be used."""
        settings = self._settings
        tls = server_context(settings.tls_certificate, settings.tls_key, named=self._certificates)
        self._collector.load()
        self.doors.load()
        last = self._file.load()
        if last is not None:
            self.switchboard.publish(last)
        self.port = await self._server.listen(settings.where, tls=tls)
        if settings.also is not None:
            self.grpc_port = await self._server.listen(settings.also, tls=tls)
        if settings.inside is not None:
            await self._inside.listen(UnixSocket(str(settings.inside)))
        if settings.admin is not None:
            await self._admin.listen(settings.admin)

    def _use_certificates(self, table: RouteTable) -> None:
        """Show clients the certificates that the table names for hosts."""
        listed = [one for service in table.services for one in service.certificates]
        marks = {Path(one.path): one.mark for one in listed}
        changed = {path for path, mark in marks.items() if self._marks.get(path) != mark}
        if marks and changed and self._settings.tls_certificate is None:
            log.warning("certificates of hosts are not used: the data port does not speak TLS (--tls-cert)")
        self._marks = marks
        # Of two services that claim a host the first in the table has it.
        files = {host: Path(one.path) for one in reversed(listed) for host in reversed(one.hosts)}
        self._certificates.replace(files, changed=changed)

    async def drain(self, grace_s: float) -> None:
        """Take nothing new, answer what is here, end."""
        for calls in self._calls:
            calls.drain()
        await self._server.drain(grace_s)
        # What clients asked may have asked something here.
        await self._inside.drain(grace_s)
        self._collector.save()
        await asyncio.to_thread(self._trails.close)
        self.demands.close()
        self._admin.close()
        self._wheel.close()
        self.switchboard.close()

    def stats(self) -> GatewayStats:
        """What is carried now."""
        pools = tuple(
            PoolStats(
                kind=serving.key.kind,
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
