"""The steps of a roll-out by canaryTrafficPercent, one by one."""

import pytest

from fairlead.dialects.kserve.inference_service.traffic import (
    Rollout,
    Share,
    advanced,
    read_rollout,
    rolled_back,
    shares_of,
    write_rollout,
)

SETTLED = Rollout(latest_created="r2", latest_ready="r2", latest_rolled_out="r2", previous_rolled_out="r1")
CANARY = Rollout(latest_created="r2", latest_ready="r2", latest_rolled_out="r1")


def given(shares: tuple[Share, ...]) -> list[tuple[str, int, str, bool]]:
    return [(share.revision, share.percent, share.tag, share.is_latest) for share in shares]


@pytest.mark.parametrize("percent", [None, 0, 10, 100])
def test_the_first_revision_gets_everything_whatever_is_asked(percent: int | None) -> None:
    assert given(shares_of(Rollout(latest_created="r1"), percent)) == [("r1", 100, "", True)]


def test_a_canary_shares_with_the_revision_that_was_rolled_out() -> None:
    assert given(shares_of(CANARY, 10)) == [("r2", 10, "", True), ("r1", 90, "prev", False)]


def test_the_newest_has_a_tag_when_that_is_asked_for() -> None:
    assert given(shares_of(CANARY, 10, has_latest_tag=True)) == [
        ("r2", 10, "latest", True),
        ("r1", 90, "prev", False),
    ]


@pytest.mark.parametrize("percent", [None, 100, 250])
def test_all_or_nothing_said_promotes(percent: int | None) -> None:
    assert given(shares_of(CANARY, percent)) == [("r2", 100, "", True)]


@pytest.mark.parametrize("percent", [0, -5])
def test_no_percent_pins_everything_on_the_revision_before(percent: int) -> None:
    assert given(shares_of(CANARY, percent)) == [("r2", 0, "", True), ("r1", 100, "prev", False)]


def test_a_revision_that_is_not_ready_gets_nothing() -> None:
    waiting = Rollout(latest_created="r2", latest_ready="r1", latest_rolled_out="r1")

    assert {share.revision for share in shares_of(waiting, 10)} == {"r1"}
    assert {share.revision for share in shares_of(waiting, None)} == {"r1"}


def test_a_ready_revision_is_rolled_out_once_all_requests_reach_it() -> None:
    ready = Rollout(latest_created="r2", latest_ready="r2", latest_rolled_out="r1")
    shares = shares_of(ready, None)

    assert advanced(ready, shares, is_ready=True, is_routed=False) == ready
    assert advanced(ready, shares, is_ready=True, is_routed=True) == SETTLED


def test_a_revision_becomes_ready_before_it_has_any_requests() -> None:
    waiting = Rollout(latest_created="r2", latest_ready="r1", latest_rolled_out="r1")

    step = advanced(waiting, shares_of(waiting, None), is_ready=True, is_routed=True)

    assert step.latest_ready == "r2"
    assert step.latest_rolled_out == "r1"


def test_a_canary_is_not_rolled_out() -> None:
    assert advanced(CANARY, shares_of(CANARY, 10), is_ready=True, is_routed=True) == CANARY


def test_a_failing_revision_changes_nothing() -> None:
    waiting = Rollout(latest_created="r2", latest_ready="r1", latest_rolled_out="r1")

    assert advanced(waiting, shares_of(waiting, None), is_ready=False, is_routed=True) == waiting


def test_a_percent_with_nothing_new_goes_back_to_the_revision_before() -> None:
    back = rolled_back(SETTLED, 20)

    assert given(shares_of(back, 20)) == [("r2", 20, "", True), ("r1", 80, "prev", False)]
    assert rolled_back(back, 20) == back


@pytest.mark.parametrize("percent", [None, 100])
def test_without_a_percent_nothing_goes_back(percent: int | None) -> None:
    assert rolled_back(SETTLED, percent) == SETTLED


def test_a_percent_for_a_new_revision_does_not_go_back() -> None:
    new = Rollout(latest_created="r3", latest_ready="r2", latest_rolled_out="r2", previous_rolled_out="r1")

    assert rolled_back(new, 20) == new


def test_what_a_status_holds_is_read_as_it_was_written() -> None:
    assert read_rollout(write_rollout(SETTLED)) == SETTLED
    assert read_rollout({"latestReadyRevision": 3, "url": "http://x"}) == Rollout()
    assert read_rollout(None) == Rollout()
