"""Where a deployment stands, from its objects and pods: the clients' closed set of words, each with its reason. Pure.

Whoever asks gets what is so now; no timer looks at it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fairlead.registry.deploying.place import Document
from fairlead.registry.deploying.words import Status

IS_BUILDER = "yatai.ai/is-bento-image-builder"

# What a container waits for that passes by itself; any other reason to wait is a failure.
_PASSING = frozenset({"", "ContainerCreating", "PodInitializing", "Scheduling"})


class PodState(StrEnum):
    """A pod in one word."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A status, and the sentence that says why; empty when there is nothing to say."""

    status: Status
    reason: str = ""


def pod_state(pod: Document) -> tuple[PodState, str]:
    """How a pod is, and why when it is not well. One that runs and is not ready is still on its way."""
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        return PodState.TERMINATING, ""
    phase = status.get("phase") or "Unknown"
    if phase in ("Succeeded", "Failed", "Unknown"):
        return PodState(phase), _why(status)
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason", "") not in _PASSING:
            return PodState.FAILED, _sentence(waiting)
    is_ready = any(
        condition["type"] == "Ready" and condition["status"] == "True" for condition in status.get("conditions") or ()
    )
    if phase == "Running" and (is_ready or _is_builder(pod)):
        return PodState.RUNNING, ""
    return PodState.PENDING, _why(status)


def _is_builder(pod: Document) -> bool:
    return (pod["metadata"].get("labels") or {}).get(IS_BUILDER) == "true"


def _why(status: Mapping[str, Any]) -> str:
    return _sentence(status) if status.get("reason") or status.get("message") else ""


def _sentence(cause: Mapping[str, Any]) -> str:
    return ": ".join(part for part in (cause.get("reason"), cause.get("message")) if part)


def standing(
    *, before: Status, deployment: Document | None, request: Document | None, pods: Sequence[Document]
) -> Standing:
    """The status of a deployment that was `before` when somebody last looked or asked for something."""
    if before is Status.TERMINATED and deployment is None:
        return Standing(status=before)
    serving = [pod_state(pod) for pod in pods if not _is_builder(pod)]
    if deployment is None or deployment["metadata"].get("deletionTimestamp"):
        return _leaving(before, serving)
    if before is Status.TERMINATING:
        # It was told to go a moment ago, and whoever told it so is about to delete its object.
        return Standing(status=before)
    building = _building(request, [pod_state(pod) for pod in pods if _is_builder(pod)])
    if building is not None:
        return building
    return _serving(deployment, serving)


def _leaving(before: Status, serving: Sequence[tuple[PodState, str]]) -> Standing:
    if before is Status.TERMINATING:
        return Standing(status=Status.TERMINATING if serving else Status.TERMINATED)
    if before is Status.NON_DEPLOYED or not serving:
        return Standing(status=Status.NON_DEPLOYED)
    return Standing(status=Status.TERMINATING)


def _building(request: Document | None, builders: Sequence[tuple[PodState, str]]) -> Standing | None:
    """How far the bento is on its way here; nothing once it is there."""
    condition = _condition(request, "BentoAvailable")
    if condition.get("status") == "True":
        return None
    if condition.get("status") == "False":
        return Standing(status=Status.IMAGE_BUILD_FAILED, reason=str(condition.get("message") or ""))
    if any(state in (PodState.PENDING, PodState.RUNNING) for state, _ in builders):
        return Standing(status=Status.IMAGE_BUILDING, reason=str(condition.get("message") or ""))
    failed = [why for state, why in builders if state in (PodState.FAILED, PodState.UNKNOWN, PodState.TERMINATING)]
    if failed:
        return Standing(status=Status.IMAGE_BUILD_FAILED, reason=failed[0])
    if request is not None:
        return Standing(status=Status.IMAGE_BUILDING, reason=str(condition.get("message") or ""))
    return None


def _serving(deployment: Document, serving: Sequence[tuple[PodState, str]]) -> Standing:
    states = {state for state, _ in serving if state is not PodState.TERMINATING}
    failures = [why for state, why in serving if state in (PodState.FAILED, PodState.UNKNOWN)]
    if failures:
        if PodState.RUNNING in states:
            status = Status.DEPLOYING if PodState.PENDING in states else Status.UNHEALTHY
            return Standing(status=status, reason=failures[0])
        return Standing(status=Status.FAILED, reason=failures[0])
    if PodState.PENDING in states:
        return Standing(status=Status.DEPLOYING)
    if PodState.RUNNING in states:
        return _running(deployment)
    return _without_pods(deployment)


def _running(deployment: Document) -> Standing:
    """Pods answer; whether they are those that are wanted, and requests reach them, the object says."""
    ready = _condition(deployment, "Ready")
    if ready.get("status", "True") == "True":
        return Standing(status=Status.RUNNING)
    return Standing(status=Status.UNHEALTHY if _is_failure(ready) else Status.DEPLOYING, reason=_sentence(ready))


def _without_pods(deployment: Document) -> Standing:
    """Nothing runs: on purpose, not yet, or because it cannot."""
    available = _condition(deployment, "Available")
    if available.get("status") == "True":
        is_to_zero = ((deployment.get("spec") or {}).get("autoscaling") or {}).get("minReplicas") == 0
        return Standing(status=Status.SCALED_TO_ZERO if is_to_zero else Status.DEPLOYING)
    status = Status.FAILED if _is_failure(available) else Status.DEPLOYING
    return Standing(status=status, reason=_sentence(available))


# Why something is not there yet that comes by itself.
_ON_ITS_WAY = frozenset({"", "Deploying", "Reconciling", "RouteNotReady", "BentoNotReady", "BentoNotFound"})


def _is_failure(condition: Mapping[str, Any]) -> bool:
    """Whether an object says of itself that it will not come to be as it is."""
    return condition.get("status") == "False" and condition.get("reason", "") not in _ON_ITS_WAY


def _condition(document: Document | None, kind: str) -> Mapping[str, Any]:
    for condition in ((document or {}).get("status") or {}).get("conditions") or ():
        if condition.get("type") == kind:
            return dict(condition)
    return {}
