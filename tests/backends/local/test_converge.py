from dataclasses import replace

import pytest

from fairlead.backends.local.converge import (
    Action,
    Drain,
    Forget,
    Prepare,
    Restart,
    Slot,
    Start,
    View,
    decide,
    slot_of,
)
from fairlead.backends.local.rpc import ReplicaInfo, ReplicaSpec
from fairlead.plan.status import ReplicaState

NEW, STARTING, READY = ReplicaState.NEW, ReplicaState.STARTING, ReplicaState.READY
DRAINING, GONE = ReplicaState.DRAINING, ReplicaState.GONE


def slot(name: str, state: ReplicaState = READY, *, revision: str = "b", **changes: object) -> Slot:
    made = Slot(name=name, revision=revision, state=state, was_ready=state is READY)
    return replace(made, **changes)  # type: ignore[arg-type]  # fields by name, from a test


ONE, TWO = slot("one"), slot("two")
OLD = slot("old", revision="a")
DEAD = slot("dead", GONE, was_ready=True, start_at=50.0)


@pytest.mark.parametrize(
    ("view", "actions", "serving", "wake_at"),
    [
        pytest.param(View(wanted="b", desired=1), [Prepare()], [], None, id="nothing is prepared"),
        pytest.param(View(wanted="b", desired=1, is_preparing=True), [], [], None, id="it is being prepared"),
        pytest.param(View(wanted="b", desired=1, prepare_at=90.0), [], [], 90.0, id="preparing failed a moment ago"),
        pytest.param(View(wanted="b", desired=2, is_prepared=True), [Start(), Start()], [], None, id="two are missing"),
        pytest.param(View(wanted="b", desired=1, slots=(ONE,)), [], ["one"], None, id="all is well"),
        pytest.param(
            View(wanted="b", desired=1, slots=(ONE, TWO), routed=frozenset({"one", "two"})),
            [],
            ["one"],
            None,
            id="one too many is not drained while it is routed",
        ),
        pytest.param(
            View(wanted="b", desired=1, slots=(ONE, TWO), routed=frozenset({"one"})),
            [Drain(TWO)],
            ["one"],
            None,
            id="one too many is drained once it is not routed",
        ),
        pytest.param(
            View(wanted="b", desired=1, slots=(slot("new", STARTING), OLD)),
            [],
            ["old"],
            None,
            id="the old revision serves until the new one is ready",
        ),
        pytest.param(
            View(wanted="b", desired=2, slots=(ONE, slot("new", STARTING), OLD)),
            [],
            ["old"],
            None,
            id="half of the new revision is not enough",
        ),
        pytest.param(
            View(wanted="b", desired=1, slots=(ONE, OLD), routed=frozenset({"old"})),
            [],
            ["one"],
            None,
            id="the old revision stays until the gateway has let go of it",
        ),
        pytest.param(
            View(wanted="b", desired=1, slots=(ONE, OLD), routed=frozenset({"one"})),
            [Drain(OLD)],
            ["one"],
            None,
            id="then it is drained",
        ),
        pytest.param(
            View(wanted="b", desired=2, slots=(ONE, slot("new", STARTING), replace(OLD, state=GONE, start_at=50.0))),
            [],
            ["one"],
            50.0,
            id="when the old revision is dead, half of the new one is better than nothing",
        ),
        pytest.param(
            View(wanted="b", desired=1, slots=(replace(OLD, state=GONE, start_at=5.0),), is_preparing=True),
            [Restart(replace(OLD, state=GONE, start_at=5.0))],
            [],
            None,
            id="an old replica that served is started again while the new one is on its way",
        ),
        pytest.param(
            View(wanted="b", desired=1, slots=(slot("bad", STARTING, revision="a"),), is_preparing=True),
            [Drain(slot("bad", STARTING, revision="a"))],
            [],
            None,
            id="an old replica that never served goes at once",
        ),
        pytest.param(
            View(wanted="b", desired=1, slots=(DEAD,), is_prepared=True), [], [], 50.0, id="a dead one waits its turn"
        ),
        pytest.param(
            View(wanted="b", desired=1, slots=(replace(DEAD, start_at=10.0),), is_prepared=True),
            [Restart(replace(DEAD, start_at=10.0))],
            [],
            None,
            id="and is started again",
        ),
        pytest.param(
            View(wanted="b", desired=1, slots=(replace(DEAD, is_leaving=True), ONE)),
            [Forget(replace(DEAD, is_leaving=True))],
            ["one"],
            None,
            id="one that was asked to go is forgotten when it is gone",
        ),
        pytest.param(
            View(wanted="b", desired=1, slots=(ONE, slot("bye", DRAINING, is_leaving=True))),
            [],
            ["one"],
            None,
            id="one that drains is left alone",
        ),
        pytest.param(
            View(wanted="", desired=0, slots=(ONE,), routed=frozenset({"one"})),
            [],
            [],
            None,
            id="a deleted component leaves the table first",
        ),
        pytest.param(View(wanted="", desired=0, slots=(ONE,)), [Drain(ONE)], [], None, id="and then ends"),
        pytest.param(
            View(wanted="b", desired=2, slots=(ONE, replace(DEAD, start_at=5.0)), is_prepared=False),
            [Prepare()],
            ["one"],
            None,
            id="what is started again is prepared again",
        ),
    ],
)
def test_decisions(view: View, actions: list[Action], serving: list[str], wake_at: float | None) -> None:
    decision = decide(view, now=10.0)

    assert list(decision.actions) == actions
    assert list(decision.serving) == serving
    assert decision.wake_at == wake_at


def test_scaling_down_drops_the_least_useful_replicas_first() -> None:
    slots = (slot("late", started_at=9.0), slot("early", started_at=1.0), slot("coming", STARTING, started_at=0.5))
    decision = decide(View(wanted="b", desired=1, slots=slots), now=10.0)

    assert decision.serving == ("early",)
    assert {action.slot.name for action in decision.actions if isinstance(action, Drain)} == {"late", "coming"}


@pytest.mark.parametrize(
    ("failures", "ready_at", "gone_at", "expected"),
    [
        pytest.param(0, 0.0, 100.0, (1, 101.0), id="one that never served waits a second"),
        pytest.param(1, 0.0, 100.0, (2, 102.0), id="then two"),
        pytest.param(20, 0.0, 100.0, (21, 400.0), id="and never more than five minutes"),
        pytest.param(0, 99.0, 100.0, (1, 100.0), id="one that served comes back at once"),
        pytest.param(1, 99.0, 100.0, (2, 101.0), id="and waits when it keeps on ending"),
        pytest.param(9, 100.0, 700.0, (1, 700.0), id="ten healthy minutes are a clean sheet"),
    ],
)
def test_a_replica_that_ends_waits_longer_each_time(
    failures: int, ready_at: float, gone_at: float, expected: tuple[int, float]
) -> None:
    spec = ReplicaSpec(
        replica="r", namespace="n", service="s", component="c", revision="b", members=[], failures=failures
    )
    made = slot_of(ReplicaInfo(spec=spec, state=GONE, ready_at=ready_at, gone_at=gone_at))

    assert (made.failures, made.start_at) == expected


def test_an_end_that_was_asked_for_is_no_failure() -> None:
    spec = ReplicaSpec(replica="r", namespace="n", service="s", component="c", revision="b", members=[])
    made = slot_of(ReplicaInfo(spec=spec, state=GONE, gone_at=100.0, is_stopping=True))

    assert (made.failures, made.start_at, made.is_leaving) == (0, 0.0, True)
