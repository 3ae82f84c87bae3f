"""What a status says of the canaries of Standard mode."""

from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.inference_service import told
from fairlead.dialects.kserve.inference_service.canaries import predictor_component, traffic_percents
from fairlead.dialects.kserve.inference_service.conditions import CANARY_READY, Condition
from fairlead.dialects.kserve.inference_service.health import Health, health_of
from fairlead.dialects.kserve.inference_service.model_status import model_status
from fairlead.plan.model import Plan
from fairlead.plan.status import ComponentStatus, PlanStatus


def canary_statuses(doc: Document, plan: Plan, observed: PlanStatus, *, now: str) -> dict[str, Any]:
    """`canaryStatuses`, which is there while there are canaries."""
    percents = traffic_percents(doc)
    earlier = {one.get("name"): one for one in told.status_of(doc).get("canaryStatuses") or ()}
    written = []
    for name, (state, health) in _canaries(doc, plan, observed).items():
        previous = earlier.get(name, {}).get("modelStatus") or {}
        is_ready = _is_ready(state, health)
        model = model_status(state, previous, is_current=is_ready, is_serving=is_ready, now=now)
        entry = {"name": name, "ready": is_ready, "trafficPercent": percents[name], "modelStatus": model}
        written.append(entry)
    return {"canaryStatuses": written} if written else {}


def canary_conditions(doc: Document, plan: Plan, observed: PlanStatus) -> list[Condition]:
    """`CanaryPredictorReady`, which is there while there are canaries."""
    found = _canaries(doc, plan, observed)
    if not found:
        return []
    missing = {name: health for name, (state, health) in found.items() if not _is_ready(state, health)}
    if not missing:
        return [Condition(type=CANARY_READY, is_true=True, reason="AllCanariesReady")]
    message = "; ".join(health.message or f"canary {name} is not ready" for name, health in missing.items())
    return [Condition(type=CANARY_READY, is_true=False, reason="CanariesNotReady", message=message)]


def _canaries(doc: Document, plan: Plan, observed: PlanStatus) -> dict[str, tuple[ComponentStatus | None, Health]]:
    states = {one.component: one for one in observed.components}
    running = {component.name for component in plan.components}
    found = {}
    for name in traffic_percents(doc):
        component = predictor_component(name)
        if component in running:
            state = states.get(component)
            found[name] = (state, health_of(f"canary {name}", state))
    return found


def _is_ready(state: ComponentStatus | None, health: Health) -> bool:
    """A canary gets requests only while a replica of its newest version answers; one that is meant to have no replica
    is as it should be."""
    return state is not None and health.answers is True and (state.ready > 0 or state.desired == 0)
