"""The gateway's table from plans and the replicas that serve them now. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fairlead.backends.local.bentos.routes import routes_between
from fairlead.plan.model import Component, Plan
from fairlead.plan.routing import REPLICA_LIMIT, Endpoint, HostCertificate, Pool, Service
from fairlead.plan.scaling import KnativeScaling
from fairlead.plan.status import ComponentStatus, Phase, PlanStatus

MODEL_NAME = "model_name"
"""The parameter by which a manifest names a unit's model."""

_MOST_WAITING = 10_000
"""Requests that wait for a component whose load decides how many replicas it has; Knative's activator holds as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Who serves a component: replicas with their sockets, and what they call their models."""

    endpoints: tuple[Endpoint, ...] = ()
    models: frozenset[str] = frozenset()


def service_of(
    plan: Plan,
    status: PlanStatus,
    serving: Mapping[str, Serving],
    certificates: tuple[HostCertificate, ...] = (),
) -> Service:
    """One plan's part of the table. `serving` is by component name."""
    states = {state.component: state for state in status.components}
    return Service(
        kind=plan.owner.kind,
        namespace=plan.owner.namespace,
        name=plan.owner.name,
        routes=(*plan.routes, *routes_between(plan)),
        pools=tuple(
            (component.name, _pool(component, states[component.name], serving.get(component.name, Serving())))
            for component in plan.components
        ),
        state=_state(status),
        docs_path=plan.docs_path,
        models=tuple(sorted({plan.owner.name, *_model_names(plan)}.union(*(one.models for one in serving.values())))),
        certificates=certificates,
        access=plan.access,
    )


def _model_names(plan: Plan) -> Iterator[str]:
    """What a message may call the models of a plan: the names of units, and those that manifests give to models."""
    for component in plan.components:
        for unit in component.revision.units:
            yield unit.name
            yield from (str(parameter.value) for parameter in unit.parameters if parameter.name == MODEL_NAME)


def _pool(component: Component, state: ComponentStatus, serving: Serving) -> Pool:
    limits = component.revision.limits
    waits_here = _waits_here(component, len(serving.endpoints))
    return Pool(
        endpoints=serving.endpoints,
        wait_s=component.patience_s,
        refusal="" if serving.endpoints else _refusal(component, state),
        protocol=component.revision.protocol.value,
        queue_limit=_MOST_WAITING if component.scale.auto is not None else limits.waiting,
        replica_queue_limit=0 if waits_here or not limits.concurrency else limits.waiting,
        replica_limit=limits.concurrency or REPLICA_LIMIT,
        counts_streams=bool(limits.concurrency) and component.scale.auto is not None,
    )


def _waits_here(component: Component, ready: int) -> bool:
    """Whether all that may wait, rather than so many for each replica. Knative's activator buffers for a component
    until its replicas have room for a burst; from then on each has its own queue."""
    scaling = component.scale.auto
    if not isinstance(scaling, KnativeScaling):
        return scaling is None
    room = ready * component.revision.limits.concurrency
    return not ready or scaling.burst_capacity < 0 or room < scaling.burst_capacity


def _refusal(component: Component, state: ComponentStatus) -> str:
    """Why waiting is pointless; empty when a replica is on its way."""
    if state.desired == 0 and component.scale.auto is None:
        return f"{component.name} is scaled to zero replicas"
    if state.phase is not Phase.FAILED or state.cause is None:
        return ""
    unit = f"{state.cause.unit}: " if state.cause.unit else ""
    return f"{component.name} has no replica: {unit}{state.cause.message}"


def _state(status: PlanStatus) -> str:
    """One word for the listing: the worst phase of the components."""
    order = (Phase.FAILED, Phase.DOWNLOADING, Phase.PENDING, Phase.STARTING)
    phases = {state.phase for state in status.components}
    return next((phase.value for phase in order if phase in phases), Phase.READY.value)
