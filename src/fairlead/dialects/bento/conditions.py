"""Conditions as these kinds have them: with a reason always, and a time that stays while the status does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RECONCILING = "Reconciling"
"""The reason that Yatai gives to everything; ours say more where there is more to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition; `is_true` of `None` is Unknown."""

    type: str
    is_true: bool | None
    message: str = ""
    reason: str = RECONCILING


def written(found: Sequence[Condition], previous: Mapping[str, Any], *, now: str) -> list[dict[str, Any]]:
    """Conditions as a status holds them."""
    earlier = {one.get("type"): one for one in previous.get("conditions") or ()}
    return [_written(one, earlier.get(one.type, {}), now) for one in found]


def is_true(holder: Mapping[str, Any] | None, type_: str) -> bool:
    """Whether an object or its status has this condition, and it is true."""
    status = (holder or {}).get("status")
    conditions = (status if isinstance(status, Mapping) else holder or {}).get("conditions") or ()
    return any(one.get("type") == type_ and one.get("status") == "True" for one in conditions)


def message_of(holder: Mapping[str, Any] | None, type_: str) -> str:
    """What a condition of an object says."""
    conditions = ((holder or {}).get("status") or {}).get("conditions") or ()
    return next((str(one.get("message") or "") for one in conditions if one.get("type") == type_), "")


def _written(condition: Condition, earlier: Mapping[str, Any], now: str) -> dict[str, Any]:
    status = "Unknown" if condition.is_true is None else str(condition.is_true)
    since = earlier.get("lastTransitionTime") if earlier.get("status") == status else None
    return {
        "type": condition.type,
        "status": status,
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": since or now,
    }
