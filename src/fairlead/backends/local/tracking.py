"""What the back-end remembers of one component between two looks at it, and the views of it that decisions need."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from fairlead.backends.local.converge import Slot, View, slot_of
from fairlead.backends.local.environment import redact
from fairlead.backends.local.observing import Situation, Trouble, trouble_of
from fairlead.backends.local.preparing import Prepared
from fairlead.backends.local.rpc import Forked, Program, ReplicaInfo, ReplicaSpec
from fairlead.backends.local.scaling.watching import Seen
from fairlead.backends.local.tables import Serving
from fairlead.plan.model import Component, Owner
from fairlead.plan.routing import Endpoint
from fairlead.plan.status import Cause, Phase, Progress, ReplicaState

Key = tuple[str, str]
"""A plan's key and a component's name."""


@dataclass(slots=True)
class Preparation:
    """How far the wanted revision is prepared. `is_stale`: what it refers to should be read again before the next
    start."""

    prepared: Prepared | None = None
    is_stale: bool = False
    task: asyncio.Task[None] | None = None
    progress: Progress | None = None
    failures: int = 0
    retry_at: float = 0.0
    trouble: Trouble | None = None


@dataclass(slots=True)
class Tracked:
    """One component. `component` is `None` once nobody wants it. `infos` is the supervisor's last word on each
    replica; `starting` and `draining` are what was asked of it and not confirmed yet."""

    key: Key
    owner: Owner | None = None
    component: Component | None = None
    since: float = 0.0
    infos: dict[str, ReplicaInfo] = field(default_factory=dict)
    starting: dict[str, ReplicaSpec] = field(default_factory=dict)
    draining: set[str] = field(default_factory=set)
    preparation: Preparation = field(default_factory=Preparation)
    troubles: dict[str, Trouble] = field(default_factory=dict)
    serving: tuple[str, ...] = ()
    is_switched: bool = False
    scaled: int | None = None
    """How many replicas its load asks for, once that was worked out."""
    scaling: str = ""
    """Why."""
    last_phase: Phase | None = None
    timer: asyncio.TimerHandle | None = None

    @property
    def desired(self) -> int:
        """How many replicas there should be."""
        if self.component is None:
            return 0
        scale = self.component.scale
        if scale.auto is None:
            return max(scale.min_replicas, min(scale.initial_replicas, scale.max_replicas))
        if self.scaled is not None:
            return self.scaled
        wanted = max(scale.initial_replicas, scale.min_replicas if scale.is_reachable else 0, self._present)
        return min(wanted, scale.max_replicas) if scale.max_replicas else wanted

    @property
    def _present(self) -> int:
        """Replicas of the wanted revision that run already: after a restart of ours nobody takes them away before their
        load is known."""
        return sum(slot.revision == self.wanted and not slot.is_leaving for slot in self.slots())

    @property
    def wanted(self) -> str:
        """The hash of the wanted revision; empty when nobody wants any."""
        return self.component.revision.hash if self.component is not None else ""

    def want(self, owner: Owner, component: Component, *, now: float) -> None:
        """Take a new wish. A new revision starts with a clean sheet."""
        if component.revision.hash != self.wanted:
            self.cancel_preparation()
            self.preparation = Preparation()
            self.since = now
        elif self.component is None or self.component.scale != component.scale:
            self.since = now
        if component.scale.auto is None:
            self.scaled, self.scaling = None, ""
        self.owner, self.component = owner, component

    def scale_to(self, count: int, why: str, *, now: float) -> None:
        """Take what the load asks for."""
        if count > self.desired:
            self.since = now  # what starts now has all its time to get ready
        self.scaled, self.scaling = count, why

    def seen(self) -> Seen:
        """For decisions about how many there should be."""
        slots = [slot for slot in self.slots() if slot.revision == self.wanted and not slot.is_leaving]
        ready = [slot for slot in slots if slot.state is ReplicaState.READY]
        pids = tuple((slot.name, self.infos[slot.name].pids) for slot in ready if slot.name in self.infos)
        return Seen(desired=self.desired, ready=len(ready), pids=pids)

    def want_nothing(self) -> None:
        """Everything is to go."""
        self.cancel_preparation()
        self.preparation = Preparation()
        self.component, self.scaled, self.scaling = None, None, ""

    def cancel_preparation(self) -> None:
        """Stop waiting for artifacts; a transfer that somebody else wants goes on."""
        if self.preparation.task is not None:
            self.preparation.task.cancel()

    def take(self, info: ReplicaInfo) -> None:
        """The supervisor's newest word on a replica."""
        name = info.spec.replica
        if info.cause is not None and info.spec.secrets:
            info = _redacted(info, info.cause)
        self.infos[name] = info
        self.starting.pop(name, None)
        if info.state is ReplicaState.READY:
            self.troubles.pop(name, None)
        trouble = trouble_of(slot_of(info))
        if trouble is not None:
            self.troubles[name] = trouble
            self.preparation.is_stale = True

    def drop(self, name: str) -> None:
        """A replica is no more."""
        self.infos.pop(name, None)
        self.starting.pop(name, None)
        self.troubles.pop(name, None)
        self.draining.discard(name)

    def slots(self) -> tuple[Slot, ...]:
        """Every replica, with what was asked and is not confirmed taken for done."""
        slots = {name: slot_of(info) for name, info in self.infos.items()}
        for name, spec in self.starting.items():
            slots[name] = Slot(
                name=name,
                revision=spec.revision,
                state=ReplicaState.NEW,
                failures=spec.failures,
                restarts=spec.restarts,
                was_ready=spec.has_served,
                started_at=slots[name].started_at if name in slots else 0.0,
            )
        return tuple(_leaving(slot) if slot.name in self.draining else slot for slot in slots.values())

    def view(self, routed: frozenset[str] | None) -> View:
        """For `decide`. `routed` is `None` while it is not known what the gateway uses: then everything may be."""
        slots = self.slots()
        preparation = self.preparation
        return View(
            wanted=self.wanted,
            desired=self.desired,
            slots=slots,
            routed=routed if routed is not None else frozenset(slot.name for slot in slots),
            is_prepared=preparation.prepared is not None and not preparation.is_stale,
            is_preparing=preparation.task is not None,
            prepare_at=preparation.retry_at,
        )

    def situation(self, component: Component) -> Situation:
        """For its status."""
        return Situation(
            component=component,
            desired=self.desired,
            slots=self.slots(),
            logs={name: spec.log for name, spec in self.specs().items()},
            is_preparing=self.preparation.task is not None,
            progress=self.preparation.progress,
            preparation=self.preparation.trouble,
            troubles=self.troubles,
            since=self.since,
            scaling=self.scaling,
        )

    def specs(self) -> Mapping[str, ReplicaSpec]:
        """How each replica was started."""
        return {name: info.spec for name, info in self.infos.items()} | self.starting

    def endpoints(self) -> Serving:
        """Where the serving replicas listen."""
        specs = self.specs()
        known = [self.infos[name].models for name in self.serving if name in self.infos]
        return Serving(
            endpoints=tuple(Endpoint(replica=name, frames=specs[name].frames) for name in sorted(self.serving)),
            models=frozenset().union(*known),
        )

    def known_folders(self) -> dict[str, Path]:
        """Where the wanted revision's models are, as far as its replicas or an earlier preparation tell."""
        folders: dict[str, Path] = {}
        for spec in self.specs().values():
            if spec.revision == self.wanted:
                folders |= _folders(spec)
        return folders | dict(self.preparation.prepared.folders if self.preparation.prepared else {})

    def every_python(self) -> set[Path]:
        """The Pythons of environments that its replicas run in or that its preparation has."""
        held = {Path(one.python) for spec in self.specs().values() for one in spec.members if one.python}
        return held | set(self.preparation.prepared.pythons.values() if self.preparation.prepared else ())

    def every_folder(self) -> set[Path]:
        """The models of all its replicas, old ones too, and of its preparation."""
        held = {folder for spec in self.specs().values() for folder in _folders(spec).values()}
        return held | set(self.preparation.prepared.folders.values() if self.preparation.prepared else ())


def _workers(spec: ReplicaSpec) -> Iterable[Forked]:
    return (member for member in spec.members if isinstance(member, Forked))


def _folders(spec: ReplicaSpec) -> dict[str, Path]:
    programs = (member for member in spec.members if isinstance(member, Program))
    return {
        placement.unit: Path(placement.folder)
        for worker in _workers(spec)
        for placement in worker.spec.placements
        if placement.folder is not None
    } | {one.unit: Path(one.folder) for one in programs if one.folder}


def _redacted(info: ReplicaInfo, cause: Cause) -> ReplicaInfo:
    message = redact(cause.message, info.spec.secrets)
    return msgspec.structs.replace(info, cause=Cause(unit=cause.unit, reason=cause.reason, message=message))


def _leaving(slot: Slot) -> Slot:
    return replace(slot, is_leaving=True)
