"""Whether requests from outside find an InferenceService: the condition `IngressReady`, of the objects that its ways in
were written as. It waits for the components, and a transformer or an explainer that is down takes it along."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.clusters import Observed
from fairlead.dialects.kserve.inference_service.conditions import INGRESS_READY, Condition, ready_type, word
from fairlead.dialects.kserve.inference_service.template import ROLES
from fairlead.plan.layout import Layout, Routing

_PARENT_UNKNOWN = "ParentStatusNotAvailable"
_OBJECTS = {
    Routing.INGRESS: "Ingress",
    Routing.ISTIO: "VirtualService",
    Routing.AMBASSADOR: "Mapping",
    Routing.GATEWAY_API: "HTTPRoute",
}


def standard_ingress_condition(
    layout: Layout, observed: Observed, conditions: Sequence[Condition], roles: Sequence[str], routing: Routing
) -> Condition:
    """The condition in Standard mode. `conditions` has that of each component."""
    is_routes = routing is Routing.GATEWAY_API
    down = _first_down(conditions, roles, is_routes=is_routes)
    if down is not None:
        return down
    return missing_way(layout, observed, routing) or Condition(type=INGRESS_READY, is_true=True)


def missing_way(layout: Layout, observed: Observed, routing: Routing) -> Condition | None:
    """What is wrong with the first way in that is not as it should be."""
    return None if routing is Routing.NONE else next(_missing(layout, observed, routing), None)


def _first_down(conditions: Sequence[Condition], roles: Sequence[str], *, is_routes: bool) -> Condition | None:
    by_type = {one.type: one for one in conditions}
    for role in roles:
        ready = by_type.get(ready_type(role))
        if ready is None or ready.is_true is not True:
            reason = f"{word(role)} Deployment NotReady" if is_routes else f"{word(role)} ingress not created"
            return Condition(type=INGRESS_READY, is_true=False, reason=reason, message=ready.message if ready else "")
    return None


def _missing(layout: Layout, observed: Observed, routing: Routing) -> Iterator[Condition]:
    """What is wrong with the ways in, the service's own first."""
    kind = _OBJECTS[routing]
    for exposure in layout.exposures:
        found = observed.get(kind, exposure.name)
        called = _word(layout, exposure.name)
        if found is None:
            thing = "ingress" if routing is Routing.INGRESS else kind
            yield Condition(type=INGRESS_READY, is_true=False, reason=f"{called} {thing} not created")
        elif routing is Routing.GATEWAY_API:
            yield from _refused(called, found)


def _refused(called: str, route: Document) -> Iterator[Condition]:
    """What the gateways of a route say against it. One that has not been looked at is not ready either."""
    parents = (route.get("status") or {}).get("parents") or ()
    accepted = [_condition(parent, "Accepted") for parent in parents]
    told = f"{called} HttpRouteNotReady"
    if not any(accepted):
        yield Condition(type=INGRESS_READY, is_true=False, reason=_PARENT_UNKNOWN, message=told)
        return
    for one in (*accepted, *(_condition(parent, "ResolvedRefs") for parent in parents)):
        if one and one.get("status") != "True":
            reason = str(one.get("reason") or "NotAccepted")
            message = f"{told}: {one.get('message') or reason}"
            yield Condition(type=INGRESS_READY, is_true=False, reason=reason, message=message)


def _condition(parent: Mapping[str, Any], type_: str) -> Mapping[str, Any]:
    return next((one for one in parent.get("conditions") or () if one.get("type") == type_), {})


def _word(layout: Layout, exposure: str) -> str:
    """What a way in leads to."""
    part = exposure.removeprefix(f"{layout.owner.name}-")
    return part.capitalize() if part in ROLES else layout.owner.kind
