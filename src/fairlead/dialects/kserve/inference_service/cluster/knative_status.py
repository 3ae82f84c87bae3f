"""The status of an InferenceService in Knative's mode: its components' own conditions copied, the revisions and shares
that they tell, and the addresses of the whole."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from fairlead.dialects.base import Document
from fairlead.dialects.clusters import Observed
from fairlead.dialects.kserve.inference_service import told
from fairlead.dialects.kserve.inference_service.cluster.addresses import Addresses, addresses_of, has_virtual_host
from fairlead.dialects.kserve.inference_service.cluster.knative_rollout import advanced, shares
from fairlead.dialects.kserve.inference_service.cluster.knative_view import (
    CONFIGURATIONS,
    READY,
    ROUTES,
    KnativeView,
    view_of,
)
from fairlead.dialects.kserve.inference_service.cluster.knative_ways import (
    is_behind_own_gateway,
    knative_routing,
    whole_host,
)
from fairlead.dialects.kserve.inference_service.cluster.ways_status import missing_way
from fairlead.dialects.kserve.inference_service.conditions import (
    INGRESS_READY,
    LATEST_READY,
    ROUTES_READY,
    Condition,
    all_of,
    configuration_type,
    ready_type,
    route_type,
    word,
    write,
)
from fairlead.dialects.kserve.inference_service.status_conditions import aggregate_all
from fairlead.dialects.kserve.inference_service.traffic import read_rollout, write_rollout
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import Layout, Routing

Views = Mapping[str, KnativeView]
"""What there is of each component, by role."""


def views_of(doc: Document, observed: Observed, site: Site) -> Views:
    """What there is of a service."""
    addresses = addresses_of(doc, site)
    found = {}
    for role in addresses.roles:
        service = addresses.service(role)
        inside = f"http://{addresses.inside(service)}"
        outside = inside if addresses.is_internal else f"{_scheme(addresses)}://{addresses.place.outside(service)}"
        found[role] = view_of(service, observed, asked=shares(doc, role), url=outside, address=inside)
    return found


def knative_status(
    doc: Document, layout: Layout, observed: Observed, views: Views, site: Site, *, now: str
) -> dict[str, Any]:
    """The status without what it says of the model and its runtime."""
    addresses = addresses_of(doc, site)
    conditions = _conditions(views)
    conditions.append(_ingress(layout, observed, conditions, views, site))
    written = {
        **_whole(addresses, views),
        "components": {role: _component(doc, role, view) for role, view in views.items()},
        "conditions": write(aggregate_all(conditions), told.status_of(doc), now=now),
    }
    return {key: value for key, value in written.items() if value}


def _conditions(views: Views) -> list[Condition]:
    ready = [view.condition(READY, ready_type(role)) for role, view in views.items()]
    routes = [view.condition(ROUTES, route_type(role)) for role, view in views.items()]
    configurations = [view.condition(CONFIGURATIONS, configuration_type(role)) for role, view in views.items()]
    return [
        *ready,
        *routes,
        *configurations,
        all_of(ROUTES_READY, routes),
        all_of(LATEST_READY, configurations),
    ]


def _ingress(
    layout: Layout, observed: Observed, conditions: Sequence[Condition], views: Views, site: Site
) -> Condition:
    """A component that cannot serve keeps requests from the service. One whose newest revision is on its way serves."""
    by_type = {one.type: one for one in conditions}
    for role, view in views.items():
        ready = by_type[ready_type(role)]
        if ready.is_true is False or not view.ready:
            reason = f"{word(role)} ingress not created"
            return Condition(type=INGRESS_READY, is_true=False, reason=reason, message=ready.message)
    routing = knative_routing(site) or Routing.NONE
    return missing_way(layout, observed, routing) or Condition(type=INGRESS_READY, is_true=True)


def _component(doc: Document, role: str, view: KnativeView) -> dict[str, Any]:
    before = read_rollout(told.component(doc, role))
    written: dict[str, Any] = dict(write_rollout(advanced(before, view)))
    if view.url:
        written["url"] = written["restUrl"] = view.url
        written["grpcUrl"] = f"grpc://{view.url.partition('://')[2]}"
    if view.address:
        written["address"] = {"url": view.address}
    if view.traffic:
        written["traffic"] = [dict(target) for target in view.traffic]
    return written


def _whole(addresses: Addresses, views: Views) -> dict[str, Any]:
    """`url` and `address`, once the component that requests come to first has its own."""
    view = views.get(addresses.entry)
    if view is None or not view.url:
        return {}
    site = addresses.site
    if is_behind_own_gateway(site) and not addresses.is_internal:
        return _told(f"{_scheme(addresses)}://{addresses.whole_hosts()[0]}", view.address)
    if not has_virtual_host(site):
        return _told(view.url, view.address)
    path = "" if addresses.is_internal else addresses.path
    host = whole_host(urlsplit(view.url).netloc, addresses.name, addresses.entry)
    place = addresses.place.ingress.domain + path if path else host
    return _told(f"{_scheme(addresses)}://{place}", f"http://{addresses.inside(addresses.name)}")


def _told(url: str, address: str) -> dict[str, Any]:
    return {"url": url, "address": {"url": address}} if address else {"url": url}


def _scheme(addresses: Addresses) -> str:
    return addresses.place.ingress.scheme
