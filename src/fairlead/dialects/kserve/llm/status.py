"""A plan's status in the words of an LLMInferenceService's `status`.

`Ready` follows from `PresetsCombined`, `WorkloadsReady` and `RouterReady`, whose own parts are `MainWorkloadReady` and
`HTTPRoutesReady`. What the manifest asks for and one machine has not is told by `Unsupported`, which keeps nothing from
being ready.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.config import read_config
from fairlead.dialects.kserve.inference_service.conditions import Condition, write
from fairlead.dialects.kserve.inference_service.health import health_of
from fairlead.dialects.kserve.inference_service.rollout import is_stopped
from fairlead.dialects.kserve.llm.addresses import addresses_of, model_name
from fairlead.dialects.kserve.llm.lower import workload_name
from fairlead.dialects.kserve.llm.presets import ConfigNotFound, NotCombined, combined
from fairlead.errors import FairleadError
from fairlead.plan.model import Plan
from fairlead.plan.status import ComponentStatus, PlanStatus

READY, PRESETS, WORKLOADS, ROUTER = "Ready", "PresetsCombined", "WorkloadsReady", "RouterReady"
MAIN, ROUTES = "MainWorkloadReady", "HTTPRoutesReady"
UNSUPPORTED, STOPPED = "Unsupported", "Stopped"
TERMINAL = (PRESETS, WORKLOADS, ROUTER)


def status_of(
    doc: Document, plan: Plan, observed: PlanStatus, world: World, *, external_url: str, now: str
) -> dict[str, Any]:
    """The new status."""
    previous = doc.get("status") or {}
    if is_stopped(doc):
        conditions = [Condition(type=STOPPED, is_true=True), *stopped_parts()]
        return {
            "conditions": write(conditions, previous, now=now, terminal=TERMINAL),
            "observedGeneration": observed.owner.generation,
        }
    main = _main(plan, observed, was_ready=_is_true(previous, READY))
    routes = Condition(type=ROUTES, is_true=True)
    if not (observed.routed or (_is_true(previous, ROUTES) and main.is_true)):
        message = "waiting for the gateway to route to it"
        routes = Condition(type=ROUTES, is_true=None, reason="NotRouted", message=message)
    conditions = [
        Condition(type=PRESETS, is_true=True),
        main,
        replace(main, type=WORKLOADS),
        routes,
        replace(routes, type=ROUTER),
        *_unsupported(plan),
    ]
    told = _addresses(doc, world, external_url) if observed.routed or previous.get("url") else {}
    name = plan.owner.name
    return {
        **told,
        **applied_refs(doc, world),
        "workloads": {
            "primary": {"apiGroup": "apps", "kind": "Deployment", "name": workload_name(name)},
            "service": {"kind": "Service", "name": f"{workload_name(name)}-workload-svc"},
        },
        "conditions": write([*conditions, ready_of(conditions)], previous, now=now, terminal=TERMINAL),
        "observedGeneration": observed.owner.generation,
    }


def failed_status(doc: Document, error: FairleadError, *, now: str) -> dict[str, Any]:
    """The status of a service that cannot be lowered. What an earlier generation left running stays told."""
    previous = doc.get("status") or {}
    message = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
    is_preset = isinstance(error, ConfigNotFound | NotCombined)
    broken = Condition(type=PRESETS if is_preset else MAIN, is_true=False, reason=error.reason, message=message)
    found = [broken, replace(broken, type=READY)]
    if not is_preset:
        found += [Condition(type=PRESETS, is_true=True), replace(broken, type=WORKLOADS)]
    written = write(found, previous, now=now, terminal=TERMINAL)
    replaced = {one["type"] for one in written}
    kept = [one for one in previous.get("conditions") or () if one.get("type") not in replaced]
    return {
        **previous,
        "conditions": sorted([*kept, *written], key=lambda one: str(one.get("type"))),
        "observedGeneration": (doc.get("metadata") or {}).get("generation", 0),
    }


def is_ready(status: Mapping[str, Any]) -> bool:
    """Whether a status says that the service answers."""
    return _is_true(status, READY)


def why_not(status: Mapping[str, Any]) -> str:
    """The message of `Ready`."""
    return next((one.get("message", "") for one in status.get("conditions") or () if one.get("type") == READY), "")


def _main(plan: Plan, observed: PlanStatus, *, was_ready: bool) -> Condition:
    state: ComponentStatus | None = next(iter(observed.components), None)
    name = workload_name(plan.owner.name)
    scale = plan.components[0].scale if plan.components else None
    if state is not None and state.desired == 0 and scale is not None and scale.max_replicas == 0:
        return Condition(type=MAIN, is_true=True)  # as many as its manifest wants
    may_sleep = scale is not None and scale.min_replicas == 0
    health = health_of(name, state, was_ready=was_ready, may_sleep=may_sleep)
    if health.answers and not health.has_failed:
        return Condition(type=MAIN, is_true=True)
    is_true = False if health.has_failed or health.answers is False else None
    return Condition(type=MAIN, is_true=is_true, reason=health.reason, message=health.message)


def _unsupported(plan: Plan) -> Sequence[Condition]:
    if not plan.warnings:
        return ()
    message = ". ".join(plan.warnings)
    return (Condition(type=UNSUPPORTED, is_true=True, reason="OneMachine", message=message),)


def ready_of(conditions: Sequence[Condition]) -> Condition:
    """`Ready`, in the words of the part that keeps it from being true."""
    terminal = [one for one in conditions if one.type in TERMINAL and not one.is_true]
    first = next((one for one in terminal if one.is_true is False), next(iter(terminal), None))
    return Condition(type=READY, is_true=True) if first is None else replace(first, type=READY)


def stopped_parts() -> list[Condition]:
    """The conditions of a service that was stopped."""
    types = (MAIN, WORKLOADS, ROUTES, ROUTER, READY)
    return [Condition(type=type_, is_true=False, reason=STOPPED, message="Service is stopped") for type_ in types]


def _addresses(doc: Document, world: World, external_url: str) -> dict[str, Any]:
    addresses = addresses_of(doc, model_name(doc, world), read_config(world), world).told(external_url)
    return {"url": addresses[0]["url"], "addresses": addresses}


def applied_refs(doc: Document, world: World) -> dict[str, Any]:
    """The configurations that a service is made of."""
    try:
        applied = combined(doc, world).applied
    except FairleadError:  # it went away since: the next look at the service says so
        return {}
    refs = [{"name": name, "namespace": namespace, "source": "UserRef"} for namespace, name in applied]
    return {"appliedConfigRefs": refs} if refs else {}


def _is_true(status: Mapping[str, Any], type_: str) -> bool:
    return any(one.get("type") == type_ and one.get("status") == "True" for one in status.get("conditions") or ())
