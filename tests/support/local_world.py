"""A local back-end on a real supervisor with fake workers, and the few things around it as small fakes."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fairlead.backends.base import Notice, SecretData
from fairlead.backends.local.backend import LocalBackend
from fairlead.backends.local.client import SupervisorClient
from fairlead.backends.local.gateway.messages import Demand, Scales
from fairlead.backends.local.home import Home
from fairlead.errors import NotReady, StorageError
from fairlead.plan.model import (
    Artifact,
    Call,
    Component,
    ComponentName,
    EnvVar,
    Graph,
    Method,
    Owner,
    Plan,
    Revision,
    Route,
    Target,
    Unit,
    UnitName,
)
from fairlead.plan.routing import RouteTable
from fairlead.plan.scaling import ScalePolicy
from fairlead.plan.status import ComponentStatus, PlanStatus
from support.supervising import RunningSupervisor, short_home, supervisor

OWNER = Owner(api_version="v1", kind="Thing", namespace="ns", name="iris", uid="1")


class FakeGateway:
    """Remembers its tables. `is_up` says whether it answers. What is put into `demands` is what it tells."""

    def __init__(self) -> None:
        self.tables: list[RouteTable] = []
        self.is_up = True
        self.demands: asyncio.Queue[Demand] = asyncio.Queue()
        self.shown: list[Scales] = []

    async def demand(self) -> AsyncIterator[Demand]:
        while True:
            yield await self.demands.get()

    async def show(self, scales: Scales) -> None:
        if not self.is_up:
            raise NotReady("no gateway")
        self.shown.append(scales)

    async def publish(self, table: RouteTable) -> None:
        if not self.is_up:
            raise NotReady("no gateway")
        self.tables.append(table)

    @property
    def table(self) -> RouteTable:
        return self.tables[-1] if self.tables else RouteTable()

    @property
    def replicas(self) -> frozenset[str]:
        return frozenset().union(*(service.replicas for service in self.table.services))


class FakeFetcher:
    """A store whose models are folders here. `gate` holds every transfer until it is set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.asked: list[tuple[str, bool, str]] = []
        self.pinned: set[tuple[str, str]] = set()
        self.failures: dict[str, Exception] = {}
        self.gate = threading.Event()
        self.gate.set()

    def fetch(
        self,
        uri: str,
        *,
        env: Mapping[str, str] | None = None,
        claim_folder: Callable[[str], Path | None] = lambda _: None,
        progress: Callable[[int, int], None] = lambda *_: None,
        should_stop: Callable[[], bool] = lambda: False,
        unpacks: bool = False,
        scope: str = "",
    ) -> Path:
        self.calls.append((uri, dict(env or {})))
        self.asked.append((uri, unpacks, scope))
        progress(10, 20)
        self.gate.wait(20)
        if uri in self.failures:
            raise self.failures[uri]
        if uri.startswith("pvc://") and claim_folder(uri[6:]) is None:
            raise StorageError(f"{uri}: no such claim")
        folder = self.folder / uri.replace("/", "_").replace(":", "_")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def fetch_parts(
        self,
        parts: Sequence[tuple[str, str]],
        *,
        env: Mapping[str, str] | None = None,
        claim_folder: Callable[[str], Path | None] = lambda _: None,
        progress: Callable[[int, int], None] = lambda *_: None,
        should_stop: Callable[[], bool] = lambda: False,
        unpacks: bool = False,
        scope: str = "",
    ) -> Path:
        whole = self.folder / "parts"
        for uri, path in parts:
            self.fetch(uri, env=env, claim_folder=claim_folder, progress=progress, unpacks=unpacks, scope=scope)
            (whole / path).mkdir(parents=True, exist_ok=True)
        return whole

    def pin(
        self,
        uri: str,
        *,
        env: Mapping[str, str] | None = None,
        claim_folder: Callable[[str], Path | None] = lambda _: None,
        progress: Callable[[int, int], None] = lambda *_: None,
        should_stop: Callable[[], bool] = lambda: False,
        unpacks: bool = False,
        scope: str = "",
        known_as: str = "",
    ) -> Path:
        folder = self.fetch(uri, env=env, claim_folder=claim_folder, progress=progress, unpacks=unpacks, scope=scope)
        self.pinned.add((known_as or uri, scope))
        return folder

    def pins(self) -> set[tuple[str, str]]:
        return set(self.pinned)

    def unpin(self, uri: str, *, scope: str = "") -> bool:
        known = (uri, scope) in self.pinned
        self.pinned.discard((uri, scope))
        return known


@dataclass
class FakeLookup:
    """Objects by name, in every namespace."""

    secrets: dict[str, dict[str, bytes]] = field(default_factory=dict)
    config_maps: dict[str, dict[str, str]] = field(default_factory=dict)
    claims: dict[str, Path] = field(default_factory=dict)
    accounts: dict[str, tuple[str, ...]] = field(default_factory=dict)

    async def secret(self, namespace: str, name: str) -> SecretData | None:
        values = self.secrets.get(name)
        return None if values is None else SecretData(values=values, annotations={})

    async def config_map(self, namespace: str, name: str) -> Mapping[str, str] | None:
        return self.config_maps.get(name)

    async def service_account_secrets(self, namespace: str, name: str) -> tuple[str, ...] | None:
        return self.accounts.get(name)

    async def claim_folder(self, namespace: str, name: str) -> Path | None:
        return self.claims.get(name)


@dataclass
class World:
    """`statuses` has the newest status of each owner's name, `notices` all of them."""

    home: Home
    supervisor: RunningSupervisor
    gateway: FakeGateway
    fetcher: FakeFetcher
    lookup: FakeLookup
    backend: LocalBackend
    statuses: dict[str, PlanStatus] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, condition: Callable[[ComponentStatus], bool], *, name: str = "iris") -> ComponentStatus:
        """Wait for the first component of a plan to be like this."""
        async with asyncio.timeout(20):
            while True:
                status = self.statuses.get(name)
                if status is not None and status.components and condition(status.components[0]):
                    return status.components[0]
                self.changed.clear()
                await self.changed.wait()

    async def until_routed(self, *, name: str = "iris") -> PlanStatus:
        async with asyncio.timeout(20):
            while name not in self.statuses or not self.statuses[name].routed:
                self.changed.clear()
                await self.changed.wait()
        return self.statuses[name]

    async def until_noticed(self, reason: str) -> Notice:
        async with asyncio.timeout(20):
            while True:
                found = next((notice for notice in self.notices if notice.reason == reason), None)
                if found is not None:
                    return found
                self.changed.clear()
                await self.changed.wait()

    async def listen(self) -> None:
        async for news in self.backend.observe():
            if isinstance(news, Notice):
                self.notices.append(news)
            else:
                self.statuses[news.owner.name] = news
            self.changed.set()


@contextlib.asynccontextmanager
async def world(*, is_settled: bool = True) -> AsyncIterator[World]:
    with short_home() as home:
        async with supervisor(home) as running, control(home, running) as one:
            if is_settled:
                await one.backend.settle()
            yield one


@contextlib.asynccontextmanager
async def control(
    home: Home, running: RunningSupervisor, *, gateway: FakeGateway | None = None, lookup: FakeLookup | None = None
) -> AsyncIterator[World]:
    """One life of what the control process holds; leaving it is its sudden death."""
    gateway, lookup = gateway or FakeGateway(), lookup or FakeLookup()
    fetcher = FakeFetcher(home.cache)
    async with SupervisorClient(home.supervisor_socket) as client:
        backend = LocalBackend(home, client, gateway, fetcher, lookup)
        one = World(home, running, gateway, fetcher, lookup, backend)
        tasks = [asyncio.create_task(backend.run()), asyncio.create_task(one.listen())]
        try:
            yield one
        finally:
            fetcher.gate.set()
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result


def unit(values: Mapping[str, str] | None = None, **changes: object) -> Unit:
    variables = tuple(EnvVar(name=name, value=value) for name, value in (values or {}).items())
    return replace(Unit(name=UnitName("model"), runtime="python", env=variables), **changes)  # type: ignore[arg-type]  # fields by name, from a test


def component(
    *units: Unit, revision: str = "rev1aaaa", replicas: int = 1, name: str = "default", **changes: object
) -> Component:
    units = units or (unit(),)
    graph = Graph(root=Call(unit=units[0].name, method=Method.PREDICT))
    scale = ScalePolicy(min_replicas=replicas, max_replicas=replicas, initial_replicas=replicas)
    made = Component(
        name=ComponentName(name),
        full_name=f"iris-{name}",
        revision=Revision(hash=revision, units=units, graph=graph, drain_s=5.0),
        scale=scale,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields by name, from a test


def plan(*components: Component, owner: Owner = OWNER) -> Plan:
    components = components or (component(),)
    targets = tuple(Target(component=one.name, weight=1) for one in components)
    return Plan(owner=owner, components=components, routes=(Route(path_prefix="/x/", targets=targets),))


def artifact(uri: str = "s3://bucket/model", **changes: object) -> Artifact:
    return replace(Artifact(uri=uri), **changes)  # type: ignore[arg-type]  # fields by name, from a test
