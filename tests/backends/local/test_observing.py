from dataclasses import replace

import pytest

from fairlead.backends.base import Notice
from fairlead.backends.local.converge import Slot
from fairlead.backends.local.observing import News, Situation, Trouble, status_of, trouble_of
from fairlead.plan.status import Cause, Phase, PlanStatus, Progress, ReplicaState
from support.local_world import OWNER, component

CAUSE = Cause(unit="model", reason="LoadError", message="the pickle is corrupt")
READY = Slot(name="r", revision="rev1aaaa", state=ReplicaState.READY)
STARTING = replace(READY, state=ReplicaState.STARTING)
GONE = replace(READY, state=ReplicaState.GONE)


def _situation(*slots: Slot, **changes: object) -> Situation:
    made = Situation(component=component(), desired=1, slots=slots, logs={})
    return replace(made, **changes)  # type: ignore[arg-type]  # fields by name, from a test


@pytest.mark.parametrize(
    ("situation", "phase", "cause"),
    [
        pytest.param(_situation(READY), Phase.READY, None, id="ready"),
        pytest.param(_situation(desired=0), Phase.READY, None, id="none is wanted and there is none"),
        pytest.param(_situation(STARTING), Phase.STARTING, None, id="starting"),
        pytest.param(_situation(), Phase.PENDING, None, id="nothing happened yet"),
        pytest.param(
            _situation(is_preparing=True, progress=Progress(what="s3://x")), Phase.DOWNLOADING, None, id="downloading"
        ),
        pytest.param(
            _situation(preparation=Trouble(cause=CAUSE)), Phase.FAILED, CAUSE, id="what cannot be fetched is a failure"
        ),
        pytest.param(
            _situation(preparation=Trouble(cause=CAUSE, may_pass=True)),
            Phase.PENDING,
            CAUSE,
            id="what may pass is a cause and no failure",
        ),
        pytest.param(
            _situation(STARTING, troubles={"r": Trouble(cause=CAUSE)}),
            Phase.FAILED,
            CAUSE,
            id="a failure stays one while it is tried again",
        ),
        pytest.param(
            _situation(READY, troubles={"r": Trouble(cause=CAUSE)}),
            Phase.READY,
            None,
            id="and is over once it is ready",
        ),
        pytest.param(
            _situation(STARTING, since=-700.0),
            Phase.FAILED,
            Cause(
                unit="",
                reason="ProgressDeadlineExceeded",
                message="not ready after 600 seconds, still starting",
            ),
            id="too slow",
        ),
        pytest.param(
            _situation(replace(READY, revision="old")), Phase.PENDING, None, id="another revision does not count"
        ),
    ],
)
def test_phases(situation: Situation, phase: Phase, cause: Cause | None) -> None:
    status = status_of(situation, now=0.0)

    assert (status.phase, status.cause) == (phase, cause)


def test_a_replica_that_served_is_on_its_way_back_until_it_keeps_on_ending() -> None:
    once = trouble_of(replace(GONE, was_ready=True, failures=1, cause=CAUSE))
    often = trouble_of(replace(GONE, was_ready=True, failures=3, cause=CAUSE))
    never = trouble_of(replace(GONE, failures=1, cause=CAUSE))

    assert [one is not None and one.may_pass for one in (once, often, never)] == [True, False, False]


def test_an_end_that_was_asked_for_is_no_trouble() -> None:
    assert trouble_of(replace(GONE, is_leaving=True, cause=CAUSE)) is None


@pytest.mark.anyio
async def test_a_slow_reader_gets_every_notice_and_only_the_newest_status() -> None:
    news = News()
    notices = [Notice(owner=OWNER, reason=f"R{number}", message="") for number in range(3)]
    statuses = [PlanStatus(owner=OWNER, components=(), routed=routed) for routed in (False, True)]
    news.status(statuses[0])
    for notice in notices:
        news.notice(notice)
    news.status(statuses[1])
    reader = news.read()
    heard = [await anext(reader) for _ in range(4)]

    assert heard == [*notices, statuses[1]]


@pytest.mark.anyio
async def test_the_same_status_is_told_once() -> None:
    news = News()
    status = PlanStatus(owner=OWNER, components=(), routed=True)
    news.status(status)
    reader = news.read()
    assert await anext(reader) == status
    news.status(status)
    notice = Notice(owner=OWNER, reason="R", message="")
    news.notice(notice)

    assert await anext(reader) == notice
