"""The status of a BentoDeployment on one machine. Unlike Yatai's, `Available` means that its replicas answer, and every
condition says why it is what it is."""

from collections.abc import Iterable, Mapping
from typing import Any

from fairlead.dialects.base import Document, World
from fairlead.dialects.bento.conditions import Condition, is_true, written
from fairlead.dialects.bento.deployment.bentos import Found, find
from fairlead.dialects.bento.deployment.labels import CREATOR, DEPLOYMENT, bento_labels
from fairlead.dialects.bento.deployment.lower import AVAILABLE
from fairlead.dialects.bento.deployment.schema import BentoDeployment
from fairlead.plan.model import Plan
from fairlead.plan.status import ComponentStatus, Phase, PlanStatus, Progress

READY = "Ready"
# Progress is told in tenths, so that a long download does not write a new status for every megabyte.
_STEP = 10


def status_of(
    deployment: BentoDeployment, doc: Document, plan: Plan, observed: PlanStatus, world: World, *, url: str, now: str
) -> dict[str, Any]:
    """The new status."""
    found = find(deployment.spec.bento, deployment.metadata.namespace, world)
    state = _state(observed)
    told = states(state)
    if _is_of_another_bento(plan, found):
        message = f"what is served is not of BentoRequest {deployment.spec.bento}'s bento yet"
        newer = Condition(type=AVAILABLE, is_true=False, reason="BentoNotReady", message=message)
        told = states(newer, was=state.is_true is True)
    conditions = [*told, *found.conditions(deployment.spec.bento)]
    status: dict[str, Any] = {
        "conditions": written(conditions, doc.get("status") or {}, now=now),
        "podSelector": selector_of(deployment),
        **_counts(observed),
        "observedGeneration": observed.owner.generation,
    }
    return {**status, "url": url} if url and (state.is_true or (doc.get("status") or {}).get("url")) else status


def failed_status(
    doc: Document, name: str, namespace: str, world: World, *, reason: str, message: str, now: str
) -> dict[str, Any]:
    """The status of a deployment that cannot be lowered. What an earlier generation left running stays told."""
    previous = doc.get("status") or {}
    state = Condition(type=AVAILABLE, is_true=False, reason=reason, message=message)
    conditions = [*states(state, was=is_true(previous, AVAILABLE)), *find(name, namespace, world).conditions(name)]
    generation = (doc.get("metadata") or {}).get("generation", 0)
    return {**previous, "conditions": written(conditions, previous, now=now), "observedGeneration": generation}


def states(state: Condition, *, was: bool = False) -> list[Condition]:
    """`Available` and `Ready`. A deployment whose new manifest cannot be had is not ready, and what ran of it answers
    on."""
    ready = Condition(type=READY, is_true=state.is_true, reason=state.reason, message=state.message)
    if was and not state.is_true:
        message = f"what ran before runs on: {state.message}"
        return [Condition(type=AVAILABLE, is_true=True, reason="EarlierRevision", message=message), ready]
    return [Condition(type=AVAILABLE, is_true=state.is_true, reason=state.reason, message=state.message), ready]


def message_in(status: Mapping[str, Any]) -> str:
    """What `Available` says."""
    return next((str(one.get("message")) for one in status.get("conditions") or () if one.get("type") == AVAILABLE), "")


def selector_of(deployment: BentoDeployment) -> dict[str, str]:
    """The labels that all its pods have."""
    return {CREATOR: "yatai-deployment", DEPLOYMENT: deployment.metadata.name}


def _is_of_another_bento(plan: Plan, found: Found) -> bool:
    """Whether the plan was made before its bento changed; the next one is on its way."""
    if found.bento is None or not plan.components:
        return False
    served = dict(plan.components[0].labels).items()
    return found.is_behind or not bento_labels(found.bento.spec.tag).items() <= served


def _state(observed: PlanStatus) -> Condition:
    """What the first component that is not as it should be says for all."""
    missing = next((one for one in observed.components if not _is_there(one)), None)
    if missing is None and not observed.components:
        return Condition(type=AVAILABLE, is_true=None, reason="Deploying", message="not started yet")
    if missing is None and not observed.routed:
        message = "waiting for the gateway to route to it"
        return Condition(type=AVAILABLE, is_true=None, reason="RouteNotReady", message=message)
    if missing is None:
        return _available(observed.components)
    if missing.cause is not None or missing.phase is Phase.FAILED:
        reason = missing.cause.reason if missing.cause is not None else "Failed"
        message = missing.cause.message if missing.cause is not None else "it failed"
        return Condition(type=AVAILABLE, is_true=False, reason=reason, message=f"{missing.component}: {message}")
    return Condition(
        type=AVAILABLE, is_true=False, reason="Deploying", message=f"{missing.component}: {_doing(missing)}"
    )


def _available(components: Iterable[ComponentStatus]) -> Condition:
    sleeping = [str(one.component) for one in components if one.desired == 0]
    if sleeping:
        message = f"{', '.join(sleeping)} at zero replicas; the next request starts one"
        return Condition(type=AVAILABLE, is_true=True, reason="ScaledToZero", message=message)
    return Condition(type=AVAILABLE, is_true=True, reason="PodsReady", message="every part answers")


def _is_there(component: ComponentStatus) -> bool:
    if component.phase is Phase.FAILED:
        return False
    return component.desired == 0 or (component.phase is Phase.READY and component.ready >= component.desired)


def _doing(component: ComponentStatus) -> str:
    if component.progress is not None:
        return f"{component.progress.verb} {_progress(component.progress)}"
    return f"{component.phase.value.lower()} ({component.ready} of {component.desired} replicas ready)"


def _progress(progress: Progress) -> str:
    if progress.total_bytes <= 0:
        return progress.what
    percent = 100 * progress.done_bytes // progress.total_bytes
    return f"{progress.what} ({percent - percent % _STEP} %)"


def _counts(observed: PlanStatus) -> Mapping[str, int]:
    """Of the API server, as the old versions tell them."""
    server = next(iter(observed.components), None)
    if server is None:
        return {}
    return {
        "replicas": server.desired,
        "readyReplicas": server.ready,
        "updatedReplicas": server.ready,
        "availableReplicas": server.ready,
        "unavailableReplicas": max(server.desired - server.ready, 0),
    }
