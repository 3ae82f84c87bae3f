"""The life of a replica as a table: `NEW -> STARTING -> READY -> DRAINING -> GONE`.

`next_state` is the one place that decides; the supervisor only reports what happened.
"""

from enum import Enum

from fairlead.plan.status import ReplicaState


class Happening(Enum):
    """What can happen to a replica."""

    STARTED = "its processes run"
    ANSWERED = "every unit answers"
    STOPPED = "somebody asked for its end"
    LOST = "one of its processes ended"
    EMPTY = "none of its processes is left"


_NEXT: dict[tuple[ReplicaState, Happening], ReplicaState] = {
    (ReplicaState.NEW, Happening.STARTED): ReplicaState.STARTING,
    (ReplicaState.NEW, Happening.STOPPED): ReplicaState.DRAINING,
    (ReplicaState.NEW, Happening.LOST): ReplicaState.DRAINING,
    (ReplicaState.STARTING, Happening.ANSWERED): ReplicaState.READY,
    (ReplicaState.STARTING, Happening.STOPPED): ReplicaState.DRAINING,
    (ReplicaState.STARTING, Happening.LOST): ReplicaState.DRAINING,
    (ReplicaState.READY, Happening.STOPPED): ReplicaState.DRAINING,
    (ReplicaState.READY, Happening.LOST): ReplicaState.DRAINING,
}


def next_state(state: ReplicaState, happening: Happening) -> ReplicaState:
    """Where a replica goes from `state`. What makes no difference leaves it where it is; nothing leaves GONE."""
    if happening is Happening.EMPTY:
        return ReplicaState.GONE
    return _NEXT.get((state, happening), state)
