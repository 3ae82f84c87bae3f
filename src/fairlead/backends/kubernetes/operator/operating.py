"""The operator: everything wired together, from the first question to the API server until somebody says stop.

In this order: what does the cluster serve; what is in it; follow it; become the leader; work. Losing the lead ends the
process at once, and Kubernetes starts it again: nothing that was begun as a leader may go on.
"""

import asyncio
import logging
import os
import random
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from lightkube.config.kubeconfig import SingleConfig

from fairlead.backends.kubernetes.operator.api import Api
from fairlead.backends.kubernetes.operator.cache import Cache
from fairlead.backends.kubernetes.operator.connecting import connect
from fairlead.backends.kubernetes.operator.discovery import Served, discover, settings_here
from fairlead.backends.kubernetes.operator.followed import Followed
from fairlead.backends.kubernetes.operator.following import Following
from fairlead.backends.kubernetes.operator.leading import Election, Terms
from fairlead.backends.kubernetes.operator.limiting import Bucket
from fairlead.backends.kubernetes.operator.lookups import Followers, Watching
from fairlead.backends.kubernetes.operator.metering import Meter
from fairlead.backends.kubernetes.operator.queueing import Patience, WorkQueue
from fairlead.backends.kubernetes.operator.reconciling import Reconciler
from fairlead.backends.kubernetes.operator.recording import Recorder
from fairlead.backends.kubernetes.operator.resources import (
    DEFINITION,
    NAMESPACE,
    OWNED,
    REFERENCES,
    ObjectKey,
    TypeKey,
)
from fairlead.backends.kubernetes.operator.serving import Pages
from fairlead.backends.kubernetes.operator.sweeping import Sweeper
from fairlead.backends.kubernetes.operator.triggering import Triggers
from fairlead.backends.kubernetes.operator.working import Workers
from fairlead.backends.kubernetes.operator.writing import Writer
from fairlead.dialects.base import World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings

_log = logging.getLogger(__name__)

Json = dict[str, Any]

_CALL_TIMEOUT_S = 30.0
_GRACE_S = 10.0


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
            writer=Writer(self.api, self.cache, self._served, hear=self._triggers.hear_made),
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
        self._workers = Workers(self.queue, self._reconciler, self.meter)
        self._following = Following(
            config=config,
            cache=self.cache,
            served=self._served,
            sweeper=Sweeper(
                api=self.api,
                cache=self.cache,
                hear=self._triggers.hear,
                namespaces=options.namespaces,
                shared=options.shared | {options.settings.namespace},
            ),
            triggers=self._triggers,
            meter=self.meter,
            discover=self._discover,
            namespaces=options.namespaces,
            patience=options.patience,
            every_s=options.sweep_every_s,
            settle_s=options.settle_s,
            pause_s=options.watch_pause_s,
        )
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
            await self._following.end()
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
            _log.info("stopping")
            await self._workers.finish(within_s=_GRACE_S)
        life.cancel()
        try:
            await life
        except asyncio.CancelledError:
            return 0
        return 0 if is_asked else 1

    async def _live(self) -> None:
        await self._following.begin()
        self._is_synced = True
        async with asyncio.TaskGroup() as tasks:
            beside = [*self._following.jobs(), *(companion(self) for companion in self._companions)]
            following = [tasks.create_task(_ending(each)) for each in beside]
            if self.options.elects:
                await self._election.win()
            self.meter.leader.set(1)
            find_left = partial(self._reconciler.writer.find_left, self.options.namespaces)
            await self._following.insist("looking for what was replaced", find_left)
            self._is_working = True
            self._triggers.everything()
            working = [tasks.create_task(self._workers.work()) for _ in range(self.options.workers)]
            if self.options.elects:
                await self._election.hold()
                self.meter.leader.set(0)
                for task in (*working, *following):
                    task.cancel()

    async def _discover(self) -> None:
        wanted = (*(one.type for one in self.followed.values()), *OWNED, *REFERENCES, NAMESPACE, DEFINITION)
        found = await discover(self.api, wanted)
        self._served.types = found.types
        self._reconciler.settings = settings_here(self.options.settings, self._served)
        if self._refit is not None:
            self._follow(self._refit(self.settings))

    def _follow(self, kinds: Iterable[Followed]) -> None:
        # In place: others hold this table too.
        self.followed.update({one.type.key: one for one in kinds if not one.kind.is_read_only})

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
