"""A whole layout as objects. Pure and deterministic: equal layouts and settings give equal objects in equal order."""

from collections.abc import Callable, Iterator, Mapping

from fairlead.backends.kubernetes.render import ambassador, gateway_api, ingress, istio, knative, own_gateway
from fairlead.backends.kubernetes.render.budgets import budget
from fairlead.backends.kubernetes.render.deployments import deployment
from fairlead.backends.kubernetes.render.jobs import job
from fairlead.backends.kubernetes.render.network_policy import policies
from fairlead.backends.kubernetes.render.place import Object, Place
from fairlead.backends.kubernetes.render.scalers import scaler
from fairlead.backends.kubernetes.render.services import service
from fairlead.backends.kubernetes.render.user_fields import BEHAVIOR, METRIC, POD, STRATEGY, unknown
from fairlead.backends.kubernetes.render.written import Written, joined
from fairlead.dialects.clusters import ClusterSettings
from fairlead.errors import Problem, UnrunnableManifest, Where
from fairlead.plan.layout import Exposure, HorizontalScaler, Layout, OnDemandWorkload, Routing, Task, Workload

_ROUTERS: Mapping[Routing, Callable[[Exposure, Place], Written]] = {
    Routing.GATEWAY_API: gateway_api.ways_in,
    Routing.ISTIO: istio.ways_in,
    Routing.AMBASSADOR: ambassador.ways_in,
    Routing.INGRESS: ingress.ways_in,
}


def render(layout: Layout, settings: ClusterSettings) -> list[Object]:
    """Every object of a layout, complete and in the order to apply them in."""
    written = rendered(layout, settings)
    return [*written.objects, *written.late]


def rendered(layout: Layout, settings: ClusterSettings) -> Written:
    """The same with what waits for the workloads apart, and with warnings. Raises `InvalidManifest` for what nothing in
    the cluster can run."""
    place = Place(owner=layout.owner, settings=settings)
    routing = layout.routing or settings.routing
    ways = joined(_way(exposure, routing, place) for exposure in layout.exposures)
    warnings = (*layout.warnings, *_dropped(layout))
    inside = Written(objects=tuple(_inside(layout, place, ways, routing)), warnings=warnings)
    return joined((inside, *(_on_demand(one, layout, place) for one in layout.on_demand), ways))


def _inside(layout: Layout, place: Place, ways: Written, routing: Routing) -> list[Object]:
    """What is no way in: names come before the pods that look them up, policies before the pods that they are for."""
    calls = gateway_api.ports_of_calls(layout) if routing is Routing.GATEWAY_API else {}
    none: frozenset[int] = frozenset()
    return [
        *(place.adopted(config) for config in layout.configs),
        *policies(layout, place),
        *(
            service(one, place, annotations=ways.annotations.get(one.name), http2=calls.get(one.name, none))
            for one in layout.services
        ),
        *(made for workload in layout.workloads for made in _workload(workload, place)),
        *(job(task, place) for task in layout.tasks),
    ]


def _dropped(layout: Layout) -> Iterator[str]:
    """What is told of fields in users' own parts that no cluster knows."""
    everything: list[Workload | OnDemandWorkload | Task] = [*layout.workloads, *layout.on_demand, *layout.tasks]
    for one in everything:
        yield from unknown(one.pod.spec, POD, f"{one.name}: the pod's spec")
    for workload in layout.workloads:
        yield from unknown(workload.strategy, STRATEGY, f"{workload.name}: strategy")
        if isinstance(workload.scaler, HorizontalScaler):
            yield from unknown(workload.scaler.metrics, METRIC, f"{workload.name}: metrics")
            yield from unknown(workload.scaler.behavior, BEHAVIOR, f"{workload.name}: behavior")


def _workload(workload: Workload, place: Place) -> list[Object]:
    made = (deployment(workload, place), budget(workload, place), scaler(workload, place))
    return [one for one in made if one is not None]


def _on_demand(workload: OnDemandWorkload, layout: Layout, place: Place) -> Written:
    if place.settings.has_knative:
        return knative.service(workload, place)
    if place.settings.has_own_gateway:
        return Written(objects=tuple(own_gateway.objects(workload, place, layout.exposures)))
    message = f"{workload.name} comes and goes with its requests, which needs Knative or Fairlead's own gateway"
    raise UnrunnableManifest([Problem(where=Where(), message=f"{message}: set knative.enabled or ownGateway.enabled")])


def _way(exposure: Exposure, routing: Routing, place: Place) -> Written:
    router = _ROUTERS.get(routing)
    if router is None:
        return Written()
    found = router(exposure, place)
    if not exposure.is_after_ready:
        return found
    return Written(late=found.objects, warnings=found.warnings, annotations=found.annotations)
