"""Which services a graph can hold in its own process, and as what.

A service is held as a copy of its one unit. What it does besides predicting (scaling, shares of requests, logs,
batches) is its own processes' business, so a service that does any of it is asked where it is.
"""

from dataclasses import replace

from fairlead.dialects.base import World
from fairlead.dialects.kserve.graph.crd import SERVICE
from fairlead.dialects.kserve.inference_service import hosts
from fairlead.plan.model import Call, Component, Method, Plan, Protocol, Unit, UnitName

_ROLE = "predictor"
_SPOKEN = (Protocol.V1, Protocol.V2)


class NotFusable(Exception):
    """Why a service is asked where it is."""


def copied(name: str, url: str, namespace: str, world: World) -> Unit:
    """The unit of an InferenceService, to be asked by the path of its URL. Raises `NotFusable`."""
    plan = world.plan(SERVICE, namespace, name)
    if plan is None:
        raise NotFusable(f"service {name} is not planned yet")
    component = _lone(plan, name, namespace)
    revision = component.revision
    if component.role != _ROLE:
        raise NotFusable(f"service {name} has a {component.role}")
    if len(revision.units) != 1 or component.hosted or revision.units[0].holds_models:
        raise NotFusable(f"service {name} is more than one model")
    unit = revision.units[0]
    is_plain = revision.graph.root == Call(unit=unit.name, method=Method.PREDICT)
    if unit.is_external or not is_plain or revision.protocol not in _SPOKEN:
        raise NotFusable(f"service {name} does not run in a worker of ours")
    if unit.upstream is not None:
        raise NotFusable(f"service {name} asks another service by itself")
    for does, what in ((revision.loggers, "logs payloads"), (revision.batching, "gathers batches")):
        if does:
            raise NotFusable(f"service {name} {what}")
    if revision.limits.concurrency:
        raise NotFusable(f"service {name} limits its requests")
    return replace(unit, name=UnitName(name), url=url)


def _lone(plan: Plan, name: str, namespace: str) -> Component:
    """The one component that gets all requests."""
    host = hosts.inside(name, namespace)[0]
    shares = [
        target
        for route in plan.routes
        if route.host == host and not route.path_pattern
        for target in route.targets
        if target.weight
    ]
    names = {target.component for target in shares}
    if len(names) != 1:
        raise NotFusable(f"service {name} shares its requests between {len(names)} versions")
    return next(component for component in plan.components if component.name in names)
