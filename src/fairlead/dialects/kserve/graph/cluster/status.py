"""The status of a graph, of what the cluster has of it and of the services that it asks. Unlike upstream, a graph is
not Ready while one of those is not, and says which."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.clusters import Observed
from fairlead.dialects.kserve.deployments import deployment_condition
from fairlead.dialects.kserve.graph.addresses import addressed
from fairlead.dialects.kserve.graph.lower import is_stopped
from fairlead.dialects.kserve.graph.schema import InferenceGraph
from fairlead.dialects.kserve.graph.status import (
    CONFIGURATIONS,
    READY,
    ROUTES,
    STOPPED,
    Condition,
    of_services,
    written,
)
from fairlead.dialects.kserve.inference_service.cluster.knative_view import KnativeView, view_of
from fairlead.dialects.kserve.inference_service.conditions import Condition as Told
from fairlead.dialects.kserve.inference_service.routes import Addressed
from fairlead.dialects.kserve.inference_service.traffic import ALL, Share
from fairlead.dialects.kserve.site import Site


def cluster_status(graph: InferenceGraph, doc: Document, observed: Observed, site: Site, *, now: str) -> dict[str, Any]:
    """The new status."""
    place = addressed(doc, site.config)
    status: dict[str, Any] = {
        "deploymentMode": "Knative" if place.is_knative else "Standard",
        "observedGeneration": graph.metadata.generation,
    }
    if is_stopped(graph):
        found = [Condition(type=STOPPED, is_true=True), Condition(type=READY, is_true=False, reason=STOPPED)]
        return {**status, "conditions": written(found, doc, now=now)}
    view = _view(graph, place, observed, site) if place.is_knative else None
    own = list(_of_knative(view)) if view is not None else [_of_deployment(graph, observed)]
    theirs = of_services(graph, site.world)
    first = next((one for one in (*own, theirs) if one is not None and not one.is_true), None)
    ready = Condition(type=READY, is_true=True) if first is None else replace(first, type=READY)
    told = [*(one for one in own if one.type != READY), Condition(type=STOPPED, is_true=False), ready]
    url = view.url if view is not None else _standard_url(place, site)
    is_up = url and (own[-1].is_true or (doc.get("status") or {}).get("url"))
    return {**status, **({"url": url} if is_up else {}), "conditions": written(told, doc, now=now)}


def _of_deployment(graph: InferenceGraph, observed: Observed) -> Condition:
    return _copied(deployment_condition(observed.get("Deployment", graph.metadata.name), READY))


def _of_knative(view: KnativeView) -> Iterator[Condition]:
    for type_ in (CONFIGURATIONS, ROUTES, READY):
        yield _copied(view.condition(type_, type_))


def _copied(told: Told) -> Condition:
    return Condition(type=told.type, is_true=told.is_true, reason=told.reason, message=told.message)


def _view(graph: InferenceGraph, place: Addressed, observed: Observed, site: Site) -> KnativeView:
    name = graph.metadata.name
    inside = f"http://{name}.{place.namespace}.svc.{site.settings.cluster_domain}"
    outside = inside if place.is_internal else f"{place.ingress.scheme}://{place.outside(name)}"
    whole = Share(revision="", percent=ALL, is_latest=True)
    return view_of(name, observed, asked=(whole,), url=outside, address=inside)


def _standard_url(place: Addressed, site: Site) -> str:
    """A host by `domainTemplate`, as upstream tells it, whoever makes it lead to the graph."""
    if place.is_internal or not place.has_outside:
        return f"http://{place.name}.{place.namespace}.svc.{site.settings.cluster_domain}"
    return f"http://{place.outside(place.name)}"
