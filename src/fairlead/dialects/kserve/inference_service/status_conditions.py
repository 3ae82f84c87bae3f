"""Which conditions an InferenceService has, of how far its components are.

`Ready` says whether requests are answered as they should be. While a new revision is on its way nobody knows that yet,
so it is Unknown, as in Knative; when that revision fails, the one before it goes on serving and `Ready` is true again,
while `LatestDeploymentReady` says what happened to the new one.
"""

from collections.abc import Sequence

from fairlead.dialects.kserve.inference_service.claims import Conflict, told_conflicts
from fairlead.dialects.kserve.inference_service.conditions import (
    CANARY_READY,
    INGRESS_READY,
    LATEST_READY,
    PREDICTOR_READY,
    READY,
    ROUTES_READY,
    STOPPED,
    Condition,
    aggregate,
    all_of,
    configuration_type,
    ready_type,
    route_type,
    word,
)
from fairlead.dialects.kserve.inference_service.health import TOO_LATE, Health
from fairlead.dialects.kserve.inference_service.progress import Progress
from fairlead.dialects.kserve.inference_service.template import PREDICTOR
from fairlead.dialects.kserve.inference_service.told import IS_NEW


def knative_conditions(progress: Sequence[Progress]) -> list[Condition]:
    """All but those of the ingress and `Ready`."""
    configurations = [_configuration(one) for one in progress]
    routes = [_route(one) for one in progress]
    return [
        *(_knative_ready(one) for one in progress),
        *configurations,
        *routes,
        all_of(ROUTES_READY, routes),
        all_of(LATEST_READY, configurations),
    ]


def standard_conditions(progress: Sequence[Progress]) -> list[Condition]:
    """The same in Standard mode."""
    return [_standard_ready(one) for one in progress]


def ingress_condition(
    progress: Sequence[Progress],
    conditions: Sequence[Condition],
    conflicts: Sequence[Conflict],
    *,
    is_routed: bool,
    is_in_service: bool,
) -> Condition:
    """Whether requests find the service. It waits for its components, and a transformer or an explainer that is down
    takes it along. A service that is up when one of these comes (`is_in_service`) goes on without it."""
    if conflicts:
        told = told_conflicts(conflicts)
        return Condition(type=INGRESS_READY, is_true=False, reason="HostConflict", message=told)
    by_type = {one.type: one for one in conditions}
    for one in progress:
        ready = by_type[ready_type(one.role)]
        if one.role != PREDICTOR and not one.is_up and is_in_service:
            reason = f"{word(one.role)}{IS_NEW}"
            return Condition(type=INGRESS_READY, is_true=ready.is_true, reason=reason, message=ready.message)
        is_down = one.role != PREDICTOR and ready.is_true is False
        if is_down or not one.is_up:
            reason = f"{word(one.role)} ingress not created"
            return Condition(type=INGRESS_READY, is_true=False, reason=reason, message=ready.message)
        if one.role != PREDICTOR and ready.is_true is None:
            return Condition(type=INGRESS_READY, is_true=None, reason=ready.reason, message=ready.message)
    if not is_routed:
        message = "waiting for the gateway to route to it"
        return Condition(type=INGRESS_READY, is_true=None, reason="Routing", message=message)
    return Condition(type=INGRESS_READY, is_true=True)


def aggregate_all(conditions: Sequence[Condition]) -> list[Condition]:
    """With what is said of every service: that it is not stopped, and whether it is ready."""
    return [*conditions, Condition(type=STOPPED, is_true=False), aggregate(conditions)]


def stopped_conditions(*, has_canaries: bool = False) -> list[Condition]:
    """The conditions of a service that was stopped."""
    types = [PREDICTOR_READY, INGRESS_READY, *([CANARY_READY] if has_canaries else []), READY]
    down = [Condition(type=type_, is_true=False, reason="Stopped") for type_ in types]
    return [*down, Condition(type=STOPPED, is_true=True)]


def _knative_ready(progress: Progress) -> Condition:
    type_ = ready_type(progress.role)
    if not progress.is_up:
        return _of(type_, progress.newest_health)
    down = next((health for health in progress.serving if health.answers is not True), None)
    if down is not None:
        return _of(type_, down)
    if progress.is_turning:
        message = f"requests are being moved to {progress.rollout.latest_ready}"
        return Condition(type=type_, is_true=None, reason="Routing", message=message)
    if progress.is_current or progress.newest_health.has_failed:
        return Condition(type=type_, is_true=True)
    message = f"{progress.rollout.latest_ready} serves until it is ready"
    told = "; ".join(part for part in (progress.newest_health.message, message) if part)
    return Condition(type=type_, is_true=None, reason=progress.newest_health.reason, message=told)


def _configuration(progress: Progress) -> Condition:
    type_ = configuration_type(progress.role)
    if progress.is_current:
        return Condition(type=type_, is_true=True)
    health = progress.newest_health
    if health.has_failed:
        told = health.message.removeprefix(f"revision {progress.name}: ").rstrip(".")
        message = f'Revision "{progress.name}" failed with message: {told}.'
        return Condition(type=type_, is_true=False, reason="RevisionFailed", message=message)
    return Condition(type=type_, is_true=None, reason=health.reason, message=health.message)


def _route(progress: Progress) -> Condition:
    type_ = route_type(progress.role)
    if progress.is_up:
        return Condition(type=type_, is_true=True)
    return Condition(
        type=type_,
        is_true=False if progress.newest_health.has_failed else None,
        reason="RevisionMissing",
        message=f"no revision is ready to serve: {progress.newest_health.message}",
    )


def _standard_ready(progress: Progress) -> Condition:
    type_ = ready_type(progress.role)
    health = progress.newest_health
    if health.answers and health.has_failed and health.reason == TOO_LATE:
        # What ran before serves on, and a Deployment that makes no progress is not ready all the same.
        return Condition(type=type_, is_true=False, reason=TOO_LATE, message=health.message)
    return _of(type_, health)


def _of(type_: str, health: Health) -> Condition:
    if health.answers:
        return Condition(type=type_, is_true=True)
    return Condition(type=type_, is_true=health.answers, reason=health.reason, message=health.message)
