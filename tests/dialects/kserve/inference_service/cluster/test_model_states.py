"""What pods tell of a model."""

from typing import Any

import pytest

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.inference_service.cluster.model_states import Predicting, model_states

NOW = "2024-01-02T00:00:00Z"
RUNNING: dict[str, Any] = {"state": {"running": {}}}
CRASHED = {"terminated": {"reason": "Error", "exitCode": 3, "message": "no such key\n", "finishedAt": "then"}}
WAITING = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": CRASHED}


def _pod(
    *, init: dict[str, Any] | None = None, server: dict[str, Any] | None = None, ready: bool = False, name: str = "p"
) -> Document:
    status: dict[str, Any] = {"conditions": [{"type": "Ready", "status": str(ready)}]}
    if init is not None:
        status["initContainerStatuses"] = [{"name": "storage-initializer", **init}]
    if server is not None:
        status["containerStatuses"] = [{"name": "agent", **RUNNING}, {"name": "kserve-container", **server}]
    return {"metadata": {"name": name, "labels": {}}, "status": status}


def _states(*pods: Document, is_ready: bool = False, previous: Any = None, has_failed: bool = False) -> Any:
    predicting = Predicting(pods=pods, is_ready=is_ready, has_failed=has_failed)
    return model_states(predicting, previous or {}, now=NOW)


def _brief(found: Any) -> tuple[str, str, str]:
    states = found["states"]
    return found["transitionStatus"], states["activeModelState"], states["targetModelState"]


PENDING, LOADING = ("InProgress", "", "Pending"), ("InProgress", "", "Loading")
FAILED, LOADED = ("BlockedByFailedLoad", "", "FailedToLoad"), ("UpToDate", "Loaded", "Loaded")


@pytest.mark.parametrize(
    ("pod", "is_ready", "expected"),
    [
        (None, False, PENDING),
        (None, True, LOADED),
        (_pod(), False, PENDING),
        (_pod(init=RUNNING), False, LOADING),
        (_pod(init={"state": CRASHED}), False, FAILED),
        (_pod(init=WAITING), False, FAILED),
        (_pod(server=RUNNING), False, PENDING),
        (_pod(server={"state": CRASHED}), False, FAILED),
        (_pod(server=WAITING), False, FAILED),
        (_pod(server=RUNNING, ready=True), True, LOADED),
        (_pod(init={"state": {"terminated": {"reason": "Completed"}}}, server=RUNNING), False, PENDING),
    ],
)
def test_the_newest_pod_decides(pod: Document | None, expected: Any, *, is_ready: bool) -> None:
    assert _brief(_states(*([pod] if pod else []), is_ready=is_ready)) == expected


@pytest.mark.parametrize("state", [{"state": CRASHED}, WAITING])
def test_a_failure_is_told_in_the_containers_last_words(state: Any) -> None:
    found = _states(_pod(init=state, name="iris-1"))

    assert found["lastFailureInfo"] == {
        "reason": "ModelLoadFailed",
        "message": "no such key",
        "location": "iris-1",
        "time": "then",
        "exitCode": 3,
    }
    assert found["copies"] == {"failedCopies": 1, "totalCopies": 0}


def test_while_a_failed_transfer_is_tried_again_the_failure_stays_told() -> None:
    failed = _states(_pod(init=WAITING))

    again = _states(_pod(init={**RUNNING, "lastState": CRASHED}), previous=failed)

    assert again == {**failed, "copies": {"failedCopies": 0, "totalCopies": 0}}


def test_what_served_before_is_active_while_the_new_version_fails() -> None:
    found = _states(_pod(server=WAITING), _pod(server=RUNNING, ready=True), is_ready=False)

    assert _brief(found) == ("BlockedByFailedLoad", "Loaded", "FailedToLoad")
    assert found["copies"] == {"failedCopies": 1, "totalCopies": 1}


def test_a_new_version_that_cannot_be_fetched_is_told_though_the_old_one_is_ready() -> None:
    found = _states(_pod(init=WAITING), _pod(server=RUNNING, ready=True), is_ready=True)

    assert _brief(found) == ("BlockedByFailedLoad", "Loaded", "FailedToLoad")


def test_a_service_without_pods_that_will_have_none_is_blocked() -> None:
    failure = {"reason": "ModelLoadFailed", "message": "x"}

    found = _states(has_failed=True, previous={"lastFailureInfo": failure})

    assert _brief(found) == FAILED
    assert found["lastFailureInfo"] == failure


def test_an_image_that_cannot_be_pulled_is_told_once() -> None:
    def stuck(reason: str) -> Document:
        return _pod(server={"state": {"waiting": {"reason": reason, "message": "not found"}}})

    first = _states(stuck("ErrImagePull"))
    later = model_states(Predicting(pods=[stuck("ImagePullBackOff")], is_ready=False), first, now="later")

    assert first["lastFailureInfo"]["reason"] == "RuntimeUnhealthy"
    assert first["lastFailureInfo"]["message"] == "kserve-container: ErrImagePull: not found"
    assert later == first


@pytest.mark.parametrize("reason", ["ErrImageNeverPull", "CreateContainerConfigError", "RunContainerError"])
def test_a_container_that_cannot_be_started_is_told(reason: str) -> None:
    found = _states(_pod(server={"state": {"waiting": {"reason": reason, "message": "no such thing"}}}))

    assert found["lastFailureInfo"]["message"] == f"kserve-container: {reason}: no such thing"


def test_a_failure_is_forgotten_once_the_model_is_loaded() -> None:
    failed = _states(_pod(server=WAITING))

    assert "lastFailureInfo" not in _states(_pod(server=RUNNING, ready=True), is_ready=True, previous=failed)
