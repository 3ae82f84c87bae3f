"""Canaries of Standard mode."""

from typing import Any

import pytest

from fairlead.dialects.kserve.inference_service.canaries import effective
from fairlead.plan.status import Phase
from support.isvc import isvc, model
from support.rollouts import Life, weights

ENTRY = "/serving/models/iris/"
STANDARD = {"serving.kserve.io/deploymentMode": "Standard"}


def canary(name: str, percent: int, **predictor: Any) -> dict[str, Any]:
    return {"predictor": {"name": name, **model(uri=f"gs://m/{name}"), **predictor}, "trafficPercent": percent}


def with_canaries(*canaries: dict[str, Any], **predictor: Any) -> Life:
    doc = isvc({**model(uri="gs://m/1"), **predictor}, annotations=STANDARD)
    life = Life(doc=doc)
    life.settle()
    life.doc = {**life.doc, "spec": {**life.doc["spec"], "canary": list(canaries)}}
    return life


def replicas(life: Life) -> dict[str, tuple[int, int]]:
    return {one.name: (one.scale.min_replicas, one.scale.max_replicas) for one in life.look().components}


def told(life: Life) -> dict[str, Any]:
    found: dict[str, Any] = life.doc["status"]
    return found


def test_a_canary_gets_its_share_once_it_is_ready() -> None:
    life = with_canaries(canary("second", 20))
    life.fate["second-predictor"] = Phase.STARTING
    life.settle()
    assert weights(life.look(), ENTRY) == {"predictor": 100}

    life.fate.clear()
    plan = life.settle()

    assert weights(plan, ENTRY) == {"predictor": 80, "second-predictor": 20}
    assert weights(plan, "iris-predictor.models") == {"predictor": 80, "second-predictor": 20}
    assert weights(plan, "iris-second-predictor.models") == {"second-predictor": 100}


def test_a_canary_that_breaks_gives_its_share_back() -> None:
    life = with_canaries(canary("second", 20), canary("third", 30))
    assert weights(life.settle(), ENTRY) == {"predictor": 50, "second-predictor": 20, "third-predictor": 30}

    life.fate["second-predictor"] = Phase.FAILED

    assert weights(life.settle(), ENTRY) == {"predictor": 70, "third-predictor": 30}
    (broken, well) = told(life)["canaryStatuses"]
    assert (broken["name"], broken["ready"], broken["trafficPercent"]) == ("second", False, 20)
    assert broken["modelStatus"]["transitionStatus"] == "BlockedByFailedLoad"
    assert (well["ready"], well["modelStatus"]["transitionStatus"]) == (True, "UpToDate")
    condition = next(one for one in told(life)["conditions"] if one["type"] == "CanaryPredictorReady")
    assert (condition["status"], condition["reason"]) == ("False", "CanariesNotReady")
    assert condition["message"] == "canary second: no such file"


def test_all_ready_canaries_are_told_and_the_condition_goes_with_them() -> None:
    life = with_canaries(canary("second", 20))
    life.settle()
    assert [(one["status"], one["reason"]) for one in told(life)["conditions"] if one["type"].startswith("Canary")] == [
        ("True", "AllCanariesReady")
    ]

    life.doc = {**life.doc, "spec": {**life.doc["spec"], "canary": []}}
    plan = life.settle()

    assert [component.name for component in plan.components] == ["predictor"]
    assert "canaryStatuses" not in told(life)
    assert not any(one["type"].startswith("Canary") for one in told(life)["conditions"])


@pytest.mark.parametrize(
    ("stable", "percent", "own", "count"),
    [(4, 20, None, 1), (4, 50, None, 2), (4, 0, None, 0), (4, 0, 1, 1), (4, 10, 3, 3), (None, 20, None, 1)],
)
def test_a_canary_has_so_many_replicas(stable: int | None, percent: int, own: int | None, count: int) -> None:
    extra = {} if own is None else {"minReplicas": own}
    life = with_canaries(canary("second", percent, **extra), **({} if stable is None else {"minReplicas": stable}))

    assert replicas(life)["second-predictor"] == (count, count)


def test_a_dark_launch_runs_and_gets_no_share() -> None:
    life = with_canaries(canary("second", 0, minReplicas=1))
    plan = life.settle()

    assert weights(plan, ENTRY) == {"predictor": 100}
    assert weights(plan, "/serving/models/iris-second-predictor/") == {"second-predictor": 100}
    assert told(life)["canaryStatuses"][0]["ready"] is True


def test_ready_canaries_spare_the_stable_predictor_replicas() -> None:
    life = with_canaries(canary("second", 50), minReplicas=4)
    assert replicas(life)["predictor"][0] == 4

    life.settle()

    assert replicas(life)["predictor"][0] == 2


def test_a_canary_inherits_all_but_how_the_stable_one_scales() -> None:
    stable = {**model(), "timeout": 7, "maxReplicas": 5, "minReplicas": 3, "scaleTarget": 60, "scaleMetric": "cpu"}
    over = {"name": "second", "model": {"storageUri": "gs://m/2", "resources": {"limits": {"cpu": "1"}}}}

    assert effective(stable, over) == {
        "name": "second",
        "timeout": 7,
        "model": {
            "modelFormat": {"name": "sklearn"},
            "storageUri": "gs://m/2",
            "resources": {"limits": {"cpu": "1"}},
        },
    }


def test_a_promoted_canary_is_the_same_component() -> None:
    life = with_canaries(canary("second", 20))
    before = next(one for one in life.settle().components if one.name == "second-predictor")

    spec = {"predictor": {"name": "second", **model(uri="gs://m/second")}}
    life.doc = {**life.doc, "spec": spec}
    plan = life.look()

    (after,) = plan.components
    assert (after.name, after.full_name) == ("second-predictor", "iris-second-predictor")
    assert after.revision.hash == before.revision.hash
    assert weights(plan, ENTRY) == {"second-predictor": 100}


def test_what_served_goes_on_until_a_predictor_of_another_name_is_ready() -> None:
    life = with_canaries()
    life.settle()
    spec = {"predictor": {"name": "second", **model(uri="gs://m/2")}}
    life.doc = {**life.doc, "spec": spec}
    life.fate["second-predictor"] = Phase.STARTING

    plan = life.settle()
    assert weights(plan, ENTRY) == {"predictor": 100}
    assert {component.name for component in plan.components} == {"second-predictor", "predictor"}

    life.fate.clear()
    plan = life.settle()
    assert weights(plan, ENTRY) == {"second-predictor": 100}
    assert [component.name for component in plan.components] == ["second-predictor"]


def test_a_percent_of_a_revision_means_nothing_here_and_is_said() -> None:
    life = with_canaries(canaryTrafficPercent=20)

    (warning,) = [one for one in life.look().warnings if "canaryTrafficPercent" in one]

    assert "spec.canary" in warning


def test_a_stopped_service_has_stopped_canaries() -> None:
    life = with_canaries(canary("second", 20))
    life.settle()
    life.doc["metadata"]["annotations"] = {**STANDARD, "modelFormat": "sklearn", "serving.kserve.io/stop": "true"}

    plan = life.settle()

    assert plan.components == ()
    found = {one["type"]: (one["status"], one.get("reason", "")) for one in told(life)["conditions"]}
    assert found == {
        "CanaryPredictorReady": ("False", "Stopped"),
        "IngressReady": ("False", "Stopped"),
        "PredictorReady": ("False", "Stopped"),
        "Ready": ("False", "Stopped"),
        "Stopped": ("True", ""),
    }
