"""Replicas of canaries, and what they take off the stable predictor."""

from typing import Any

import pytest

from fairlead.plan.layout import HorizontalScaler
from support.isvc import isvc, model
from support.kserve_cluster import Cluster


def _doc(percent: int, *, stable: int = 4, ready: bool = False, own: int | None = None) -> dict[str, Any]:
    predictor = {"name": "next", **model(uri="gs://models/next")}
    canary = {"trafficPercent": percent, "predictor": predictor if own is None else {**predictor, "minReplicas": own}}
    doc = isvc({**model(), "minReplicas": stable, "maxReplicas": 9}, canary=[canary])
    return {**doc, "status": {"canaryStatuses": [{"name": "next", "ready": ready}]}}


def _replicas(doc: dict[str, Any]) -> tuple[int | None, int | None]:
    """The stable predictor's least, and the canary's."""
    stable, canary = Cluster().layout(doc).workloads
    assert isinstance(stable.scaler, HorizontalScaler)
    return stable.scaler.min_replicas, canary.replicas


@pytest.mark.parametrize(("percent", "expected"), [(0, 0), (1, 1), (25, 1), (26, 2), (50, 2), (100, 4)])
def test_a_canary_has_its_share_rounded_up(percent: int, expected: int) -> None:
    assert _replicas(_doc(percent)) == (4, expected)


def test_a_canary_that_is_ready_does_part_of_the_work() -> None:
    assert _replicas(_doc(50, ready=True)) == (2, 2)


def test_the_stable_predictor_keeps_one_replica() -> None:
    assert _replicas(_doc(100, ready=True)) == (1, 4)


def test_a_canary_without_requests_can_have_replicas_of_its_own() -> None:
    assert _replicas(_doc(0, own=1)) == (4, 1)


def test_a_canarys_scaler_holds_its_number() -> None:
    _, canary = Cluster().layout(_doc(50)).workloads

    assert canary.name == "iris-next-predictor"
    assert isinstance(canary.scaler, HorizontalScaler)
    assert (canary.scaler.min_replicas, canary.scaler.max_replicas) == (2, 2)


def test_a_canary_that_sleeps_has_no_scaler_to_wake_it() -> None:
    assert Cluster().layout(_doc(0)).workloads[1].scaler is None


def test_a_promoted_canary_keeps_its_pods() -> None:
    before = Cluster().layout(_doc(50)).workloads[1]

    (after,) = Cluster().layout(isvc({"name": "next", **model(uri="gs://models/next"), "minReplicas": 4})).workloads

    assert (after.name, after.selector) == (before.name, before.selector)
    assert after.pod == before.pod
