"""A plan's status in the words of an InferenceGraph's `status`.

In Knative's mode a graph has the conditions of a Knative Service, in Standard mode `Ready` alone; `Stopped` says
whether nothing is to run. Unlike upstream, a graph is not Ready while a service that it asks is not, and says which.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.graph.addresses import url_of
from fairlead.dialects.kserve.graph.crd import SERVICE
from fairlead.dialects.kserve.graph.lower import is_stopped
from fairlead.dialects.kserve.graph.schema import InferenceGraph
from fairlead.dialects.kserve.graph.targets import is_ready
from fairlead.dialects.kserve.inference_service.routes import Addressed
from fairlead.plan.status import ComponentStatus, Phase, PlanStatus, Progress

READY, STOPPED = "Ready", "Stopped"
CONFIGURATIONS, ROUTES = "ConfigurationsReady", "RoutesReady"
_PROGRESS_STEP = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition; `is_true` of `None` is Unknown."""

    type: str
    is_true: bool | None
    reason: str = ""
    message: str = ""


def status_of(
    graph: InferenceGraph, doc: Document, observed: PlanStatus, world: World, place: Addressed, *, url: str, now: str
) -> dict[str, Any]:
    """The new status."""
    found = [*_conditions(graph, observed, world, is_knative=place.is_knative)]
    status: dict[str, Any] = {
        "conditions": written(found, doc, now=now),
        "deploymentMode": "Knative" if place.is_knative else "Standard",
        "observedGeneration": observed.owner.generation,
    }
    if not is_stopped(graph) and (observed.routed or (doc.get("status") or {}).get("url")):
        status["url"] = url_of(place, url)
    return status


def failed_status(doc: Document, reason: str, message: str, *, now: str) -> dict[str, Any]:
    """The status of a graph that cannot be lowered. What an earlier generation left running stays told."""
    previous = doc.get("status") or {}
    failed = Condition(type=READY, is_true=False, reason=reason, message=message)
    others = [one for one in previous.get("conditions") or () if one.get("type") != READY]
    conditions = sorted([*others, *written([failed], doc, now=now)], key=lambda one: str(one.get("type")))
    generation = (doc.get("metadata") or {}).get("generation", 0)
    return {**previous, "conditions": conditions, "observedGeneration": generation}


def written(conditions: Sequence[Condition], doc: Document, *, now: str) -> list[dict[str, Any]]:
    """Conditions as a status holds them, by type; one whose status is unchanged keeps its time."""
    earlier = {one.get("type"): one for one in (doc.get("status") or {}).get("conditions") or ()}
    return [
        _written(condition, earlier.get(condition.type, {}), now)
        for condition in sorted(conditions, key=lambda one: one.type)
    ]


def is_true(status: Mapping[str, Any], type_: str) -> bool:
    """Whether a status has this condition, and it is true."""
    return any(one.get("type") == type_ and one.get("status") == "True" for one in status.get("conditions") or ())


def why_not(status: Mapping[str, Any]) -> str:
    """The message of `Ready`."""
    return next((one.get("message", "") for one in status.get("conditions") or () if one.get("type") == READY), "")


def _conditions(graph: InferenceGraph, observed: PlanStatus, world: World, *, is_knative: bool) -> Iterator[Condition]:
    if is_stopped(graph):
        yield Condition(type=STOPPED, is_true=True)
        yield Condition(type=READY, is_true=False, reason=STOPPED)
        return
    component = next(iter(observed.components), None)
    ours = _of_component(component)
    routed = Condition(type=ROUTES, is_true=observed.routed or None)
    if not observed.routed:
        message = "waiting for the gateway to route to it"
        routed = Condition(type=ROUTES, is_true=None, reason="IngressNotConfigured", message=message)
    theirs = of_services(graph, world)
    yield Condition(type=STOPPED, is_true=False)
    if is_knative:
        yield ours
        yield routed
    first = next((one for one in (ours, theirs, routed) if one is not None and not one.is_true), None)
    if first is None:
        yield Condition(type=READY, is_true=True)
    else:
        yield Condition(type=READY, is_true=first.is_true, reason=first.reason, message=first.message)


def _of_component(component: ComponentStatus | None) -> Condition:
    """Whether the graph's own process is as it should be; at zero it is."""
    if component is None:
        return Condition(type=CONFIGURATIONS, is_true=None, reason="Deploying", message="not started yet")
    if component.phase is Phase.FAILED or component.cause is not None:
        cause = component.cause
        reason, message = (cause.reason, cause.message) if cause is not None else ("Failed", "it failed")
        return Condition(type=CONFIGURATIONS, is_true=False, reason=reason, message=message)
    if component.desired == 0 or (component.phase is Phase.READY and component.ready >= component.desired):
        return Condition(type=CONFIGURATIONS, is_true=True)
    return Condition(type=CONFIGURATIONS, is_true=None, reason="Deploying", message=_doing(component))


def of_services(graph: InferenceGraph, world: World) -> Condition | None:
    """The first service that a graph asks and cannot rely on."""
    namespace = graph.metadata.namespace
    steps = (step for node in graph.spec.nodes.values() for step in node.steps)
    for name in dict.fromkeys(step.service_name for step in steps if step.service_name):
        if world.get(SERVICE, namespace, name) is None:
            message = f"Failed to find graph service {name}"
            return Condition(type=READY, is_true=False, reason="ServiceNotFound", message=message)
        if not is_ready(name, namespace, world):
            message = f"service {name} is not ready"
            return Condition(type=READY, is_true=False, reason="ServiceNotReady", message=message)
    return None


def _doing(component: ComponentStatus) -> str:
    progress = component.progress
    if progress is not None:
        return f"{progress.verb} {_progress(progress)}"
    return f"{component.phase.value.lower()} ({component.ready} of {component.desired} replicas ready)"


def _progress(progress: Progress) -> str:
    if progress.total_bytes <= 0:
        return progress.what
    percent = 100 * progress.done_bytes // progress.total_bytes
    return f"{progress.what} ({percent - percent % _PROGRESS_STEP} %)"


def _written(condition: Condition, earlier: Mapping[str, Any], now: str) -> dict[str, Any]:
    status = "Unknown" if condition.is_true is None else str(condition.is_true)
    since = earlier.get("lastTransitionTime") if earlier.get("status") == status else None
    said = {"type": condition.type, "status": status, "lastTransitionTime": since or now}
    said |= {key: text for key, text in (("reason", condition.reason), ("message", condition.message)) if text}
    return said if condition.type in (READY, CONFIGURATIONS, ROUTES) else {**said, "severity": "Info"}
