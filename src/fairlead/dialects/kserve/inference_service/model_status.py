"""`status.modelStatus`: where the model of the newest predictor stands, and what its last failure was.

The states are KServe's. `Standby`, which KServe knows from ModelMesh, is a model that is ready and in no process at the
moment, because nobody asked for it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.dialects.kserve.inference_service.health import failures
from fairlead.plan.status import ComponentStatus, Phase

PENDING, STANDBY, LOADING, LOADED, FAILED = "Pending", "Standby", "Loading", "Loaded", "FailedToLoad"
UP_TO_DATE, IN_PROGRESS, BLOCKED, INVALID = "UpToDate", "InProgress", "BlockedByFailedLoad", "InvalidSpec"
LOAD_FAILED = "ModelLoadFailed"

_EXIT = re.compile(r"exited with (?:code|status) (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """`lastFailureInfo` without its time."""

    reason: str
    message: str
    location: str = ""
    revision: str = ""


def model_status(
    state: ComponentStatus | None,
    previous: Mapping[str, Any],
    *,
    is_current: bool,
    is_serving: bool,
    now: str,
    ready: int | None = None,
) -> dict[str, Any]:
    """The status of the newest predictor's model. `is_current`: it is the newest that is up, for all that was asked;
    `is_serving`: some version of it answers, with `ready` replicas if they are not the newest's. `previous` is the old
    status, for the time of a failure."""
    active = LOADED if is_serving else ""
    if state is None:
        return _written(IN_PROGRESS, active, PENDING, _copies(ready or 0, 0))
    copies = _copies(state.ready if ready is None else ready, len(list(failures(state))))
    if is_current and state.phase is Phase.READY:
        name = LOADED if state.ready or state.desired else STANDBY
        return _written(UP_TO_DATE, name, name, copies)
    if state.phase is Phase.FAILED:
        written = _written(BLOCKED, active, FAILED, {**copies, "failedCopies": max(1, copies["failedCopies"])})
        return {**written, "lastFailureInfo": _failure(_cause(state), previous, now)}
    if is_current and state.cause is None:
        # On its way back from no replicas: it is asked for, and nothing is wrong.
        return _written(UP_TO_DATE, LOADED if state.ready else STANDBY, LOADING, copies)
    target = LOADING if state.phase in (Phase.DOWNLOADING, Phase.STARTING) else PENDING
    written = _written(IN_PROGRESS, active, target, copies)
    if state.cause is not None:
        written["lastFailureInfo"] = _failure(_cause(state), previous, now)
    return written


def invalid(failure: Failure, previous: Mapping[str, Any], *, is_serving: bool, now: str) -> dict[str, Any]:
    """The status of a manifest that nothing can run."""
    written = _written(INVALID, LOADED if is_serving else "", FAILED, None)
    return {**written, "lastFailureInfo": _failure(failure, previous, now)}


def _cause(state: ComponentStatus) -> Failure:
    message = state.cause.message if state.cause else "it failed and said nothing"
    location = next(failures(state), state.full_name)
    return Failure(reason=LOAD_FAILED, message=message, location=location, revision=state.full_name)


def _failure(failure: Failure, previous: Mapping[str, Any], now: str) -> dict[str, Any]:
    told: dict[str, Any] = {"reason": failure.reason, "message": failure.message}
    if failure.location:
        told["location"] = failure.location
    if failure.revision:
        told["modelRevisionName"] = failure.revision
    if (code := _EXIT.search(failure.message)) is not None:
        told["exitCode"] = int(code[1])
    earlier = previous.get("lastFailureInfo")
    earlier = earlier if isinstance(earlier, Mapping) else {}
    is_known = all(earlier.get(key) == told.get(key) for key in ("reason", "message", "modelRevisionName"))
    return {**told, "time": str(earlier.get("time") or now) if is_known else now}


def _written(transition: str, active: str, target: str, copies: dict[str, int] | None) -> dict[str, Any]:
    written: dict[str, Any] = {
        "transitionStatus": transition,
        "states": {"activeModelState": active, "targetModelState": target},
    }
    return written if copies is None else {**written, "copies": copies}


def _copies(ready: int, failed: int) -> dict[str, int]:
    return {"failedCopies": failed, "totalCopies": ready}
