import pytest

from fairlead.backends.local.replicas import Happening, next_state
from fairlead.plan.status import ReplicaState

NEW, STARTING, READY = ReplicaState.NEW, ReplicaState.STARTING, ReplicaState.READY
DRAINING, GONE = ReplicaState.DRAINING, ReplicaState.GONE


@pytest.mark.parametrize(
    ("state", "happening", "expected"),
    [
        (NEW, Happening.STARTED, STARTING),
        (NEW, Happening.STOPPED, DRAINING),
        (NEW, Happening.LOST, DRAINING),
        (STARTING, Happening.ANSWERED, READY),
        (STARTING, Happening.STOPPED, DRAINING),
        (STARTING, Happening.LOST, DRAINING),
        (READY, Happening.STOPPED, DRAINING),
        (READY, Happening.LOST, DRAINING),
        (DRAINING, Happening.ANSWERED, DRAINING),
        (DRAINING, Happening.LOST, DRAINING),
        (DRAINING, Happening.EMPTY, GONE),
        (READY, Happening.EMPTY, GONE),
        (READY, Happening.STARTED, READY),
    ],
)
def test_the_life_of_a_replica(state: ReplicaState, happening: Happening, expected: ReplicaState) -> None:
    assert next_state(state, happening) is expected


@pytest.mark.parametrize("happening", Happening)
def test_nothing_comes_back_from_gone(happening: Happening) -> None:
    assert next_state(GONE, happening) is GONE
