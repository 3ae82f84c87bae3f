"""Whether the objects around a deployment's pods are there and do their work, as conditions with Seldon's literal
reasons (one of them misspelt: clients match on it)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.clusters import ClusterSettings, Observed
from fairlead.dialects.seldon.conditions import Condition
from fairlead.plan.layout import EventScaler, Exposure, HorizontalScaler, Layout, Routing


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A condition, and in a few words what is missing; empty when nothing is."""

    condition: Condition
    why: str = ""


def services(layout: Layout, observed: Observed) -> Found:
    """The Services."""
    missing = [one.name for one in layout.services if observed.get("Service", one.name) is None]
    reason = "Not all services created" if missing else "All services created"
    return _found("ServicesReady", reason, _absent("Service", missing))


def autoscalers(layout: Layout, observed: Observed) -> Found:
    """The HPAs."""
    names = [one.name for one in layout.workloads if isinstance(one.scaler, HorizontalScaler)]
    missing = [name for name in names if observed.get("HorizontalPodAutoscaler", name) is None]
    reason = "HPAs not ready" if missing else "All HPAs resources ready" if names else "No HPAs defined"
    return _found("HpasReady", reason, _absent("HorizontalPodAutoscaler", missing))


def budgets(layout: Layout, observed: Observed) -> Found:
    """The PDBs."""
    names = [one.name for one in layout.workloads if one.budget is not None]
    missing = [name for name in names if observed.get("PodDisruptionBudget", name) is None]
    reason = "PDBs not ready" if missing else "All PDBs resources ready" if names else "No PDBs defined"
    return _found("PdbsReady", reason, _absent("PodDisruptionBudget", missing))


def events_scalers(layout: Layout, observed: Observed) -> Found:
    """KEDA's ScaledObjects; one that says that it is not ready is not."""
    names = [one.name for one in layout.workloads if isinstance(one.scaler, EventScaler)]
    missing = [name for name in names if observed.get("ScaledObject", name) is None]
    why = _absent("ScaledObject", missing)
    for name in names:
        refused = _condition(observed.get("ScaledObject", name), "Ready", "False")
        if refused is not None:
            why = why or f"ScaledObject {name}: {refused.get('message') or refused.get('reason') or 'not ready'}"
    reason = "KEDA resources not ready" if why else "All KEDA resources ready" if names else "No KEDA resources defined"
    return _found("KedaReady", reason, why)


def routes(layout: Layout, observed: Observed, settings: ClusterSettings) -> list[Condition]:
    """The ways in. Each router's condition is always there, as upstream. That of routes which upstream never wrote is
    there where they are written, and only told: a cluster may have nothing that takes them, and the deployment's
    Services answer all the same."""
    routing = layout.routing or settings.routing
    istio = layout.exposures if routing is Routing.ISTIO else ()
    ambassador = layout.exposures if routing is Routing.AMBASSADOR else ()
    found = [
        _routed(
            "istioVirtualServicesReady", "VirtualServices", "VirtualServices", istio, ("VirtualService",), observed
        ),
        _routed(
            "AmbassadorMappingsReady",
            "Ambassador Mappaings",
            "Ambassador Mappings",
            ambassador,
            ("Mapping", *_v1(settings)),
            observed,
        ),
    ]
    if routing in (Routing.GATEWAY_API, Routing.INGRESS) and layout.exposures:
        kinds = ("HTTPRoute", "GRPCRoute") if routing is Routing.GATEWAY_API else ("Ingress",)
        told = _routed("RoutesReady", "routes", "routes", layout.exposures, kinds, observed)
        found.append(replace(told, is_told_only=True))
    return found


def _v1(settings: ClusterSettings) -> tuple[str, ...]:
    """Ambassador v1 reads annotations of Services, which are there when those are."""
    return ("Service",) if settings.value("ambassador.version", "v2") == "v1" else ()


def _routed(
    kind: str, none: str, some: str, exposures: Sequence[Exposure], kinds: Sequence[str], observed: Observed
) -> Condition:
    if not exposures:
        return Condition(type=kind, is_true=True, reason=f"No {none} defined")
    missing = [one.name for one in exposures if not _is_written(one, kinds, observed)]
    if missing:
        message = f"waiting for {', '.join(missing)}"
        return Condition(type=kind, is_true=False, reason=f"Not all {some} created", message=message)
    refused = _refusal(kinds, observed)
    if refused:
        return Condition(type=kind, is_true=False, reason=f"Not all {some} created", message=refused)
    return Condition(type=kind, is_true=True, reason=f"All {some} created")


def _is_written(exposure: Exposure, kinds: Sequence[str], observed: Observed) -> bool:
    """Whether the router's objects of an exposure are there; where it has one for each backing, they have the names of
    its family."""
    starts = (exposure.name, exposure.family) if exposure.family else (exposure.name,)
    return any(kind in kinds and name.startswith(starts) for kind, name in observed.objects)


def _refusal(kinds: Sequence[str], observed: Observed) -> str:
    """What a gateway says against a route."""
    for (kind, name), found in observed.objects.items():
        if kind not in kinds:
            continue
        parents = (found.get("status") or {}).get("parents") or []
        for parent in parents:
            refused = _condition({"status": parent}, "Accepted", "False")
            if refused is not None:
                return f"{kind} {name}: {refused.get('message') or refused.get('reason') or 'not accepted'}"
    return ""


def _condition(found: Document | None, kind: str, status: str) -> Mapping[str, Any] | None:
    listed = ((found or {}).get("status") or {}).get("conditions") or []
    return next((item for item in listed if item.get("type") == kind and item.get("status") == status), None)


def _absent(kind: str, names: Sequence[str]) -> str:
    return f"{kind} {', '.join(names)}: not created yet" if names else ""


def _found(kind: str, reason: str, why: str) -> Found:
    return Found(condition=Condition(type=kind, is_true=not why, reason=reason, message=why), why=why)
