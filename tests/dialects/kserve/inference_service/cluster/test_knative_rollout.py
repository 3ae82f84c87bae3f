"""Roll-outs in Knative's mode: which shares are asked for after each step, and what the status remembers."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairlead.dialects.kserve.inference_service.cluster.knative_rollout import advanced
from fairlead.dialects.kserve.inference_service.cluster.knative_view import KnativeView
from fairlead.dialects.kserve.inference_service.traffic import Rollout
from support.isvc import isvc, model
from support.kserve_cluster import KNATIVE, Cluster
from support.naive_knative import NaiveKnative

ONE, TWO, THREE = (f"iris-predictor-0000{number}" for number in (1, 2, 3))


class _Service:
    """A service that an operator looks after: each look is a layout, then a status."""

    def __init__(self) -> None:
        self.knative = NaiveKnative("iris-predictor")
        self.cluster = Cluster(KNATIVE)
        self.uri = "gs://models/1"
        self.percent: int | None = None
        self.status: dict[str, Any] = {}

    def look(self, times: int = 3) -> "_Service":
        for _ in range(times):
            predictor = model(uri=self.uri)
            if self.percent is not None:
                predictor["canaryTrafficPercent"] = self.percent
            doc = {**isvc(predictor), "status": self.status}
            self.knative.apply(self.cluster.layout(doc).on_demand[0])
            self.status = self.cluster.status(doc, self.knative.service())
        return self

    def change(self, uri: str | None = None, percent: int | None = None) -> "_Service":
        self.uri, self.percent = uri or self.uri, percent
        return self.look()

    def come_up(self) -> "_Service":
        self.knative.come_up()
        return self.look()

    @property
    def shares(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for target in self.knative.traffic():
            found[target["revisionName"]] = found.get(target["revisionName"], 0) + target["percent"]
        return found

    @property
    def told(self) -> dict[str, Any]:
        component: dict[str, Any] = self.status["components"]["predictor"]
        return component


def test_the_first_revision_gets_everything_whatever_is_asked() -> None:
    service = _Service().change(percent=10).come_up()

    assert service.shares == {ONE: 100}
    assert service.told["latestRolledoutRevision"] == ONE


def test_a_canary_gets_its_share_beside_the_revision_before() -> None:
    service = _Service().look().come_up().change("gs://models/2", 10)

    assert service.shares == {ONE: 100}
    assert service.come_up().shares == {TWO: 10, ONE: 90}
    assert [target.get("tag") for target in service.told["traffic"]] == [None, "prev"]
    assert service.told["latestRolledoutRevision"] == ONE


def test_a_canary_is_promoted_without_its_percent() -> None:
    service = _Service().look().come_up().change("gs://models/2", 10).come_up().change()

    assert service.shares == {TWO: 100}
    assert service.told["latestRolledoutRevision"] == TWO
    assert service.told["previousRolledoutRevision"] == ONE


def test_a_promoted_canary_is_rolled_back_by_its_percent_alone() -> None:
    service = _Service().look().come_up().change("gs://models/2", 10).come_up().change().change(percent=0)

    assert service.shares == {TWO: 0, ONE: 100}
    assert service.told["latestRolledoutRevision"] == ONE


def test_a_new_revision_with_a_percent_is_no_rollback() -> None:
    service = _Service().look().come_up().change("gs://models/2").come_up().change("gs://models/3", 20)

    assert service.shares == {TWO: 100}
    assert service.come_up().shares == {THREE: 20, TWO: 80}


def test_what_knative_has_not_looked_at_yet_is_no_rollback() -> None:
    before = Rollout(latest_created=TWO, latest_ready=TWO, latest_rolled_out=TWO, previous_rolled_out=ONE)
    traffic = (
        {"revisionName": TWO, "latestRevision": True, "percent": 10},
        {"revisionName": TWO, "percent": 90, "tag": "prev"},
    )
    stale = KnativeView(created=TWO, ready=TWO, conditions={}, traffic=traffic, is_settled=False)

    assert advanced(before, stale) == before


def test_a_change_of_the_percent_alone_makes_no_revision() -> None:
    service = _Service().look().come_up().change("gs://models/2", 10).come_up().change(percent=50)

    assert len(service.knative.revisions) == 2
    assert service.shares == {TWO: 50, ONE: 50}


_STEPS = st.lists(
    st.one_of(
        st.just(("come_up", None)),
        st.just(("fail", None)),
        st.tuples(st.just("percent"), st.one_of(st.none(), st.integers(0, 100))),
        st.tuples(st.just("model"), st.one_of(st.none(), st.integers(0, 100))),
    ),
    max_size=12,
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(_STEPS)
def test_requests_always_go_somewhere_that_was_ready(steps: list[tuple[str, int | None]]) -> None:
    service = _Service().look().come_up()
    for number, (step, percent) in enumerate(steps):
        if step == "come_up":
            service.come_up()
        elif step == "fail":
            service.knative.fail()
            service.look()
        else:
            service.change(f"gs://models/new-{number}" if step == "model" else None, percent)

        assert sum(service.shares.values()) == 100
        assert service.knative.ready.issuperset(service.shares)
        assert service.told["latestRolledoutRevision"] in service.knative.ready
    before = service.status
    assert service.look().status == before
