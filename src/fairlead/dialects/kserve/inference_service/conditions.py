"""The conditions of an InferenceService, with the types, reasons and severities that its clients know.

`Ready` follows from the terminal ones, `PredictorReady` and `IngressReady`; the others inform. A condition keeps its
transition time for as long as its status stays the same, so an unchanged world gives an unchanged status.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fairlead.dialects.kserve.inference_service.template import EXPLAINER, PREDICTOR, TRANSFORMER

READY, PREDICTOR_READY, INGRESS_READY = "Ready", "PredictorReady", "IngressReady"
ROUTES_READY, LATEST_READY = "RoutesReady", "LatestDeploymentReady"
CANARY_READY, STOPPED = "CanaryPredictorReady", "Stopped"
TERMINAL = (PREDICTOR_READY, INGRESS_READY)

_WORDS = {PREDICTOR: "Predictor", TRANSFORMER: "Transformer", EXPLAINER: "Explainer"}
# KServe says "Routes" for the explainer and "Route" for the others.
_ROUTE = {PREDICTOR: "PredictorRouteReady", TRANSFORMER: "TransformerRouteReady", EXPLAINER: "ExplainerRoutesReady"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition; `is_true` of `None` is Unknown."""

    type: str
    is_true: bool | None
    reason: str = ""
    message: str = ""


def word(role: str) -> str:
    """What conditions call a component."""
    return _WORDS[role]


def ready_type(role: str) -> str:
    """The condition that says whether a component answers."""
    return f"{_WORDS[role]}Ready"


def route_type(role: str) -> str:
    """The condition that says whether requests find it."""
    return _ROUTE[role]


def configuration_type(role: str) -> str:
    """The condition that says whether the newest revision came up."""
    return f"{_WORDS[role]}ConfigurationReady"


def all_of(type_: str, parts: Sequence[Condition]) -> Condition:
    """A condition that is true when all parts are; else it names the first that is not."""
    missing = _first_missing(parts)
    if missing is None:
        return Condition(type=type_, is_true=True)
    return replace(missing, type=type_, reason=f"{missing.type} not ready")


def aggregate(conditions: Iterable[Condition]) -> Condition:
    """`Ready`, in the words of the terminal condition that keeps it from being true."""
    missing = _first_missing([one for one in conditions if one.type in TERMINAL])
    return Condition(type=READY, is_true=True) if missing is None else replace(missing, type=READY)


def write(
    conditions: Iterable[Condition], previous: Mapping[str, Any], *, now: str, terminal: Sequence[str] = TERMINAL
) -> list[dict[str, Any]]:
    """The conditions as a status holds them, sorted by type. Those that `Ready` does not follow from only inform."""
    earlier = previous.get("conditions")
    known = {one.get("type"): one for one in earlier if isinstance(one, Mapping)} if isinstance(earlier, list) else {}
    ordered = sorted(conditions, key=lambda one: one.type)
    loud = (READY, *terminal)
    return [_write(one, known.get(one.type, {}), now, is_info=one.type not in loud) for one in ordered]


def _first_missing(conditions: Sequence[Condition]) -> Condition | None:
    """What is false comes before what is not known."""
    false = next((one for one in conditions if one.is_true is False), None)
    return false or next((one for one in conditions if one.is_true is None), None)


def _write(condition: Condition, earlier: Mapping[str, Any], now: str, *, is_info: bool) -> dict[str, Any]:
    status = "Unknown" if condition.is_true is None else str(condition.is_true)
    since = earlier.get("lastTransitionTime") if earlier.get("status") == status else None
    written = {"type": condition.type, "status": status, "lastTransitionTime": since or now}
    if is_info:
        written["severity"] = "Info"
    if condition.reason:
        written["reason"] = condition.reason
    if condition.message:
        written["message"] = condition.message
    return written
