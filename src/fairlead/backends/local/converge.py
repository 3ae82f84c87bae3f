"""What to do next for one component, as a pure function of what is wanted and what there is.

No clock, no process and no socket in here: `decide` takes a `View` and gives actions, the replicas that should get
requests, and when to look again. The back-end carries it out and asks again after every change.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fairlead.backends.local.backoff import REPLICAS, Backoff
from fairlead.backends.local.rpc import ReplicaInfo
from fairlead.plan.status import Cause, ReplicaState


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One replica. `failures` counts ends in a row that nobody asked for; a replica that is gone may start again
    at `start_at`. `is_leaving`: its end was asked for."""

    name: str
    revision: str
    state: ReplicaState
    is_leaving: bool = False
    was_ready: bool = False
    failures: int = 0
    restarts: int = 0
    start_at: float = 0.0
    started_at: float = 0.0
    pid: int = 0
    cause: Cause | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One component now. `routed` are the replicas that the gateway may still be sending requests to. A revision
    is prepared when its artifacts are here and its environment is known; `prepare_at` is when to try (again)."""

    wanted: str
    desired: int
    slots: tuple[Slot, ...] = ()
    routed: frozenset[str] = frozenset()
    is_prepared: bool = False
    is_preparing: bool = False
    prepare_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Prepare:
    """Fetch artifacts and resolve the environment of the wanted revision."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start one more replica of the wanted revision."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Start a replica again that is gone."""

    slot: Slot


@dataclass(frozen=True, slots=True)
class Drain:
    """Let a replica finish and end."""

    slot: Slot


@dataclass(frozen=True, slots=True)
class Forget:
    """A replica is gone and is not coming back."""

    slot: Slot


Action = Prepare | Start | Restart | Drain | Forget


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`serving` are the replicas that requests should go to. `wake_at`: look again then, if nothing happens before."""

    actions: tuple[Action, ...]
    serving: tuple[str, ...]
    is_switched: bool
    wake_at: float | None


def slot_of(info: ReplicaInfo, *, backoff: Backoff = REPLICAS) -> Slot:
    """A replica as the supervisor describes it. One that ended by itself waits before it starts again: not at all
    after a first end of something that had been serving, else longer each time."""
    failures, start_at = info.spec.failures, 0.0
    if info.state is ReplicaState.GONE and not info.is_stopping:
        lived_s = info.gone_at - info.ready_at if info.ready_at else 0.0
        failures = backoff.failures(failures, lived_s=lived_s)
        start_at = info.gone_at + backoff.delay_s(failures - 1 if info.ready_at else failures)
    return Slot(
        name=info.spec.replica,
        revision=info.spec.revision,
        state=info.state,
        is_leaving=info.is_stopping,
        was_ready=bool(info.ready_at) or info.spec.has_served,
        failures=failures,
        restarts=info.spec.restarts,
        start_at=start_at,
        started_at=info.started_at,
        pid=info.pid,
        cause=info.cause,
    )


def decide(view: View, *, now: float) -> Decision:
    """New replicas come before old ones go: requests move when every wanted replica is ready, and the replicas
    they moved away from end once the gateway has confirmed it. While the wanted revision is not ready, what served
    before goes on, and is started again if it dies."""
    staying = [slot for slot in view.slots if not slot.is_leaving]
    new = _best([slot for slot in staying if slot.revision == view.wanted])
    kept = new[: view.desired]
    old = [slot for slot in staying if slot.revision != view.wanted]
    ready = [slot for slot in kept if slot.state is ReplicaState.READY]
    is_switched = len(ready) >= view.desired
    useful = [] if is_switched else [slot for slot in old if slot.was_ready]
    serving = _serving(ready, useful, is_switched=is_switched)
    leaving = [slot for slot in view.slots if slot not in kept and slot not in useful]
    actions = [action for slot in leaving for action in _leave(slot, view, serving)]
    starts, wake_at = _starts(view, kept, useful, now=now)
    return Decision(
        actions=(*starts, *actions),
        serving=tuple(slot.name for slot in serving),
        is_switched=is_switched,
        wake_at=wake_at,
    )


def _best(slots: list[Slot]) -> list[Slot]:
    """Those to keep first: the further along and the older, the better."""
    order = {ReplicaState.READY: 0, ReplicaState.STARTING: 1, ReplicaState.NEW: 2}
    return sorted(slots, key=lambda slot: (order.get(slot.state, 3), slot.started_at, slot.name))


def _serving(ready: list[Slot], useful: list[Slot], *, is_switched: bool) -> list[Slot]:
    old = [slot for slot in useful if slot.state is ReplicaState.READY]
    return ready if is_switched or not old else old


def _leave(slot: Slot, view: View, serving: Sequence[Slot]) -> list[Action]:
    if slot.state is ReplicaState.GONE:
        return [Forget(slot)]
    if slot.is_leaving or slot.name in view.routed or slot in serving:
        return []
    return [Drain(slot)]


def _starts(
    view: View, kept: Sequence[Slot], useful: Sequence[Slot], *, now: float
) -> tuple[list[Action], float | None]:
    gone = [slot for slot in kept if slot.state is ReplicaState.GONE]
    due = [slot for slot in gone if slot.start_at <= now]
    later = [slot.start_at for slot in (*gone, *useful) if slot.state is ReplicaState.GONE and slot.start_at > now]
    actions: list[Action] = [
        Restart(slot) for slot in useful if slot.state is ReplicaState.GONE and slot.start_at <= now
    ]
    missing = view.desired - len(kept)
    if due or missing:
        if view.is_prepared:
            actions += [Restart(slot) for slot in due]
            actions += [Start()] * missing
        elif not view.is_preparing:
            if view.prepare_at <= now:
                actions.append(Prepare())
            else:
                later.append(view.prepare_at)
    return actions, min(later, default=None)
