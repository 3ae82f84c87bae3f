"""What the back-end says of a component: phase, cause, replicas. Pure; and the feed that carries it to whoever asks."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from fairlead.backends.base import Notice
from fairlead.backends.local.converge import Slot
from fairlead.plan.model import Component, Owner
from fairlead.plan.status import (
    Cause,
    ComponentStatus,
    Phase,
    PlanStatus,
    Progress,
    ReplicaState,
    ReplicaStatus,
)

_CRASH_LOOP = 3
"""Ends in a row after which a replica that once served counts as failing rather than as on its way back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a replica, or the preparation of all of them, did not get further last time. `may_pass`: it is no
    failure yet."""

    cause: Cause
    may_pass: bool = False
    failures: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything the status of a component is made from. `troubles` are by replica; `since` is when the revision
    was first wanted."""

    component: Component
    desired: int
    slots: Sequence[Slot]
    logs: Mapping[str, str]
    is_preparing: bool = False
    progress: Progress | None = None
    preparation: Trouble | None = None
    troubles: Mapping[str, Trouble] = field(default_factory=dict)
    since: float = 0.0
    scaling: str = ""


def status_of(situation: Situation, *, now: float) -> ComponentStatus:
    """One component. What went wrong stays the cause until it goes right, also while it is tried again."""
    component = situation.component
    wanted = [slot for slot in situation.slots if slot.revision == component.revision.hash and not slot.is_leaving]
    ready = sum(slot.state is ReplicaState.READY for slot in wanted)
    phase, cause = _phase(situation, wanted, ready, now)
    return ComponentStatus(
        component=component.name,
        full_name=component.full_name,
        revision=component.revision.hash,
        phase=phase,
        desired=situation.desired,
        ready=min(ready, situation.desired),
        replicas=tuple(_replica(situation, slot) for slot in sorted(situation.slots, key=lambda slot: slot.name)),
        cause=cause,
        progress=situation.progress if phase is Phase.DOWNLOADING else None,
        scaling=situation.scaling,
    )


def _phase(situation: Situation, wanted: Sequence[Slot], ready: int, now: float) -> tuple[Phase, Cause | None]:
    if ready >= situation.desired:
        return Phase.READY, None
    trouble = _worst(situation, wanted)
    if trouble is not None and not trouble.may_pass:
        return Phase.FAILED, trouble.cause
    cause = trouble.cause if trouble else None
    phase = _on_the_way(situation, wanted)
    if now - situation.since >= situation.component.progress_deadline_s and not ready:
        return Phase.FAILED, _too_late(situation, phase, cause)
    return phase, cause


def _on_the_way(situation: Situation, wanted: Sequence[Slot]) -> Phase:
    if situation.is_preparing and situation.progress is not None:
        return Phase.DOWNLOADING
    return Phase.STARTING if wanted else Phase.PENDING


def _worst(situation: Situation, wanted: Sequence[Slot]) -> Trouble | None:
    names = {slot.name for slot in wanted if slot.state is not ReplicaState.READY}
    troubles = [trouble for name, trouble in sorted(situation.troubles.items()) if name in names]
    if situation.preparation is not None:
        troubles.insert(0, situation.preparation)
    return next((trouble for trouble in troubles if not trouble.may_pass), troubles[0] if troubles else None)


def _too_late(situation: Situation, phase: Phase, cause: Cause | None) -> Cause:
    message = f"not ready after {situation.component.progress_deadline_s:g} seconds, still {phase.value.lower()}"
    if cause is not None:
        return Cause(unit=cause.unit, reason="ProgressDeadlineExceeded", message=f"{message}: {cause.message}")
    return Cause(unit="", reason="ProgressDeadlineExceeded", message=message)


def _replica(situation: Situation, slot: Slot) -> ReplicaStatus:
    trouble = situation.troubles.get(slot.name)
    cause = slot.cause or (trouble.cause if trouble and slot.state is not ReplicaState.READY else None)
    return ReplicaStatus(
        name=slot.name,
        component=situation.component.name,
        revision=slot.revision,
        state=slot.state,
        restarts=slot.restarts,
        pid=slot.pid if slot.state is not ReplicaState.GONE else 0,
        started_at=slot.started_at,
        log_path=situation.logs.get(slot.name, ""),
        cause=cause,
    )


def trouble_of(slot: Slot) -> Trouble | None:
    """What the end of a replica means: one that had served comes back at once, and only a loop of it is a failure."""
    if slot.state is not ReplicaState.GONE or slot.is_leaving or slot.cause is None:
        return None
    may_pass = slot.was_ready and slot.failures < _CRASH_LOOP
    return Trouble(cause=slot.cause, may_pass=may_pass, failures=slot.failures)


class News:
    """Statuses and notices for one reader. A reader that is slow gets the newest status of each plan, every notice,
    and is never waited for."""

    _MOST_NOTICES = 10_000

    def __init__(self) -> None:
        self._statuses: dict[tuple[str, str, str], PlanStatus] = {}
        self._last: dict[tuple[str, str, str], PlanStatus] = {}
        self._notices: deque[Notice] = deque(maxlen=self._MOST_NOTICES)
        self._there_is = asyncio.Event()

    def status(self, status: PlanStatus) -> None:
        """The plan's new status; nothing happens when it is the old one."""
        key = key_of(status.owner)
        if self._last.get(key) == status:
            return
        self._last[key] = self._statuses[key] = status
        self._there_is.set()

    def notice(self, notice: Notice) -> None:
        """Something to tell once."""
        self._notices.append(notice)
        self._there_is.set()

    def last(self, owner: Owner) -> PlanStatus | None:
        """The newest status of a plan."""
        return self._last.get(key_of(owner))

    def forget(self, owner: Owner) -> None:
        """The plan is no more."""
        self._last.pop(key_of(owner), None)

    async def read(self) -> AsyncIterator[PlanStatus | Notice]:
        """Notices before the status they led to."""
        while True:
            await self._there_is.wait()
            while self._notices:
                yield self._notices.popleft()
            if self._statuses:
                yield self._statuses.pop(next(iter(self._statuses)))
            if not self._statuses and not self._notices:
                self._there_is.clear()


def key_of(owner: Owner) -> tuple[str, str, str]:
    """A plan among plans."""
    return owner.kind, owner.namespace, owner.name
