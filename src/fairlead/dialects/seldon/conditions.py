"""The conditions of a SeldonDeployment, with the literal types and reasons that clients know.

A condition keeps its transition time for as long as its status stays the same, so an unchanged world gives an
unchanged status.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.dialects.seldon.schema import SeldonDeployment

DEPLOYMENTS_READY = "DeploymentsReady"
READY = "Ready"

_AVAILABLE, _UNAVAILABLE = "MinimumReplicasAvailable", "MinimumReplicasUnavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition; `is_true` of `None` is Unknown. One that is `is_told_only` has no part in the aggregate."""

    type: str
    is_true: bool | None
    reason: str = ""
    message: str = ""
    is_told_only: bool = False


def conditions_of(sdep: SeldonDeployment, *, is_ready: bool, is_routed: bool, why: str, cause: str) -> list[Condition]:
    """All conditions but the aggregate. `why` says what is missing, `cause` is its CamelCase reason."""
    pods = [pod for predictor in sdep.spec.predictors for pod in predictor.component_specs]
    has_hpa = any(pod.hpa_spec and not pod.keda_spec for pod in pods)
    has_pdb = any(pod.pdb_spec for pod in pods)
    has_keda = any(pod.keda_spec for pod in pods)
    services = "All services created" if is_routed else "Not all services created"
    return [
        Condition(type="AmbassadorMappingsReady", is_true=True, reason="No Ambassador Mappaings defined"),
        Condition(
            type=DEPLOYMENTS_READY,
            is_true=is_ready,
            reason=_AVAILABLE if is_ready else cause or _UNAVAILABLE,
            message="" if is_ready else why,
        ),
        Condition(type="HpasReady", is_true=True, reason="All HPAs resources ready" if has_hpa else "No HPAs defined"),
        Condition(
            type="KedaReady",
            is_true=True,
            reason="All KEDA resources ready" if has_keda else "No KEDA resources defined",
        ),
        Condition(type="PdbsReady", is_true=True, reason="All PDBs resources ready" if has_pdb else "No PDBs defined"),
        Condition(type="ServicesReady", is_true=is_routed, reason=services),
        Condition(type="istioVirtualServicesReady", is_true=True, reason="No VirtualServices defined"),
    ]


def aggregate(conditions: Iterable[Condition]) -> Condition:
    """`Ready`: true only when all are; else with the words of the first that is not."""
    counted = (condition for condition in conditions if not condition.is_told_only)
    missing = next((condition for condition in counted if not condition.is_true), None)
    if missing is None:
        return Condition(type=READY, is_true=True)
    return Condition(type=READY, is_true=missing.is_true, reason=missing.reason, message=missing.message)


def write(conditions: Iterable[Condition], previous: Mapping[str, Any], *, now: str) -> list[dict[str, Any]]:
    """The conditions as a status holds them, sorted by type."""
    earlier = previous.get("conditions")
    known = (
        {item.get("type"): item for item in earlier if isinstance(item, Mapping)} if isinstance(earlier, list) else {}
    )
    return [_write(condition, known.get(condition.type, {}), now) for condition in sorted(conditions, key=_type)]


def _type(condition: Condition) -> str:
    return condition.type


def _write(condition: Condition, earlier: Mapping[str, Any], now: str) -> dict[str, Any]:
    status = "Unknown" if condition.is_true is None else str(condition.is_true)
    since = earlier.get("lastTransitionTime") if earlier.get("status") == status else None
    written = {"type": condition.type, "status": status, "lastTransitionTime": since or now}
    if condition.reason:
        written["reason"] = condition.reason
    if condition.message:
        written["message"] = condition.message
    if condition.is_told_only:
        written["severity"] = "Info"
    return written
