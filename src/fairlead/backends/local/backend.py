"""Makes plans true on this machine: prepares revisions, has replicas started and ended, tells the gateway and others.

Lives in the control process and owns no process itself, so it may be killed at any moment: the next one asks the
supervisor what runs, takes over whatever still fits its plan, and goes on from there. Every decision is `converge`'s;
this module carries them out, one component at a time, in one task.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from fairlead.backends.base import Lookup, Notice
from fairlead.backends.local import converge
from fairlead.backends.local.artifacts import Fetches
from fairlead.backends.local.backoff import REFERENCES, TRANSFERS
from fairlead.backends.local.certifying import Certifier
from fairlead.backends.local.client import SupervisorClient, SupervisorStopping
from fairlead.backends.local.container_runner import find_engine, sweep
from fairlead.backends.local.containers import home_mark
from fairlead.backends.local.environment import redact
from fairlead.backends.local.furnishing import Furnisher
from fairlead.backends.local.handing_over import HandedOver
from fairlead.backends.local.home import Home
from fairlead.backends.local.hosting import Host
from fairlead.backends.local.imaging import Imager
from fairlead.backends.local.keeping import forget
from fairlead.backends.local.keeping import sweep as sweep_kept
from fairlead.backends.local.logs import prune_logs
from fairlead.backends.local.observing import News, Trouble, status_of
from fairlead.backends.local.placing import Identity, once_more, place, runtimes_of, service_key
from fairlead.backends.local.ports import Ports
from fairlead.backends.local.prefetching import Prefetcher
from fairlead.backends.local.preparing import PreparationFailed, Preparer
from fairlead.backends.local.publishing import Publisher, Publishes
from fairlead.backends.local.rpc import Changed, Listing, ReplicaInfo, ReplicaSpec
from fairlead.backends.local.scaling.hearing import Tells, loads_of
from fairlead.backends.local.scaling.scaler import Scaler
from fairlead.backends.local.scaling.showing import Shows, show_forever
from fairlead.backends.local.scaling.telling import Told
from fairlead.backends.local.tables import service_of
from fairlead.backends.local.tracking import Key, Preparation, Tracked
from fairlead.errors import FairleadError
from fairlead.images.building import BentoImages
from fairlead.plan.model import Component, Owner, Plan
from fairlead.plan.routing import RouteTable
from fairlead.plan.status import ModelStatus, Phase, PlanStatus, Progress, ReplicaState
from fairlead.runtimes.bento.requirements import only_in_an_image

_log = logging.getLogger(__name__)
_RETRY_S = 0.5
_PROGRESS_EVERY_S = 0.25
_PASSING_FAILURES = 3
"""Preparations in a row that may fail for a passing reason before the component counts as failed."""


class Gateway(Publishes, Tells, Shows, Protocol):
    """What is needed of the gateway's client."""


class LocalBackend:
    """Implements `backends.base.Backend`. `run` does the work; the other calls only record wishes. `data_url` is
    where the gateway serves, `clock` seconds since the epoch."""

    def __init__(
        self,
        home: Home,
        supervisor: SupervisorClient,
        gateway: Gateway,
        fetcher: Fetches,
        lookup: Lookup,
        furnisher: Furnisher | None = None,
        *,
        images: BentoImages | None = None,
        data_url: str = "",
        clock: Callable[[], float] = time.time,
        token: Callable[[], str] = lambda: secrets.token_hex(6),
    ) -> None:
        self._home, self._supervisor, self._clock, self._token = home, supervisor, clock, token
        self._data_url = data_url
        self._preparer = Preparer(fetcher, lookup, furnisher)
        self._host = Host(home, self._preparer, spawn=self._spawn, changed=self._touch, tell=self._tell)
        imager = Imager(images, lookup, home.logs, clock=clock) if images is not None else None
        self._prefetcher = Prefetcher(self._preparer, spawn=self._spawn, changed=self._touch_plan, imager=imager)
        self._certifier = Certifier(home, lookup)
        self._gateway = gateway
        self._scaler = Scaler(scale=self.scale, tell=self._tell_scaling)
        self._publisher = Publisher(gateway, make=lambda: self._handed_over.table, published=self._published)
        self._ports = Ports()
        self._news = News()
        self._plans: dict[str, Plan] = {}
        self._tracked: dict[Key, Tracked] = {}
        self._handed_over = HandedOver()
        self._dirty: set[Key] = set()
        self._dirty_plans: set[str] = set()
        self._warmed: set[str] = set()
        self._poke = asyncio.Event()
        self._has_listing = False
        self._is_settled = False
        self._is_stopping = False
        self._is_pruning = False
        self._group: asyncio.TaskGroup | None = None

    # -- wishes

    async def apply(self, plan: Plan) -> None:
        """Make the plan true, in place of the one its owner had."""
        service = service_key(plan.owner)
        earlier = self._plans.get(service)
        self._plans[service] = plan
        wanted = {component.name for component in plan.components}
        for component in earlier.components if earlier else ():
            if component.name not in wanted:
                self._release((service, component.name))
        for component in plan.components:
            tracked = self._track((service, component.name))
            tracked.want(plan.owner, component, now=self._clock())
            self._scaler.follow(tracked.key, component)
            self._touch(tracked.key)
            self._warm(runtimes_of(component))
            self._host.want(tracked.key, plan.owner, component)
        self._prefetcher.want(service, plan)
        if not plan.components:
            self._touch_plan(service)
        await self._certify(plan)

    async def delete(self, owner: Owner) -> None:
        """Stop routing to what the owner had, then let it finish and end."""
        service = service_key(owner)
        plan = self._plans.pop(service, None)
        self._handed_over.drop(service)
        self._prefetcher.drop(service)
        for component in plan.components if plan else ():
            self._release((service, component.name))
        self._news.status(PlanStatus(owner=owner, components=(), routed=False))
        self._news.forget(owner)
        self._publish()
        await asyncio.to_thread(forget, plan.owner if plan else owner, self._home)
        if plan is not None and plan.certificates:
            self._certifier.sweep(self._plans.values())
        self._prefetcher.settle()

    async def settle(self) -> None:
        """Every plan has been applied: what runs for none of them goes, and the gateway gets its table."""
        self._is_settled = True
        for key in self._tracked:
            self._touch(key)
        self._publish()
        await asyncio.to_thread(sweep_kept, self._home, [plan.owner for plan in self._plans.values()])
        self._certifier.sweep(self._plans.values())
        self._prefetcher.settle()

    async def refresh(self, namespace: str) -> None:
        """A Secret, ConfigMap, claim or ServiceAccount of the namespace has changed: try at once what waits for one."""
        for tracked in self._tracked.values():
            if tracked.owner is not None and tracked.owner.namespace == namespace and tracked.preparation.trouble:
                tracked.preparation.retry_at = 0.0
                self._touch(tracked.key)
        self._host.retry(namespace)
        self._prefetcher.retry(namespace)
        for plan in [plan for plan in self._plans.values() if plan.owner.namespace == namespace]:
            await self._certify(plan)

    def scale(self, key: Key, count: int, why: str) -> None:
        """The load of a component asks for this many replicas. `key` is the plan's and the component's name."""
        tracked = self._tracked.get(key)
        if tracked is not None and tracked.component is not None and tracked.component.scale.auto is not None:
            tracked.scale_to(count, why, now=self._clock())
            self._touch(key)

    def folders_in_use(self) -> set[Path]:
        """The fetched models that replicas read or that a start is prepared with."""
        running = {folder for tracked in self._tracked.values() for folder in tracked.every_folder()}
        return running | self._host.folders() | self._prefetcher.folders()

    def pythons_in_use(self) -> set[Path]:
        """The same for the Pythons of environments."""
        running = {python for tracked in self._tracked.values() for python in tracked.every_python()}
        return running | self._prefetcher.pythons()

    def observe(self) -> AsyncIterator[PlanStatus | Notice]:
        """How it goes, for one reader."""
        return self._news.read()

    async def _certify(self, plan: Plan) -> None:
        if not plan.certificates:
            return
        for problem in await self._certifier.fetch(plan):
            self._news.notice(Notice(owner=plan.owner, reason="CertificateMissing", message=problem, is_warning=True))
        for component in plan.components:
            self._touch((service_key(plan.owner), component.name))

    # -- the work

    async def run(self) -> None:
        """Work until cancelled. Replicas go on without it."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(self._follow(), name="follow the supervisor")
                group.create_task(self._publisher.run(), name="publish routes")
                group.create_task(self._scaler.run(), name="scale")
                group.create_task(self._hear(), name="hear what is asked of components")
                group.create_task(show_forever(self._scaler, self._gateway), name="show how components are scaled")
                group.create_task(self._sweep(), name="sweep containers")
                self._host.resume()
                self._prefetcher.resume()
                await self._converge_forever()
        finally:
            self._group = None
            for tracked in self._tracked.values():
                if tracked.timer is not None:
                    tracked.timer.cancel()
            await self._preparer.close()

    async def _follow(self) -> None:
        async for change in self._supervisor.changes():
            if isinstance(change, Changed):
                self._took(change.replica)
            else:
                self._take_listing(change)

    def _take_listing(self, listing: Listing) -> None:
        """After a connect: what the supervisor does not know, does not exist."""
        for tracked in self._tracked.values():
            tracked.infos.clear()
            tracked.starting.clear()
            tracked.draining.clear()
            self._touch(tracked.key)
        self._has_listing = True
        self._poke.set()
        asked, self._warmed = self._warmed, set()
        self._warm(asked)
        for info in listing.replicas:
            tracked = self._track((info.spec.service, info.spec.component))
            tracked.take(info)
            self._touch(tracked.key)

    def _took(self, info: ReplicaInfo) -> None:
        tracked = self._track((info.spec.service, info.spec.component))
        tracked.take(info)
        self._announce(tracked, info.spec.replica)
        self._touch(tracked.key)

    async def _hear(self) -> None:
        async for demand in self._gateway.demand():
            self._scaler.heard(loads_of(demand))

    async def _converge_forever(self) -> None:
        while True:
            await self._poke.wait()
            self._poke.clear()
            if not self._has_listing:
                continue
            keys, self._dirty = self._dirty, set()
            for key in sorted(keys):
                tracked = self._tracked.get(key)
                if tracked is not None:
                    self._converge(tracked)
            plans, self._dirty_plans = self._dirty_plans, set()
            for service in sorted({service for service, _ in keys} | plans):
                self._report(service)
            self._publish()

    def _converge(self, tracked: Tracked) -> None:
        if tracked.component is None and not self._is_settled:
            return  # its plan may still be applied
        now = self._clock()
        decision = converge.decide(tracked.view(self._handed_over.replicas(tracked.key[0])), now=now)
        self._note_switch(tracked, decision)
        tracked.serving, tracked.is_switched = decision.serving, decision.is_switched
        self._scaler.saw(tracked.key, tracked.seen())
        for action in () if self._is_stopping else decision.actions:
            self._carry_out(tracked, action)
        if tracked.component is None and not tracked.slots():
            del self._tracked[tracked.key]
            return
        self._look_again(tracked, decision.wake_at, now)

    def _carry_out(self, tracked: Tracked, action: converge.Action) -> None:
        match action:
            case converge.Prepare():
                self._prepare(tracked)
            case converge.Start():
                self._start(tracked, self._new_spec(tracked))
            case converge.Restart(slot=slot):
                self._start(tracked, self._next_spec(tracked, slot))
            case converge.Drain(slot=slot):
                tracked.draining.add(slot.name)
                self._spawn(self._drain(tracked, slot))
            case converge.Forget(slot=slot):
                tracked.drop(slot.name)
                self._spawn(self._forget(slot.name))

    def _look_again(self, tracked: Tracked, wake_at: float | None, now: float) -> None:
        if tracked.timer is not None:
            tracked.timer.cancel()
            tracked.timer = None
        if tracked.component is not None and not tracked.is_switched:
            deadline = tracked.since + tracked.component.progress_deadline_s
            if deadline > now:
                wake_at = min(wake_at or deadline, deadline)
        if wake_at is not None:
            delay_s = max(0.0, wake_at - now)
            tracked.timer = asyncio.get_running_loop().call_later(delay_s, self._touch, tracked.key)

    # -- replicas

    def _new_spec(self, tracked: Tracked) -> ReplicaSpec:
        token = self._token()
        name = f"{tracked.component.full_name[:45]}-{tracked.wanted[:6]}-{token[:5]}" if tracked.component else token
        return self._place(tracked, Identity(name=name, token=token))

    def _next_spec(self, tracked: Tracked, slot: converge.Slot) -> ReplicaSpec:
        identity = Identity(
            name=slot.name,
            token=self._token(),
            restarts=slot.restarts + 1,
            failures=slot.failures,
            has_served=slot.was_ready,
        )
        if slot.revision == tracked.wanted:
            return self._place(tracked, identity)
        return once_more(tracked.specs()[slot.name], identity, home=self._home)

    def _place(self, tracked: Tracked, identity: Identity) -> ReplicaSpec:
        owner, component, prepared = tracked.owner, tracked.component, tracked.preparation.prepared
        if owner is None or component is None or prepared is None:
            raise AssertionError("a replica is only started for a component that is wanted and prepared")
        return place(owner, component, prepared, identity, home=self._home, ports=self._ports, data_url=self._data_url)

    def _start(self, tracked: Tracked, spec: ReplicaSpec) -> None:
        tracked.starting[spec.replica] = spec
        self._spawn(self._ask_start(tracked, spec))

    async def _ask_start(self, tracked: Tracked, spec: ReplicaSpec) -> None:
        try:
            await self._supervisor.start(spec)
        except SupervisorStopping:
            self._is_stopping = True
            tracked.starting.pop(spec.replica, None)
        except FairleadError as error:
            _log.warning("replica %s is not started: %s", spec.replica, error)
            await asyncio.sleep(_RETRY_S)
            if tracked.starting.get(spec.replica) is spec:
                del tracked.starting[spec.replica]
            self._touch(tracked.key)
        else:
            verb = "Starting" if not spec.restarts else "Starting again"
            self._notice(tracked, "Starting", f"{verb}: replica {spec.replica}")

    async def _drain(self, tracked: Tracked, slot: converge.Slot) -> None:
        try:
            if slot.state is ReplicaState.READY:
                spec = tracked.specs().get(slot.name)
                await self._supervisor.drain(slot.name, grace_s=spec.drain_s if spec else 0.0)
            else:
                await self._supervisor.kill(slot.name)
        except FairleadError as error:
            _log.warning("replica %s is not drained: %s", slot.name, error)
            await asyncio.sleep(_RETRY_S)
            tracked.draining.discard(slot.name)
            self._touch(tracked.key)

    async def _forget(self, name: str) -> None:
        with contextlib.suppress(FairleadError):
            await self._supervisor.forget(name)
        if not self._is_pruning:
            self._is_pruning = True
            living = {name for tracked in self._tracked.values() for name in tracked.specs()}
            await asyncio.to_thread(prune_logs, self._home.logs, living=living)
            self._is_pruning = False

    # -- preparation

    def _prepare(self, tracked: Tracked) -> None:
        owner, component = tracked.owner, tracked.component
        if owner is None or component is None or self._group is None:
            return
        preparation = tracked.preparation
        work = self._prepare_now(tracked, preparation, owner, component)
        preparation.task = self._group.create_task(work, name=f"prepare {component.full_name}")

    async def _prepare_now(
        self, tracked: Tracked, preparation: Preparation, owner: Owner, component: Component
    ) -> None:
        listener = _Transfers(self, tracked, preparation)
        try:
            preparation.prepared = await self._preparer.prepare(
                owner, component, listener, folders=tracked.known_folders()
            )
            preparation.is_stale = False
            preparation.failures, preparation.trouble = 0, None
            for unit, bento in preparation.prepared.bentos.items():
                for sentence in only_in_an_image(bento.image):
                    self._notice(tracked, "ImageNeeded", f"{unit}: {bento.tag}: {sentence}", is_warning=True)
        except PreparationFailed as error:
            preparation.failures += 1
            backoff = REFERENCES if error.is_reference else TRANSFERS
            preparation.retry_at = self._clock() + backoff.delay_s(preparation.failures)
            may_pass = error.may_pass and preparation.failures < _PASSING_FAILURES
            preparation.trouble = Trouble(cause=error.cause, may_pass=may_pass, failures=preparation.failures)
            self._notice(tracked, error.cause.reason, f"{error.cause.unit}: {error.cause.message}", is_warning=True)
        finally:
            preparation.task = None
            preparation.progress = None
            self._touch(tracked.key)

    def _warm(self, runtimes: Iterable[str]) -> None:
        """Have the nurseries of these running, also for what is at zero replicas: its first start is then a fork, and
        not the import of a library. Asked once; a supervisor that we connect to is asked again."""
        for runtime in sorted(set(runtimes) - self._warmed):
            self._warmed.add(runtime)
            self._spawn(self._ask_warm(runtime))

    async def _ask_warm(self, runtime: str) -> None:
        with contextlib.suppress(FairleadError):
            await self._supervisor.warm(runtime)

    async def _sweep(self) -> None:
        """Containers that an earlier life of ours could not take with it."""
        engine = await find_engine()
        if engine is not None:
            await sweep(engine, home_mark(self._home))

    # -- what others are told

    def _report(self, service: str) -> None:
        plan = self._plans.get(service)
        if plan is None:
            return
        now = self._clock()
        tracked = {component.name: self._track((service, component.name)) for component in plan.components}
        statuses = tuple(
            replace(status_of(one.situation(component), now=now), models=self._models(one))
            for component in plan.components
            for one in (tracked[component.name],)
        )
        status = PlanStatus(owner=plan.owner, components=statuses, routed=False)
        serving = {str(name): one.endpoints() for name, one in tracked.items()}
        current = service_of(plan, status, serving, self._certifier.of(plan))
        self._handed_over.put(current)
        routed = self._handed_over.has(current) and all(one.is_switched for one in tracked.values())
        prefetched = self._prefetcher.statuses(service)
        self._news.status(PlanStatus(owner=plan.owner, components=statuses, routed=routed, prefetched=prefetched))
        for component_status in statuses:
            self._note_phase(tracked[component_status.component], component_status.phase)

    def _models(self, tracked: Tracked) -> tuple[ModelStatus, ...]:
        return self._host.statuses(tracked.key, tracked.infos.values(), desired=tracked.desired)

    def _publish(self) -> None:
        if self._is_settled and self._has_listing:
            self._publisher.want()

    def _published(self, table: RouteTable) -> None:
        """The gateway uses this table: replicas that are not in it may end."""
        is_first = not self._handed_over.is_known
        changed = self._handed_over.confirm(table)
        for key in self._tracked:
            if is_first or key[0] in changed:
                self._touch(key)

    def _announce(self, tracked: Tracked, name: str) -> None:
        """A replica's end that nobody asked for."""
        trouble = tracked.troubles.get(name)
        info = tracked.infos[name]
        if trouble is None or info.state is not ReplicaState.GONE:
            return
        slot = converge.slot_of(info)
        cause = trouble.cause
        message = f"replica {name}: {cause.unit + ': ' if cause.unit else ''}{cause.message}"
        self._notice(tracked, "Killed" if cause.reason == "Killed" else "Failed", message, is_warning=True)
        wait_s = slot.start_at - self._clock()
        if wait_s > 0:
            self._notice(tracked, "BackOff", f"replica {name} starts again in {wait_s:.0f} s", is_warning=True)

    def _note_switch(self, tracked: Tracked, decision: converge.Decision) -> None:
        specs = tracked.specs()
        before = {specs[name].revision for name in tracked.serving if name in specs}
        if decision.is_switched and decision.serving and before and before != {tracked.wanted}:
            self._notice(tracked, "Switched", f"{tracked.key[1]}: requests go to revision {tracked.wanted} now")

    def _note_phase(self, tracked: Tracked, phase: Phase) -> None:
        before, tracked.last_phase = tracked.last_phase, phase
        if phase is Phase.READY and before not in (None, Phase.READY) and tracked.desired:
            self._notice(
                tracked, "Ready", f"{tracked.key[1]}: {tracked.desired} of {tracked.desired} replicas are ready"
            )

    def _tell_scaling(self, key: Key, told: Told) -> None:
        tracked = self._tracked.get(key)
        if tracked is not None:
            self._notice(tracked, told.reason, told.message, is_warning=told.is_warning)

    def _notice(self, tracked: Tracked, reason: str, message: str, *, is_warning: bool = False) -> None:
        if tracked.owner is None:
            return
        prepared = tracked.preparation.prepared
        message = redact(message, prepared.secrets if prepared else ())
        self._news.notice(Notice(owner=tracked.owner, reason=reason, message=message, is_warning=is_warning))

    # -- bookkeeping

    def _track(self, key: Key) -> Tracked:
        tracked = self._tracked.get(key)
        if tracked is None:
            tracked = self._tracked[key] = Tracked(key)
        return tracked

    def _release(self, key: Key) -> None:
        tracked = self._tracked.get(key)
        self._host.drop(key)
        self._scaler.forget(key)
        if tracked is not None:
            tracked.want_nothing()
            self._touch(key)

    def _touch(self, key: Key) -> None:
        self._dirty.add(key)
        self._poke.set()

    def _touch_plan(self, service: str) -> None:
        self._dirty_plans.add(service)
        self._poke.set()

    def _tell(self, key: Key) -> None:
        """The list of models that the component's replicas are to hold has changed."""
        tracked = self._tracked.get(key)
        for name, info in tracked.infos.items() if tracked is not None else ():
            if info.state in (ReplicaState.STARTING, ReplicaState.READY):
                self._spawn(self._ask_to_look(name))

    async def _ask_to_look(self, name: str) -> None:
        with contextlib.suppress(FairleadError):  # one that is gone looks when it starts again
            await self._supervisor.look_again(name)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        if self._group is None:
            work.close()
            return None
        return self._group.create_task(work)


class _Transfers:
    """Passes a preparation's progress on, not more often than anybody can read."""

    def __init__(self, backend: LocalBackend, tracked: Tracked, preparation: Preparation) -> None:
        self._backend, self._tracked, self._preparation = backend, tracked, preparation
        self._last = 0.0

    def started(self, uri: str) -> None:
        self._show(Progress(what=uri))
        self._backend._notice(self._tracked, "Downloading", f"fetching {uri}")

    def progressed(self, progress: Progress) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._last >= _PROGRESS_EVERY_S or progress.done_bytes == progress.total_bytes:
            self._last = now
            self._show(progress)

    def finished(self, uri: str) -> None:
        self._backend._notice(self._tracked, "Downloaded", f"fetched {uri}")

    def building(self, unit: str, line: str | None) -> None:
        what = f"the environment of unit {unit}"
        if line is None:
            self._backend._notice(self._tracked, "EnvironmentBuilt", f"built {what}")
            return
        self._show(Progress(verb="building", what=f"{what}: {line}"))
        if not line.startswith("Download"):  # of which there may be a hundred
            self._backend._notice(self._tracked, "BuildingEnvironment", f"building {what}: {line}")

    def _show(self, progress: Progress) -> None:
        self._preparation.progress = progress
        self._backend._touch(self._tracked.key)
