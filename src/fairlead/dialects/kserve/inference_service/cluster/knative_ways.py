"""The ways into an InferenceService of Knative's mode.

Each component has those that Knative gives it. What KServe adds is a name for the whole: inside the cluster, outside,
and below a path. With Istio that is a VirtualService in front of Knative's own gateway. Where our gateway stands in for
Knative, nobody gives the components names outside, so routes for those are added. Everything else leaves the service
with the names of its entry component.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.graph.targets import model_name
from fairlead.dialects.kserve.inference_service import hosts, told
from fairlead.dialects.kserve.inference_service.cluster.addresses import Addresses, has_virtual_host
from fairlead.dialects.kserve.inference_service.cluster.knative_rollout import shares
from fairlead.dialects.kserve.inference_service.cluster.standard_ways import (
    EXPLAIN_PATTERN,
    caller_headers,
    copied_annotations,
    own_labels,
    routing_of,
)
from fairlead.dialects.kserve.inference_service.template import EXPLAINER
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import Backing, Exposure, Labels, Routing, Rule, Service

LOCAL_GATEWAY = "knative-serving/knative-local-gateway"
LOCAL_GATEWAY_SERVICE = "knative-local-gateway.istio-system.svc.cluster.local"
MESH = "mesh"
_PORT = 80


def is_behind_own_gateway(site: Site) -> bool:
    """Whether our gateway stands in for Knative."""
    return site.settings.has_own_gateway and not site.settings.has_knative


def knative_routing(site: Site) -> Routing | None:
    """What the ways in are written as; `None` for none."""
    if has_virtual_host(site):
        return Routing.ISTIO
    return routing_of(site) if is_behind_own_gateway(site) else None


def whole_services(addresses: Addresses) -> tuple[Service, ...]:
    """The service's own name inside the cluster, where something stands behind it."""
    if not has_virtual_host(addresses.site):
        return ()
    alias = addresses.site.config.ingress.local_gateway_service or LOCAL_GATEWAY_SERVICE
    return (Service(name=addresses.name, external_name=alias, labels=own_labels(addresses.doc)),)


def knative_ways(addresses: Addresses) -> tuple[Exposure, ...]:
    """Every way in that Knative does not bring."""
    if has_virtual_host(addresses.site):
        ways = _Istio(addresses=addresses)
        return (ways.whole(), *ways.below_path())
    if is_behind_own_gateway(addresses.site) and not addresses.is_internal:
        return tuple(_gateway_ways(addresses))
    return ()


def outside_host(addresses: Addresses) -> str:
    """The service's host name outside: that of its entry component without the component, once Knative told it."""
    entry = addresses.entry
    url = str(told.component(addresses.doc, entry).get("url") or "")
    host = urlsplit(url).hostname or addresses.place.outside(addresses.service(entry))
    return whole_host(host, addresses.name, entry)


def whole_host(component_host: str, name: str, role: str) -> str:
    """A component's host name without the component."""
    return component_host.replace(f"{name}-{role}", name, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Istio:
    addresses: Addresses

    def whole(self) -> Exposure:
        addresses, config = self.addresses, self.addresses.site.config.ingress
        outside = outside_host(addresses)
        names = (addresses.inside(addresses.name), outside, *hosts.additional(outside, addresses.place.ingress))
        gateways: tuple[str, ...] = (config.local_gateway or LOCAL_GATEWAY, MESH)
        if not addresses.is_internal:
            gateways = (*gateways, config.ingress_gateway)
        rules = [self._rule("rest", addresses.entry)]
        if EXPLAINER in addresses.roles:
            rules.insert(0, self._rule("explain", EXPLAINER, path_pattern=EXPLAIN_PATTERN))
        return self._exposure(addresses.name, names, gateways, rules)

    def below_path(self) -> Iterator[Exposure]:
        """A path of the installation's host, which is everybody's: hence an object of its own."""
        addresses, path = self.addresses, self.addresses.path
        if not path or addresses.is_internal:
            return
        rules = [self._rule("rest", addresses.entry, path_prefix=path, rewrite="/")]
        if EXPLAINER in addresses.roles:
            asked = f"/v1/models/{model_name(addresses.doc)}:explain"
            rules.insert(0, self._rule("explain", EXPLAINER, path_prefix=f"{path}{asked}", rewrite=asked))
        config = addresses.site.config.ingress
        yield self._exposure(f"{addresses.name}-path", (config.ingress_domain,), (config.ingress_gateway,), rules)

    def _exposure(self, name: str, names: tuple[str, ...], gateways: tuple[str, ...], rules: list[Rule]) -> Exposure:
        return Exposure(
            name=name,
            hosts=tuple(dict.fromkeys(names)),
            rules=tuple(rules),
            labels=own_labels(self.addresses.doc),
            annotations=copied_annotations(self.addresses.doc),
            gateways=gateways,
        )

    def _rule(
        self, name: str, role: str, *, path_pattern: str = "", path_prefix: str = "", rewrite: str | None = None
    ) -> Rule:
        addresses, config = self.addresses, self.addresses.site.config.ingress
        gateway = config.knative_local_gateway_service or config.local_gateway_service or LOCAL_GATEWAY_SERVICE
        return Rule(
            name=name,
            backings=(Backing(service=gateway, port=_PORT, name=role),),
            path_pattern=path_pattern,
            path_prefix=path_prefix,
            rewrite=rewrite,
            set_headers=_asking(addresses, addresses.service(role)),
        )


def _asking(addresses: Addresses, service: str) -> dict[str, str]:
    """The name by which a gateway of Knative's knows the component, beside what servers are told."""
    return {"Host": addresses.inside(service), **caller_headers(addresses)}


def _gateway_ways(addresses: Addresses) -> Iterator[Exposure]:
    """Outside names that lead to our gateway, which knows components and their tags by their names inside."""
    explain = [_to(addresses, EXPLAINER, "explain", path_pattern=EXPLAIN_PATTERN)]
    whole = [*(explain if EXPLAINER in addresses.roles else ()), _to(addresses, addresses.entry, "rest")]
    yield _way(addresses, addresses.name, addresses.whole_hosts(), whole)
    for role in addresses.roles:
        service = addresses.service(role)
        yield _way(addresses, service, (addresses.place.outside(service),), [_to(addresses, role, "rest")])
        for tag in (share.tag for share in shares(addresses.doc, role) if share.tag):
            name = f"{tag}-{service}"
            rule = _to(addresses, role, "rest", asked=name)
            yield _way(addresses, name, (addresses.place.outside(name),), [rule])


def outside_way(doc: Document, site: Site, host: str, labels: Labels) -> Exposure:
    """The outside name of something with one workload on demand behind our gateway, called as its owner."""
    metadata, gateway = doc["metadata"], site.config.ingress.kserve_ingress_gateway
    name = str(metadata["name"])
    inside = f"{name}.{metadata.get('namespace', '')}.svc.{site.settings.cluster_domain}"
    backing = Backing(service=name, port=_PORT, name=name)
    return Exposure(
        name=name,
        hosts=(host,),
        rules=(Rule(name="rest", backings=(backing,), set_headers={"Host": inside}),),
        labels=labels,
        gateways=(gateway,) if gateway else (),
        ingress_class=site.config.ingress.ingress_class_name,
    )


def _to(addresses: Addresses, role: str, name: str, *, path_pattern: str = "", asked: str = "") -> Rule:
    service = addresses.service(role)
    return Rule(
        name=name,
        backings=(Backing(service=service, port=_PORT, name=role),),
        path_pattern=path_pattern,
        set_headers=_asking(addresses, asked or service),
    )


def _way(addresses: Addresses, name: str, names: tuple[str, ...], rules: list[Rule]) -> Exposure:
    gateway = addresses.site.config.ingress.kserve_ingress_gateway
    return Exposure(
        name=name,
        hosts=names,
        rules=tuple(rules),
        labels=own_labels(addresses.doc),
        annotations=copied_annotations(addresses.doc),
        gateways=(gateway,) if gateway else (),
        ingress_class=addresses.site.config.ingress.ingress_class_name,
    )
