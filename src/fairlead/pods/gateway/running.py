"""A gateway of a cluster put together, and its life: follow the cluster, route, and scale while it leads."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from fairlead.backends.kubernetes.following import Follower
from fairlead.backends.kubernetes.operator import ClusterConfig
from fairlead.backends.kubernetes.operator.api import Api
from fairlead.backends.kubernetes.operator.connecting import connect
from fairlead.backends.kubernetes.operator.leading import Election, Terms
from fairlead.backends.kubernetes.operator.limiting import Bucket
from fairlead.backends.kubernetes.operator.metering import Meter
from fairlead.backends.kubernetes.operator.operating import micro_clock
from fairlead.backends.kubernetes.operator.resources import CONFIG_MAP, DEPLOYMENT, POD, SERVICE, ResourceType
from fairlead.backends.kubernetes.render.own_gateway import LABEL
from fairlead.backends.local.gateway.process import Gateway
from fairlead.backends.local.gateway.process import Settings as GatewaySettings
from fairlead.dataplane.spec import TcpSocket
from fairlead.dialects.base import EmptyWorld
from fairlead.dialects.kserve.autoscaler_config import NAME, NAMESPACE, AutoscalerConfig, read_autoscaler_config
from fairlead.errors import ConfigError
from fairlead.plan.routing import RouteTable
from fairlead.pods.gateway.addresses import Json
from fairlead.pods.gateway.announcing import ENDPOINTS, Announcer
from fairlead.pods.gateway.deciding import Decider
from fairlead.pods.gateway.gathering import Gatherer, Teller
from fairlead.pods.gateway.links import dial_pod
from fairlead.pods.gateway.tables import Settings, Workload, table_of, workload_name, workload_of

_log = logging.getLogger(__name__)

_CALL_S = 10.0
_SHOW_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`namespace` is the gateways' own; `selector` finds their pods in it. `only` are the namespaces of workloads, all
    when empty. Ports of 0 are free ones. `linger_s` is how long requests are still taken after SIGTERM, until nobody
    sends any; `grace_s` how long they may take then."""

    namespace: str
    identity: str
    only: tuple[str, ...] = ()
    selector: str = "app.kubernetes.io/name=fairlead,app.kubernetes.io/component=gateway"
    host: str = "0.0.0.0"  # noqa: S104 - for the pods of the cluster
    port: int = 8080
    demand_port: int = 8082
    health_port: int = 8081
    cluster_domain: str = "cluster.local"
    lease: str = "gateway.fairlead.dev"
    folder: Path = Path("/tmp")  # noqa: S108 - the pod's own
    linger_s: float = 5.0
    grace_s: float = 30.0
    terms: Terms = field(default_factory=Terms)


class ClusterGateway:
    """One gateway. Everything runs on the loop that makes it."""

    def __init__(self, config: ClusterConfig, options: Options) -> None:
        self._options = options
        self._api = Api(connect(config, timeout_s=_CALL_S), Bucket(50.0, 200, time.monotonic), Meter())
        where = TcpSocket(options.host, options.port)
        self.gateway = Gateway(GatewaySettings(where=where, table=options.folder / "table.json"), dial_pod)
        self._followers = list(self._make_followers())
        self._gateways = self._follower(POD, options.namespace, labels=options.selector)
        self._config_map = self._follower(CONFIG_MAP, NAMESPACE, fields=f"metadata.name={NAME}")
        self._endpoints = [self._follower(ENDPOINTS, space, labels=LABEL) for space in options.only or ("",)]
        self._teller = Teller(demands=self.gateway.demands, peers=self._peers)
        self._workloads: list[Workload] = []
        self._config = AutoscalerConfig()
        self._decider: Decider | None = None
        self._announcer: Announcer | None = None
        self._gatherer: Gatherer | None = None
        self._is_due = asyncio.Event()
        self._is_leaving = False
        self.health_port = 0

    @property
    def port(self) -> int:
        """Where requests are taken."""
        return self.gateway.port

    @property
    def demand_port(self) -> int:
        """Where the leader asks."""
        return self._teller.port

    @property
    def is_leading(self) -> bool:
        """Whether this one scales."""
        return self._decider is not None

    @property
    def is_ready(self) -> bool:
        """Whether requests may come."""
        return not self._is_leaving and all(one.is_known for one in self._followers)

    async def run(self, stop: asyncio.Event) -> int:
        """Serve until `stop`; the exit status."""
        options = self._options
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._api.client.aclose)
            await self.gateway.start()
            stack.push_async_callback(self.gateway.drain, options.grace_s)
            await self._teller.listen(options.host, options.demand_port)
            stack.callback(self._teller.close)
            await self._answer_health(stack)
            following = [asyncio.create_task(self._publish(), name="publish")]
            for one in (*self._followers, self._gateways, self._config_map, *self._endpoints):
                following.append(asyncio.create_task(one.run(), name=f"follow {one.kind.plural}"))
            leading = asyncio.create_task(self._lead(), name="lead")
            stack.push_async_callback(_end, following)
            print(f"fairlead gateway: serving on port {self.gateway.port}", flush=True)
            await _first(stop, [*following, leading])
            self._is_leaving = True
            await _end([leading])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), options.linger_s)
        return 0

    # What there is.

    def _make_followers(self) -> Iterator[Follower]:
        for namespace in self._options.only or ("",):
            for kind in (SERVICE, DEPLOYMENT, POD):
                yield self._follower(kind, namespace, labels=LABEL)

    def _follower(self, kind: ResourceType, namespace: str, *, labels: str = "", fields: str = "") -> Follower:
        return Follower(
            api=self._api, kind=kind, changed=self._changed, namespace=namespace, labels=labels, fields=fields
        )

    def _changed(self) -> None:
        self._is_due.set()

    async def _publish(self) -> None:
        """Put what changed in force, once for all changes that came together."""
        while True:
            await self._is_due.wait()
            self._is_due.clear()
            if all(one.is_known for one in self._followers):
                self._look()
            await asyncio.sleep(0)

    def _look(self) -> None:
        self._config = self._read_config()
        settings = Settings(config=self._config, cluster_domain=self._options.cluster_domain)
        of_deployments, of_pods = self._by_workload(DEPLOYMENT), self._by_workload(POD)
        self._workloads = [
            workload_of(service, of_deployments.get(name, ()), of_pods.get(name, ()), settings)
            for name, service in sorted(self._services().items())
        ]
        table = table_of(self._workloads)
        self.gateway.switchboard.publish(_kept(self.gateway.switchboard.table, table))
        self._tell_leader()

    def _tell_leader(self) -> None:
        if self._decider is not None:
            self._decider.take(self._workloads)
        if self._announcer is not None:
            self._announcer.take(self._services().values(), self._addresses("http", self.port))
            self._announcer.lost({key: doc for one in self._endpoints for key, doc in one.objects.items()})
        if self._gatherer is not None:
            own = self._options.identity
            others = [pod for pod in self._gateways.objects.values() if pod["metadata"]["name"] != own]
            self._gatherer.follow((_ip(pod), _port(pod, "demand", self.demand_port)) for pod in others if _ip(pod))

    def _by_workload(self, kind: ResourceType) -> dict[tuple[str, str], list[Json]]:
        found: dict[tuple[str, str], list[Json]] = {}
        for one in self._followers:
            for doc in one.objects.values() if one.kind is kind else ():
                found.setdefault(workload_name(doc), []).append(doc)
        return found

    def _services(self) -> dict[tuple[str, str], Json]:
        return {key: doc for one in self._followers if one.kind is SERVICE for key, doc in one.objects.items()}

    def _addresses(self, port: str, otherwise: int) -> Sequence[tuple[str, int]]:
        pods = [pod for pod in self._gateways.objects.values() if _is_ready(pod)]
        return sorted((_ip(pod), _port(pod, port, otherwise)) for pod in pods if _ip(pod))

    def _peers(self) -> frozenset[str]:
        return frozenset(_ip(pod) for pod in self._gateways.objects.values())

    def _read_config(self) -> AutoscalerConfig:
        try:
            return read_autoscaler_config(_Configured(next(iter(self._config_map.objects.values()), None)))
        except ConfigError as error:
            _log.warning("%s/%s is not used: %s", NAMESPACE, NAME, error)
            return self._config

    # The lead.

    async def _lead(self) -> None:
        """Scale while the lease is ours."""
        options = self._options
        election = Election(
            api=self._api,
            namespace=options.namespace,
            name=options.lease,
            identity=options.identity,
            now=time.monotonic,
            clock=micro_clock,
            terms=options.terms,
        )
        while True:
            await election.win()
            try:
                await self._scale_while(election)
            finally:
                await election.release()

    async def _scale_while(self, election: Election) -> None:
        self._decider, self._announcer = Decider(api=self._api), Announcer(api=self._api)
        self._gatherer = Gatherer(demands=self.gateway.demands, heard=self._decider.heard)
        self._gatherer.begin()
        self._is_due.set()
        work = [self._decider.write(), self._announcer.write(), self._show(self._decider)]
        tasks = [asyncio.create_task(one) for one in work]
        try:
            await election.hold()
        finally:
            self._gatherer.close()
            self._decider = self._announcer = self._gatherer = None
            await _end(tasks)

    async def _show(self, decider: Decider) -> None:
        while True:
            self.gateway.board.show(decider.scales())
            await asyncio.sleep(_SHOW_S)

    # Health.

    async def _answer_health(self, stack: contextlib.AsyncExitStack) -> None:
        app = web.Application()
        app.add_routes([web.get("/healthz", _alive), web.get("/readyz", self._ready)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, self._options.host, self._options.health_port).start()
        self.health_port = int(runner.addresses[0][1])

    async def _ready(self, _: web.Request) -> web.Response:
        if self.is_ready:
            return web.Response(text="ok\n")
        words = "requests are taken no more" if self._is_leaving else "the cluster's objects are not all known yet"
        return web.Response(status=503, text=f"{words}\n")


async def _alive(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


class _Configured(EmptyWorld):
    """A world with one ConfigMap."""

    def __init__(self, config_map: Json | None) -> None:
        self._config_map = config_map

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """The one."""
        is_meant = (kind, namespace, name) == ("ConfigMap", NAMESPACE, NAME)
        return dict(self._config_map) if is_meant and self._config_map else None


def _kept(before: RouteTable, after: RouteTable) -> RouteTable:
    """The new table with the objects of the one before where they are equal: so it is told what differs."""
    known = {service.identity: service for service in before.services}
    services = [known[one.identity] if known.get(one.identity) == one else one for one in after.services]
    return RouteTable(services=tuple(services))


def _ip(pod: Json) -> str:
    return str((pod.get("status") or {}).get("podIP") or "")


def _port(pod: Json, name: str, otherwise: int) -> int:
    ports = (port for container in pod["spec"].get("containers") or () for port in container.get("ports") or ())
    return next((int(port["containerPort"]) for port in ports if port.get("name") == name), otherwise)


def _is_ready(pod: Json) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def identity() -> str:
    """The pod's name, by which it knows itself among the others."""
    return socket.gethostname()


async def _first(stop: asyncio.Event, tasks: Sequence[asyncio.Task[None]]) -> None:
    """Return at `stop`; what fails before is raised."""
    told = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([told, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    told.cancel()


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
