"""`status.modelStatus` of a service in a cluster: what the newest pod of its predictor tells of the model.

A model fails in one of two places, while it is fetched and while its server loads it; both tell why in the last words
of their container. What keeps a pod from starting at all (an image that cannot be pulled) is told too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.inference_service.cluster.oci_models import MODELCAR
from fairlead.dialects.kserve.inference_service.cluster.transfers import NAME as INITIALIZER
from fairlead.dialects.kserve.inference_service.model_status import (
    BLOCKED,
    FAILED,
    IN_PROGRESS,
    LOAD_FAILED,
    LOADED,
    LOADING,
    PENDING,
    UP_TO_DATE,
)
from fairlead.dialects.kserve.inference_service.schema import PREDICTOR_CONTAINER

Json = Mapping[str, Any]

UNHEALTHY = "RuntimeUnhealthy"
_INITIALIZERS = (INITIALIZER, f"{MODELCAR}-init")
_CRASHING = "CrashLoopBackOff"
_STUCK = frozenset(
    (
        "ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "ImageInspectError", "InvalidImageName",
        "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
    )
)  # fmt: skip
_REVISION = "serving.knative.dev/revision"
_LONGEST = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicting:
    """The pods of a predictor, newest first. `is_ready`: the service is, with its newest version. `has_failed`: what
    would make pods said that it cannot."""

    pods: Sequence[Document]
    is_ready: bool
    has_failed: bool = False


def model_states(predicting: Predicting, previous: Json, *, now: str) -> dict[str, Any]:
    """The status of the predictor's model. `previous` is the old one."""
    ready = sum(_is_ready(pod) for pod in predicting.pods)
    copies = {"failedCopies": sum(_has_crashed(pod) for pod in predicting.pods), "totalCopies": ready}
    active = LOADED if ready or predicting.is_ready else ""
    if not predicting.pods:
        if predicting.is_ready:
            return _written(UP_TO_DATE, LOADED, LOADED, copies)
        if predicting.has_failed:
            return {**_written(BLOCKED, active, FAILED, copies), **_kept(previous)}
        return _written(IN_PROGRESS, active, PENDING, copies)
    newest = predicting.pods[0]
    fetching = _state(newest, "initContainerStatuses", *_INITIALIZERS)
    if fetching.is_running:
        if fetching.ended and previous:
            return {**previous, "copies": copies}
        return _written(IN_PROGRESS, active, LOADING, copies)
    if fetching.is_crashing:
        return {**_written(BLOCKED, active, FAILED, copies), "lastFailureInfo": _failure(newest, fetching, now)}
    if predicting.is_ready:
        return _written(UP_TO_DATE, LOADED, LOADED, copies)
    serving = _state(newest, "containerStatuses", PREDICTOR_CONTAINER)
    if serving.is_crashing:
        return {**_written(BLOCKED, active, FAILED, copies), "lastFailureInfo": _failure(newest, serving, now)}
    written = _written(IN_PROGRESS, active, PENDING, copies)
    stuck = _stuck(newest)
    return {**written, "lastFailureInfo": _unhealthy(newest, stuck, previous, now)} if stuck else written


@dataclass(frozen=True, slots=True)
class _State:
    """How a container is; `ended` is how it ended last."""

    is_running: bool = False
    is_crashing: bool = False
    ended: Json | None = None


def _state(pod: Document, statuses: str, *names: str) -> _State:
    found = next((one for one in _statuses(pod, statuses) if one.get("name") in names), {})
    state, last = found.get("state") or {}, (found.get("lastState") or {}).get("terminated")
    ended = state.get("terminated") or last
    is_over = (state.get("terminated") or {}).get("reason") == "Error"
    is_waiting = (state.get("waiting") or {}).get("reason") == _CRASHING
    return _State(is_running="running" in state, is_crashing=is_over or is_waiting, ended=ended)


def _failure(pod: Document, state: _State, now: str) -> dict[str, Any]:
    ended = state.ended or {}
    message = str(ended.get("message") or "").strip()[-_LONGEST:] or "it left no last words; its log may say why"
    told = {
        "reason": LOAD_FAILED,
        "message": message,
        "location": pod["metadata"].get("name", ""),
        "modelRevisionName": (pod["metadata"].get("labels") or {}).get(_REVISION, ""),
        "time": ended.get("finishedAt") or now,
        "exitCode": ended.get("exitCode"),
    }
    return {name: value for name, value in told.items() if value not in ("", None)}


def _stuck(pod: Document) -> tuple[str, Json] | None:
    """A container that cannot be started."""
    for statuses in ("initContainerStatuses", "containerStatuses"):
        for one in _statuses(pod, statuses):
            waiting = (one.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in _STUCK:
                return str(one.get("name")), waiting
    return None


def _unhealthy(pod: Document, stuck: tuple[str, Json], previous: Json, now: str) -> dict[str, Any]:
    name, waiting = stuck
    text = waiting.get("message") or "it cannot be started"
    earlier = previous.get("lastFailureInfo")
    earlier = earlier if isinstance(earlier, Mapping) else {}
    # The reason goes back and forth between two words while an image is tried again.
    is_known = earlier.get("reason") == UNHEALTHY and earlier.get("location") == pod["metadata"].get("name", "")
    return {
        "reason": UNHEALTHY,
        "message": earlier["message"] if is_known else f"{name}: {waiting['reason']}: {text}",
        "location": pod["metadata"].get("name", ""),
        "time": earlier["time"] if is_known else now,
    }


def _is_ready(pod: Document) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _has_crashed(pod: Document) -> bool:
    return any(
        _state(pod, statuses, *names).is_crashing
        for statuses, names in (("initContainerStatuses", _INITIALIZERS), ("containerStatuses", (PREDICTOR_CONTAINER,)))
    )


def _statuses(pod: Document, name: str) -> Sequence[Json]:
    return (pod.get("status") or {}).get(name) or ()


def _kept(previous: Json) -> dict[str, Any]:
    return {"lastFailureInfo": previous["lastFailureInfo"]} if previous.get("lastFailureInfo") else {}


def _written(transition: str, active: str, target: str, copies: dict[str, int]) -> dict[str, Any]:
    states = {"activeModelState": active, "targetModelState": target}
    return {"transitionStatus": transition, "states": states, "copies": copies}
