"""Every word of the clients' closed set of statuses, and what leads to it."""

from typing import Any

import pytest

from fairlead.registry.deploying.statuses import PodState, Standing, pod_state, standing
from fairlead.registry.deploying.words import Status, for_old_clients

OBJECT: dict[str, Any] = {"metadata": {"name": "d"}, "spec": {"bento": "b"}}
CRASHED = {"state": {"waiting": {"reason": "LoadError", "message": "no module named x"}}}


def _pod(phase: str = "Running", *, ready: bool = True, builder: bool = False, **status: Any) -> dict[str, Any]:
    labels = {"yatai.ai/is-bento-image-builder": "true"} if builder else {}
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"metadata": {"name": "p", "labels": labels}, "status": {"phase": phase, "conditions": conditions, **status}}


def _request(status: str, message: str = "") -> dict[str, Any]:
    return {"status": {"conditions": [{"type": "BentoAvailable", "status": status, "message": message}]}}


HERE = _request("True")
BAD = _pod(ready=False, containerStatuses=[CRASHED])


@pytest.mark.parametrize(
    ("pods", "status"),
    [
        ([_pod()], Status.RUNNING),
        ([_pod(), _pod(ready=False)], Status.DEPLOYING),
        ([_pod("Pending", ready=False)], Status.DEPLOYING),
        ([BAD], Status.FAILED),
        ([BAD, _pod()], Status.UNHEALTHY),
        ([BAD, _pod(), _pod("Pending", ready=False)], Status.DEPLOYING),
        ([_pod("Failed"), _pod()], Status.UNHEALTHY),
        ([], Status.DEPLOYING),
    ],
)
def test_pods_say_how_a_deployment_is(pods: list[dict[str, Any]], status: Status) -> None:
    found = standing(before=Status.DEPLOYING, deployment=OBJECT, request=HERE, pods=pods)
    assert found.status is status


def test_a_failure_says_why() -> None:
    found = standing(before=Status.DEPLOYING, deployment=OBJECT, request=HERE, pods=[BAD])
    assert found == Standing(status=Status.FAILED, reason="LoadError: no module named x")


@pytest.mark.parametrize(
    ("request_", "builders", "status", "reason"),
    [
        (_request("Unknown", "Checking image exists"), [], Status.IMAGE_BUILDING, "Checking image exists"),
        (None, [_pod(builder=True, ready=False)], Status.IMAGE_BUILDING, ""),
        (None, [_pod("Failed", builder=True, message="step 3")], Status.IMAGE_BUILD_FAILED, "step 3"),
        (_request("False", "no such bento"), [], Status.IMAGE_BUILD_FAILED, "no such bento"),
        ({}, [], Status.IMAGE_BUILDING, ""),
    ],
)
def test_a_bento_on_its_way_says_so(request_: Any, builders: list[Any], status: Status, reason: str) -> None:
    found = standing(before=Status.DEPLOYING, deployment=OBJECT, request=request_, pods=builders)
    assert found == Standing(status=status, reason=reason)


@pytest.mark.parametrize(
    ("before", "pods", "status"),
    [
        (Status.TERMINATING, [_pod()], Status.TERMINATING),
        (Status.TERMINATING, [], Status.TERMINATED),
        (Status.TERMINATED, [], Status.TERMINATED),
        (Status.RUNNING, [_pod()], Status.TERMINATING),
        (Status.RUNNING, [], Status.NON_DEPLOYED),
        (Status.NON_DEPLOYED, [], Status.NON_DEPLOYED),
    ],
)
def test_without_its_object_a_deployment_leaves(before: Status, pods: list[Any], status: Status) -> None:
    assert standing(before=before, deployment=None, request=None, pods=pods).status is status


def test_one_that_was_told_to_go_is_going_although_its_object_is_still_there() -> None:
    found = standing(before=Status.TERMINATING, deployment=OBJECT, request=HERE, pods=[_pod()])
    assert found.status is Status.TERMINATING


def test_nothing_that_runs_on_purpose_is_at_zero() -> None:
    sleeping = {
        **OBJECT,
        "spec": {"bento": "b", "autoscaling": {"minReplicas": 0}},
        "status": {"conditions": [{"type": "Available", "status": "True"}]},
    }
    found = standing(before=Status.RUNNING, deployment=sleeping, request=HERE, pods=[])
    assert found.status is Status.SCALED_TO_ZERO
    assert for_old_clients(found.status) is Status.RUNNING


def test_an_object_that_cannot_be_made_true_has_failed() -> None:
    conditions = [{"type": "Available", "status": "False", "reason": "UnknownRuntime", "message": "nobody runs x"}]
    found = standing(
        before=Status.DEPLOYING, deployment={**OBJECT, "status": {"conditions": conditions}}, request=HERE, pods=[]
    )
    assert found == Standing(status=Status.FAILED, reason="UnknownRuntime: nobody runs x")


def test_a_pod_that_is_being_deleted_is_terminating() -> None:
    pod = _pod()
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert pod_state(pod) == (PodState.TERMINATING, "")


@pytest.mark.parametrize(
    ("ready", "reason", "status"),
    [
        ("Unknown", "RouteNotReady", Status.DEPLOYING),
        ("False", "Deploying", Status.DEPLOYING),
        ("False", "LoadError", Status.UNHEALTHY),
        ("True", "PodsReady", Status.RUNNING),
    ],
)
def test_pods_that_answer_are_not_enough_until_the_object_is_ready(ready: str, reason: str, status: Status) -> None:
    conditions = [{"type": "Ready", "status": ready, "reason": reason, "message": ""}]
    document = {**OBJECT, "status": {"conditions": conditions}}
    assert standing(before=Status.DEPLOYING, deployment=document, request=HERE, pods=[_pod()]).status is status
