"""Where a model stands, for every way that its component can be."""

from typing import Any

import pytest

from fairlead.dialects.kserve.inference_service.model_status import Failure, invalid, model_status
from fairlead.plan.model import ComponentName
from fairlead.plan.status import Cause, ComponentStatus, Phase, ReplicaState, ReplicaStatus

NOW = "2026-01-01T00:00:00Z"
CAUSE = Cause(unit="iris", reason="DownloadFailed", message="gs://m/iris: no such bucket")


def state(phase: Phase, *, desired: int = 1, ready: int = 0, cause: Cause | None = None) -> ComponentStatus:
    return ComponentStatus(
        component=ComponentName("predictor-00002"),
        full_name="iris-predictor-00002",
        revision="abc",
        phase=phase,
        desired=desired,
        ready=ready,
        cause=cause,
    )


def told(
    given: ComponentStatus | None, *, current: bool = False, serving: bool = False, previous: Any = None
) -> dict[str, Any]:
    return model_status(given, previous or {}, is_current=current, is_serving=serving, now=NOW)


@pytest.mark.parametrize(
    ("given", "how", "transition", "active", "target"),
    [
        (None, {}, "InProgress", "", "Pending"),
        (state(Phase.PENDING), {}, "InProgress", "", "Pending"),
        (state(Phase.DOWNLOADING), {}, "InProgress", "", "Loading"),
        (state(Phase.STARTING), {}, "InProgress", "", "Loading"),
        (state(Phase.STARTING), {"serving": True}, "InProgress", "Loaded", "Loading"),
        (state(Phase.READY, ready=1), {"current": True, "serving": True}, "UpToDate", "Loaded", "Loaded"),
        (state(Phase.READY, desired=0), {"current": True, "serving": True}, "UpToDate", "Standby", "Standby"),
        (state(Phase.STARTING), {"current": True, "serving": True}, "UpToDate", "Standby", "Loading"),
        (state(Phase.FAILED, cause=CAUSE), {}, "BlockedByFailedLoad", "", "FailedToLoad"),
        (state(Phase.FAILED, cause=CAUSE), {"serving": True}, "BlockedByFailedLoad", "Loaded", "FailedToLoad"),
        (state(Phase.PENDING, cause=CAUSE), {}, "InProgress", "", "Pending"),
    ],
)
def test_the_state_of_the_model_follows_from_its_component(
    given: ComponentStatus | None, how: dict[str, bool], transition: str, active: str, target: str
) -> None:
    found = told(given, **how)

    assert found["transitionStatus"] == transition
    assert found["states"] == {"activeModelState": active, "targetModelState": target}


def test_a_failure_says_what_where_and_when() -> None:
    replica = ReplicaStatus(
        name="iris-predictor-00002-abc",
        component=ComponentName("predictor-00002"),
        revision="abc",
        state=ReplicaState.GONE,
        cause=Cause(unit="iris", reason="Exited", message="the server exited with code 3"),
    )
    given = state(Phase.FAILED, cause=replica.cause)

    found = told(ComponentStatus(**{**fields(given), "replicas": (replica,)}))

    assert found["lastFailureInfo"] == {
        "location": "iris-predictor-00002-abc",
        "reason": "ModelLoadFailed",
        "message": "the server exited with code 3",
        "modelRevisionName": "iris-predictor-00002",
        "exitCode": 3,
        "time": NOW,
    }
    assert found["copies"] == {"failedCopies": 1, "totalCopies": 0}


def fields(given: ComponentStatus) -> dict[str, Any]:
    return {name: getattr(given, name) for name in ComponentStatus.__dataclass_fields__}


def test_the_time_of_a_failure_is_when_it_was_first_told() -> None:
    earlier = told(state(Phase.FAILED, cause=CAUSE))
    earlier["lastFailureInfo"]["time"] = "2025-12-31T00:00:00Z"

    same = told(state(Phase.FAILED, cause=CAUSE), previous=earlier)
    other = told(state(Phase.FAILED, cause=Cause(unit="", reason="X", message="another")), previous=earlier)

    assert same["lastFailureInfo"]["time"] == "2025-12-31T00:00:00Z"
    assert other["lastFailureInfo"]["time"] == NOW


def test_a_model_that_loaded_after_all_has_no_failure() -> None:
    earlier = told(state(Phase.FAILED, cause=CAUSE))

    assert "lastFailureInfo" not in told(state(Phase.READY, ready=1), current=True, serving=True, previous=earlier)


def test_a_manifest_that_nothing_can_run_is_invalid() -> None:
    failure = Failure(reason="NoSupportingRuntime", message="No runtime found to support specified framework/version")

    assert invalid(failure, {}, is_serving=False, now=NOW) == {
        "transitionStatus": "InvalidSpec",
        "states": {"activeModelState": "", "targetModelState": "FailedToLoad"},
        "lastFailureInfo": {
            "reason": "NoSupportingRuntime",
            "message": "No runtime found to support specified framework/version",
            "time": NOW,
        },
    }
