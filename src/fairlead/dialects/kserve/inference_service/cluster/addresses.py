"""The names under which an InferenceService answers in a cluster, and the URLs that its status tells.

Inside, every component is a Service. Outside, Standard mode makes host names by `domainTemplate` and Knative by its own
rule; without either, a service is known inside alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.inference_service import hosts, told
from fairlead.dialects.kserve.inference_service.canaries import predictor_component
from fairlead.dialects.kserve.inference_service.claims import named
from fairlead.dialects.kserve.inference_service.modes import is_knative
from fairlead.dialects.kserve.inference_service.planning import ingress_of
from fairlead.dialects.kserve.inference_service.routes import Addressed
from fairlead.dialects.kserve.inference_service.template import PREDICTOR, ROLES, TRANSFORMER
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import Routing, Service

_POD_PORT = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Of one service. `place` makes its outside names."""

    doc: Document
    site: Site
    place: Addressed

    @property
    def name(self) -> str:
        """The service's name."""
        return self.place.name

    @property
    def roles(self) -> tuple[str, ...]:
        """Its components, the predictor first."""
        return tuple(role for role in ROLES if self.doc["spec"].get(role) is not None)

    @property
    def entry(self) -> str:
        """The component that requests come to first. A transformer that is new to a service which is up takes them
        once it can; until then they go where they went."""
        if TRANSFORMER not in self.roles:
            return PREDICTOR
        component = told.component(self.doc, TRANSFORMER)
        was_ready = bool(component.get("latestReadyRevision") or component.get("url"))
        return PREDICTOR if told.is_in_service(self.doc) and not was_ready else TRANSFORMER

    @property
    def is_internal(self) -> bool:
        """Whether it has no way in from outside."""
        return self.place.is_internal or not self.place.has_outside

    def service(self, role: str) -> str:
        """What a component's Service is called; Standard mode's knows the predictor's own name."""
        if role == PREDICTOR and not self.place.is_knative:
            return f"{self.name}-{predictor_component(str(self.doc['spec'][PREDICTOR].get('name') or ''))}"
        return f"{self.name}-{role}"

    def inside(self, service: str) -> str:
        """The host name of a Service of the same namespace."""
        return f"{service}.{self.place.namespace}.svc.{self.site.settings.cluster_domain}"

    def whole_hosts(self) -> tuple[str, ...]:
        """The outside names of the service, in all domains of the installation. Raises `ConfigError`."""
        host = self.place.outside(self.name)
        return (host, *hosts.additional(host, self.place.ingress))

    def part_host(self, role: str) -> str:
        """The outside name of a component. Raises `ConfigError`."""
        return self.place.outside(f"{self.name}-{role}")

    @property
    def path(self) -> str:
        """Where the service is below the installation's own host, by `pathTemplate`; empty for none."""
        return hosts.path_of(named(self.doc), self.place.ingress)


def addresses_of(doc: Document, site: Site) -> Addresses:
    """The addresses of a service."""
    place = Addressed(
        doc=doc,
        ingress=ingress_of(site.config.ingress),
        is_knative=is_knative(doc, site.config.default_mode),
    )
    return Addresses(doc=doc, site=site, place=place)


def standard_url(addresses: Addresses, services: Sequence[Service]) -> str:
    """`status.url` of Standard mode: always a host, whatever `pathTemplate` says."""
    if addresses.is_internal:
        return standard_address(addresses, services)
    return f"{addresses.place.ingress.scheme}://{addresses.whole_hosts()[0]}"


def standard_address(addresses: Addresses, services: Sequence[Service]) -> str:
    """`status.address.url` of Standard mode. A headless Service has no port of its own, so the pods' is told."""
    name = addresses.service(addresses.entry)
    service = next((one for one in services if one.name == name), None)
    port = ""
    if service is not None and service.is_headless:
        target = service.ports[0].target if service.ports else 0
        port = f":{target if isinstance(target, int) and target else _POD_PORT}"
    return f"http://{addresses.inside(name)}{port}"


def standard_part_url(addresses: Addresses, role: str) -> str:
    """`status.components.*.url` of Standard mode, whose scheme is always the same."""
    host = addresses.inside(addresses.service(role)) if addresses.is_internal else addresses.part_host(role)
    return f"http://{host}"


def expected_address(doc: Document, site: Site) -> str:
    """Where a service is going to be asked inside the cluster, for those that refer to it before it has been ready."""
    addresses = addresses_of(doc, site)
    if not addresses.place.is_knative:
        port = f":{_POD_PORT}" if site.config.service.service_cluster_ip_none else ""
        return f"http://{addresses.inside(addresses.service(addresses.entry))}{port}"
    is_named = has_virtual_host(site)
    return f"http://{addresses.inside(addresses.name if is_named else addresses.service(addresses.entry))}"


def has_virtual_host(site: Site) -> bool:
    """Whether services of Knative's mode get a VirtualService: where the installation routes by Istio, or KServe's
    settings name the gateway of it. Elsewhere there is no such kind, and a service would wait for it for ever."""
    config, settings = site.config.ingress, site.settings
    if config.disable_istio_virtual_host or not settings.has_knative:
        return False
    return settings.routing is Routing.ISTIO or bool(config.local_gateway)
