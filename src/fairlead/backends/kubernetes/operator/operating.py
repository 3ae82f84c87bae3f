"""The operator: everything wired together, from the first question to the API server until somebody says stop.

In this order: what does the cluster serve; what is in it; follow it; become the leader; work. Losing the lead ends the
process at once, and Kubernetes starts it again: nothing that was begun as a leader may go on.
"""

import asyncio
import contextlib
import logging
import os
import random
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from lightkube.config.kubeconfig import SingleConfig

from fairlead.backends.kubernetes.operator.api import Api
from fairlead.backends.kubernetes.operator.cache import Cache
from fairlead.backends.kubernetes.operator.connecting import connect
from fairlead.backends.kubernetes.operator.discovery import Served, discover, settings_here
from fairlead.backends.kubernetes.operator.followed import Followed
from fairlead.backends.kubernetes.operator.leading import Election, Terms
from fairlead.backends.kubernetes.operator.limiting import Bucket
from fairlead.backends.kubernetes.operator.lookups import Followers, Watching
from fairlead.backends.kubernetes.operator.metering import Meter
from fairlead.backends.kubernetes.operator.queueing import Patience, WorkQueue
from fairlead.backends.kubernetes.operator.reconciling import Again, Reconciler
from fairlead.backends.kubernetes.operator.recording import Recorder
from fairlead.backends.kubernetes.operator.resources import (
    NAMESPACE,
    OWNED,
    REFERENCES,
    ObjectKey,
    ResourceType,
    TypeKey,
)
from fairlead.backends.kubernetes.operator.serving import Pages
from fairlead.backends.kubernetes.operator.sweeping import Agenda, Sweeper
from fairlead.backends.kubernetes.operator.triggering import Triggers
from fairlead.backends.kubernetes.operator.watching import Watches
from fairlead.backends.kubernetes.operator.writing import Writer
from fairlead.dialects.base import World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings
from fairlead.errors import FairleadError, Retryable

_log = logging.getLogger(__name__)

Json = dict[str, Any]

_DEFINITION = ResourceType(
    group="apiextensions.k8s.io",
    versions=("v1",),
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    is_namespaced=False,
)
_CALL_TIMEOUT_S = 30.0
_GRACE_S = 10.0
_SHARED_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run. No `namespaces` means all. `shared` are namespaces whose ConfigMaps are for everybody."""

    settings: ClusterSettings
    namespaces: tuple[str, ...] = ()
    shared: frozenset[str] = frozenset()
    controller_id: str = ""
    host: str = "0.0.0.0"  # noqa: S104 - in a pod, for the kubelet and Prometheus
    metrics_port: int = 8080
    health_port: int = 8081
    workers: int = 8
    calls_per_s: float = 50.0
    call_burst: int = 100
    elects: bool = True
    lease: str = "operator.fairlead.dev"
    lease_namespace: str = "default"
    terms: Terms = field(default_factory=Terms)
    patience: Patience = field(default_factory=Patience)
    sweep_every_s: float = 600.0
    watch_pause_s: float = 1.0
    settle_s: float = 1.0
    """How long to wait for more of what makes everything of a sort be asked for."""


Refit = Callable[[ClusterSettings], Sequence[Followed]]
"""The kinds again, by those who understand them in a cluster with these settings."""

Companion = Callable[["Operator"], Awaitable[None]]
"""Runs beside the operator from when the cluster is known until the end, in a leader and in those that stand by."""


class Operator:
    """`followed` says which kinds and by whom. One instance runs once. `is_ready` holds what must be so, beside
    knowing the cluster, for it to call itself ready."""

    def __init__(
        self,
        config: SingleConfig,
        followed: Sequence[Followed],
        options: Options,
        catalog: Catalog,
        companions: Sequence[Companion] = (),
        refit: Refit | None = None,
    ) -> None:
        self.options = options
        self.is_ready: list[Callable[[], bool]] = [lambda: self._is_synced]
        self._companions = companions
        self._refit = refit
        self._config = config
        self.followed: dict[TypeKey, Followed] = {}
        self._follow(followed)
        self.meter = Meter()
        now = time.monotonic
        bucket = Bucket(per_s=options.calls_per_s, burst=options.call_burst, now=now)
        self._client = connect(config, timeout_s=_CALL_TIMEOUT_S)
        self.api = Api(self._client, bucket, self.meter)
        self.queue: WorkQueue[ObjectKey] = WorkQueue(now, random.random, options.patience)
        kinds = (*(one.type for one in self.followed.values()), *REFERENCES, NAMESPACE)
        self.cache = Cache({kind.key for kind in kinds}, {kind.group for kind in self.followed})
        self._served = Served()
        followers = Followers()
        self._triggers = Triggers(
            cache=self.cache,
            followed=self.followed,
            followers=followers,
            enqueue=self._enqueue,
            at_leisure=self.queue.add_at_leisure,
        )
        self._identity = f"{socket.gethostname()}_{os.urandom(8).hex()}"
        self._reconciler = Reconciler(
            api=self.api,
            cache=self.cache,
            served=self._served,
            writer=Writer(self.api, self.cache, self._served),
            recorder=Recorder(self.api, clock, now, instance=self._identity),
            followed=self.followed,
            read={kind.kind: kind.key for kind in kinds},
            cluster_wide=frozenset(kind.kind for kind in kinds if not kind.is_namespaced),
            settings=options.settings,
            catalog=catalog,
            clock=clock,
            hear=self._triggers.hear_own,
            controller_id=options.controller_id,
            is_cluster_wide=not options.namespaces,
            followers=followers,
        )
        self._sweeper = Sweeper(
            api=self.api,
            cache=self.cache,
            hear=self._triggers.hear,
            namespaces=options.namespaces,
            shared=options.shared | {options.settings.namespace},
        )
        self._watches = Watches(config, options.namespaces, self._heard, self._rewatched, options.watch_pause_s)
        self._election = Election(
            api=self.api,
            namespace=options.lease_namespace,
            name=options.lease,
            identity=self._identity,
            now=now,
            clock=micro_clock,
            terms=options.terms,
        )
        self.pages = Pages(
            host=options.host,
            metrics_port=options.metrics_port,
            health_port=options.health_port,
            meter=self.meter,
            is_ready=lambda: all(is_so() for is_so in self.is_ready),
        )
        self._is_synced = False
        self._is_working = False
        self._agenda = Agenda(options.sweep_every_s, options.settle_s)
        self._wants_sweep = asyncio.Event()
        self._wants_discovery = asyncio.Event()
        self._stopping = False

    @property
    def settings(self) -> ClusterSettings:
        """The installation's, with what the cluster has."""
        return self._reconciler.settings

    def world(self) -> World:
        """What the cluster has, as dialects see it."""
        return Watching(self.cache, self._reconciler.read, self._reconciler.cluster_wide)

    def _enqueue(self, key: ObjectKey) -> None:
        # Whoever begins to work looks at everything: until then nothing has to be kept for it.
        if self._is_working:
            self.queue.add(key)

    async def run(self, stop: asyncio.Event) -> int:
        """Run until `stop`; the exit status, which is not 0 when the lead was lost."""
        self._measure()
        await self.pages.open()
        try:
            return await self._until(stop, self._live())
        finally:
            await self._watches.stop()
            await self._election.release()
            await self._client.aclose()
            await self.pages.close()

    async def _until(self, stop: asyncio.Event, living: Awaitable[None]) -> int:
        async def work() -> None:
            await living

        life, stopped = asyncio.create_task(work()), asyncio.create_task(stop.wait())
        await asyncio.wait({life, stopped}, return_when=asyncio.FIRST_COMPLETED)
        is_asked = stopped.done()
        stopped.cancel()
        if is_asked:
            await self._finish()
        life.cancel()
        try:
            await life
        except asyncio.CancelledError:
            return 0
        return 0 if is_asked else 1

    async def _finish(self) -> None:
        """Take nothing new, and give what is under way a while to end."""
        _log.info("stopping")
        self._stopping = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_S):
                await self.queue.idle()

    async def _live(self) -> None:
        await self._insist("learning what the cluster serves", self._discover)
        for kind in self._kinds():
            await self._insist(f"listing {kind.plural}", partial(self._sweeper.sweep, kind))
        await self._insist("listing ConfigMaps", self._sweeper.sweep_shared)
        self._watch()
        self._is_synced = True
        _log.info("%d objects of %d kinds are known", self.cache.count(), len(self._kinds()))
        async with asyncio.TaskGroup() as tasks:
            beside = [
                self._sweep_on(),
                self._sweep_shared_on(),
                self._discover_on(),
                *(companion(self) for companion in self._companions),
            ]
            following = [tasks.create_task(_ending(each)) for each in beside]
            if self.options.elects:
                await self._election.win()
            self.meter.leader.set(1)
            find_left = partial(self._reconciler.writer.find_left, self.options.namespaces)
            await self._insist("looking for what was replaced", find_left)
            self._is_working = True
            self._triggers.everything()
            working = [tasks.create_task(self._work()) for _ in range(self.options.workers)]
            if self.options.elects:
                await self._election.hold()
                self.meter.leader.set(0)
                for task in (*working, *following):
                    task.cancel()

    async def _insist(self, what: str, do: Callable[[], Awaitable[None]]) -> None:
        """Do this, however long the API server is away."""
        failures = 0
        while True:
            try:
                return await do()
            except FairleadError as error:
                failures += 1
                patience = replace(self.options.patience, longest_s=15.0)
                delay_s = patience.delay_s(failures, random.random())  # noqa: S311 - spreads load
                _log.warning("%s: %s; trying again", what, error)
                await asyncio.sleep(delay_s)

    async def _discover(self) -> None:
        wanted = (*(one.type for one in self.followed.values()), *OWNED, *REFERENCES, NAMESPACE, _DEFINITION)
        found = await discover(self.api, wanted)
        self._served.types = found.types
        self._reconciler.settings = settings_here(self.options.settings, self._served)
        if self._refit is not None:
            self._follow(self._refit(self.settings))

    def _follow(self, kinds: Iterable[Followed]) -> None:
        # In place: others hold this table too.
        self.followed.update({one.type.key: one for one in kinds if not one.kind.is_read_only})

    def _kinds(self) -> list[ResourceType]:
        """What is followed: definitions and namespaces by an operator for the whole cluster alone."""
        is_for_all = not self.options.namespaces
        return [
            kind
            for key, kind in self._served.types.items()
            if is_for_all or key not in (NAMESPACE.key, _DEFINITION.key)
        ]

    def _watch(self) -> None:
        kinds = [kind for kind in self._kinds() if kind.key not in self._sweeper.forbidden]
        self._agenda.begun((kind.key for kind in kinds), time.monotonic())
        self._watches.start(kinds)

    def _rewatched(self) -> None:
        self.meter.restarts.inc()
        self._agenda.begun((kind.key for kind in self._kinds()), time.monotonic())

    def _heard(self, kind: TypeKey, type_: str, doc: Json) -> None:
        if kind == _DEFINITION.key:
            if type_:
                self._wants_discovery.set()
            return
        if not type_:
            # One of a list: whatever went since the last one is not in it.
            self._agenda.listed(kind, time.monotonic())
            self._wants_sweep.set()
        metadata = doc["metadata"]
        if type_ == "DELETED":
            key = ObjectKey(kind.group, kind.kind, metadata.get("namespace") or "", metadata["name"])
            change = self.cache.drop(key, str(metadata.get("uid", "")))
        else:
            change = self.cache.take(kind, doc)
        if change is not None:
            self._triggers.hear(change)

    async def _sweep_on(self) -> None:
        while True:
            self._wants_sweep.clear()
            now, forbidden = time.monotonic(), set(self._sweeper.forbidden)
            for key in self._agenda.due([kind.key for kind in self._kinds()], now):
                kind = self._served.get(key)
                self._agenda.swept(key, now)
                if kind is not None:
                    with self._calmly(f"listing {kind.plural}"):
                        await self._sweeper.sweep(kind)
            if forbidden - self._sweeper.forbidden:
                # What may be listed now may be watched too.
                await self._watches.stop()
                self._watch()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.01, self._agenda.wait_s(time.monotonic()))):
                    await self._wants_sweep.wait()

    async def _sweep_shared_on(self) -> None:
        while self.options.namespaces:
            await asyncio.sleep(_SHARED_S)
            with self._calmly("listing ConfigMaps"):
                await self._sweeper.sweep_shared()

    async def _discover_on(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.options.sweep_every_s):
                    await self._wants_discovery.wait()
            await asyncio.sleep(self.options.settle_s)
            self._wants_discovery.clear()
            before = dict(self._served.types)
            with self._calmly("learning what the cluster serves"):
                await self._discover()
                if self._served.types != before:
                    await self._follow_anew(before)

    async def _follow_anew(self, before: Mapping[TypeKey, ResourceType]) -> None:
        now = self._served.types
        _log.info(
            "the cluster serves other kinds now: %s",
            ", ".join(
                [
                    *(f"+{key.kind}" for key in now if key not in before),
                    *(f"-{key.kind}" for key in before if key not in now),
                ]
            ),
        )
        for key in before:
            if key not in now:
                self.cache.clear(key)
        await self._watches.stop()
        for kind in self._kinds():
            if kind.key not in before:
                await self._insist(f"listing {kind.plural}", partial(self._sweeper.sweep, kind))
        self._watch()
        self._triggers.everything()

    @contextlib.contextmanager
    def _calmly(self, what: str) -> Iterator[None]:
        try:
            yield
        except FairleadError as error:
            _log.warning("%s: %s", what, error)

    async def _work(self) -> None:
        while True:
            key = await self.queue.take()
            if self._stopping:
                self.queue.done(key)
                return
            started, result = time.monotonic(), "error"
            try:
                result = await self._reconcile(key)
            finally:
                self.queue.done(key)
                self.meter.reconciled(key.kind, result, time.monotonic() - started)

    async def _reconcile(self, key: ObjectKey) -> str:
        """One reconcile with whatever comes of it; the word for that."""
        try:
            again_s = await self._reconciler.reconcile(key)
        except Again:
            self.queue.add(key)
            return "conflict"
        except Retryable as error:
            delay_s = self.queue.retry(key, at_least_s=error.after_s or 0.0)
            _log.info("%s: %s; again in %.1f s", key, error, delay_s)
            return "later"
        except FairleadError as error:
            _log.warning("%s: %s", key, error)
            await self._fail(key, error)
            return "refused"
        except Exception as error:
            _log.exception("%s: internal error", key)
            await self._fail(key, FairleadError(f"internal error: {type(error).__name__}: {error}"))
            return "error"
        self.queue.forgive(key)
        if again_s is not None:
            self.queue.add(key, after_s=again_s)
        return "done"

    async def _fail(self, key: ObjectKey, error: FairleadError) -> None:
        self.queue.retry(key)
        try:
            await self._reconciler.fail(key, error)
        except Again:
            self.queue.add(key)
        except Retryable as away:
            _log.info("%s: its status could not be written: %s", key, away)
        except Exception:
            _log.exception("%s: its status could not be written", key)

    def _measure(self) -> None:
        self.meter.leader.set(0)
        self.meter.queued.set_function(lambda: len(self.queue))
        self.meter.working.set_function(lambda: self.queue.working)
        self.meter.objects.set_function(self.cache.count)


async def _ending(work: Awaitable[None]) -> None:
    await work


def clock() -> str:
    """Now, as Kubernetes writes times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_clock() -> str:
    """Now, as Leases write times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
