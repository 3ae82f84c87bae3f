"""What the conditions of a Deployment say of the thing that it serves, by KServe's rules: later ones of these win.

It is down until told otherwise; up when it is available, or when its newest replicas are; on its way while it makes
progress; and down when it is not available, makes no progress, or its replicas cannot be made.
"""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.inference_service.conditions import Condition

_NEW_IS_UP = "NewReplicaSetAvailable"


def deployment_condition(deployment: Document | None, type_: str) -> Condition:
    """The condition of that type. A Deployment that does not exist yet is not known to be anything."""
    if deployment is None:
        return Condition(type=type_, is_true=None, reason="Deploying", message="its Deployment is not there yet")
    found = _by_type(deployment)
    if not found:
        return Condition(type=type_, is_true=None, reason="Deploying", message="its Deployment is being rolled out")
    is_true, source = _judged(found)
    return Condition(
        type=type_,
        is_true=is_true,
        reason=str(source.get("reason") or ""),
        message=str(source.get("message") or ""),
    )


def _judged(found: Mapping[str, Mapping[str, Any]]) -> tuple[bool | None, Mapping[str, Any]]:
    available, progressing = found.get("Available", {}), found.get("Progressing", {})
    is_available = available.get("status") == "True"
    result: tuple[bool | None, Mapping[str, Any]] = (False, {})
    if is_available:
        result = (True, available)
    if progressing.get("status") == "False" and progressing.get("message"):
        result = (False, progressing)
    elif progressing.get("status") == "True":
        if progressing.get("reason") == _NEW_IS_UP:
            result = (True, progressing)
        elif not is_available:
            result = (None, progressing)
    if available.get("status") == "False":
        result = (False, available)
    if found.get("ReplicaFailure", {}).get("status") == "True":
        result = (False, found["ReplicaFailure"])
    return result


def _by_type(deployment: Document) -> dict[str, Mapping[str, Any]]:
    conditions = (deployment.get("status") or {}).get("conditions") or ()
    return {str(one.get("type")): one for one in conditions}
