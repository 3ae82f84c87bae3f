"""The ways into an InferenceService of Standard mode from outside its cluster.

With Gateway API there is a route for the service and one for each component; a plain Ingress is one object with the
names of all. Routes send explanations to the explainer, calls of the Open Inference Protocol over gRPC to the port that
speaks it, and give ready canaries their shares; an Ingress knows hosts alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.graph.targets import model_name
from fairlead.dialects.kserve.inference_service import told
from fairlead.dialects.kserve.inference_service.canaries import predictor_component, traffic_percents
from fairlead.dialects.kserve.inference_service.cluster.addresses import Addresses
from fairlead.dialects.kserve.inference_service.components import STANDARD_TIMEOUT_S
from fairlead.dialects.kserve.inference_service.template import EXPLAINER, PREDICTOR
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import Backing, Exposure, HeaderRule, Routing, Rule, Service

EXPLAIN_PATTERN = r"^/v1/models/[\w-]+:explain$"
GRPC_PATTERN = r"^/inference\.GRPCInferenceService/.*$"
ALL_PATHS = r"^/.*$"
_GRPC_CONTENT = HeaderRule(name="content-type", value="^application/grpc.*", is_regex=True)
_H2C = "kubernetes.io/h2c"
_NOT_COPIED = frozenset(("kubectl.kubernetes.io/last-applied-configuration",))
_PORT = 80
_ALL = 100


def routing_of(site: Site) -> Routing:
    """What the ways in of Standard mode are written as: as KServe's settings say, else as the installation does."""
    asked = site.config.ingress.enable_gateway_api
    if asked is None:
        return site.settings.routing
    return Routing.GATEWAY_API if asked else Routing.INGRESS


def standard_ways(addresses: Addresses, services: Sequence[Service]) -> tuple[Exposure, ...]:
    """Every way in. `services` are those of the components. Raises `ConfigError` for a host name that is none."""
    if addresses.is_internal:
        return ()
    ways = _Ways(addresses=addresses, services={service.name: service for service in services})
    if routing_of(addresses.site) is Routing.INGRESS:
        return (ways.ingress(),)
    return (ways.whole(), *(ways.part(role) for role in addresses.roles), *ways.below_path())


def unsaid(addresses: Addresses) -> Iterator[str]:
    """What the ways in cannot do for a service, and its author would miss."""
    if addresses.is_internal or routing_of(addresses.site) is not Routing.INGRESS:
        return
    if any(traffic_percents(addresses.doc).values()):
        yield "spec.canary: an Ingress cannot share requests, so the stable predictor gets those from outside"
    if EXPLAINER in addresses.roles:
        host = addresses.part_host(EXPLAINER)
        yield f"spec.explainer: an Ingress cannot tell explanations from predictions; they are asked for at {host}"


def caller_headers(addresses: Addresses) -> dict[str, str]:
    """What servers and loggers are told of the service that a request is for."""
    return {"KServe-Isvc-Name": addresses.name, "KServe-Isvc-Namespace": addresses.place.namespace}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ways:
    addresses: Addresses
    services: dict[str, Service]

    def whole(self) -> Exposure:
        """The service under its own names."""
        rules = []
        if EXPLAINER in self.addresses.roles:
            rules.append(self._rule("explain", EXPLAINER, path_pattern=EXPLAIN_PATTERN))
        rules += self._rules(self.addresses.entry)
        return self._route(self.addresses.name, self.addresses.whole_hosts(), rules)

    def part(self, role: str) -> Exposure:
        """One component under its own name, which never has the predictor's own name in it."""
        host = self.addresses.part_host(role)
        return self._route(f"{self.addresses.name}-{role}", (host,), list(self._rules(role)))

    def below_path(self) -> Iterator[Exposure]:
        """The service below a path of the installation's host. It has a route of its own: the host is everybody's."""
        path, entry = self.addresses.path, self.addresses.entry
        if not path:
            return
        rules = []
        if EXPLAINER in self.addresses.roles:
            # A prefix can be rewritten and a pattern cannot, so the model's name is spelled out.
            asked = f"/v1/models/{model_name(self.addresses.doc)}:explain"
            rules.append(self._rule("explain", EXPLAINER, path_prefix=f"{path}{asked}", rewrite=asked))
        rules.append(self._rule("rest", entry, path_prefix=path, rewrite="/"))
        domain = self.addresses.place.ingress.domain
        yield self._route(f"{self.addresses.name}-path", (domain,), rules)

    def ingress(self) -> Exposure:
        """All names in one object."""
        addresses = self.addresses
        whole, entry = addresses.whole_hosts(), addresses.entry
        rules = [self._at(addresses.name, whole, entry)]
        rules += [self._at(role, (addresses.part_host(role),), role) for role in reversed(addresses.roles)]
        return Exposure(
            name=addresses.name,
            hosts=tuple(dict.fromkeys(host for rule in rules for host in rule.hosts)),
            rules=tuple(rules),
            annotations=copied_annotations(addresses.doc),
            ingress_class=addresses.site.config.ingress.ingress_class_name,
        )

    def _at(self, name: str, hosts: tuple[str, ...], role: str) -> Rule:
        service = self.addresses.service(role)
        backing = Backing(service=service, port=_http_port(self.services.get(service)), name=role)
        return Rule(name=name, backings=(backing,), path_prefix="/", hosts=hosts)

    def _route(self, name: str, hosts: tuple[str, ...], rules: Sequence[Rule]) -> Exposure:
        gateway = self.addresses.site.config.ingress.kserve_ingress_gateway
        return Exposure(
            name=name,
            hosts=hosts,
            rules=tuple(rules),
            labels=own_labels(self.addresses.doc),
            annotations=copied_annotations(self.addresses.doc),
            gateways=(gateway,) if gateway else (),
        )

    def _rules(self, role: str) -> Iterator[Rule]:
        """Calls over gRPC where a component has a port for them beside that for HTTP, then everything."""
        service = self.services.get(self.addresses.service(role))
        ports = service.ports if service is not None else ()
        if len({port.app_protocol == _H2C for port in ports}) > 1:
            yield self._rule("grpc", role, path_pattern=GRPC_PATTERN, headers=(_GRPC_CONTENT,), is_grpc_port=True)
        yield self._rule("rest", role, path_pattern=ALL_PATHS)

    def _rule(
        self,
        name: str,
        role: str,
        *,
        path_pattern: str = "",
        path_prefix: str = "",
        rewrite: str | None = None,
        headers: tuple[HeaderRule, ...] = (),
        is_grpc_port: bool = False,
    ) -> Rule:
        return Rule(
            name=name,
            backings=tuple(self._backings(role, is_grpc=is_grpc_port)),
            path_pattern=path_pattern,
            path_prefix=path_prefix,
            rewrite=rewrite,
            headers=headers,
            set_headers=caller_headers(self.addresses),
            timeout_s=_timeout_s(self.addresses, role),
        )

    def _backings(self, role: str, *, is_grpc: bool) -> Iterator[Backing]:
        """The component's Service, and those of ready canaries for their shares."""
        port_of = _grpc_port if is_grpc else _http_port
        shares = _canary_shares(self.addresses.doc) if role == PREDICTOR else {}
        stable = self.addresses.service(role)
        rest = max(0, _ALL - sum(shares.values()))
        port = port_of(self.services.get(stable))
        yield Backing(service=stable, port=port, name=role, weight=rest)
        for name, percent in shares.items():
            service = f"{self.addresses.name}-{predictor_component(name)}"
            yield Backing(service=service, port=port_of(self.services.get(service)), name=name, weight=percent)


def _canary_shares(doc: Document) -> dict[str, int]:
    """What ready canaries get, by name. One that is not ready leaves its share to the stable predictor."""
    ready = told.ready_canaries(doc)
    return {name: percent for name, percent in traffic_percents(doc).items() if percent > 0 and name in ready}


def _timeout_s(addresses: Addresses, role: str) -> float | None:
    if addresses.site.config.ingress.disable_http_route_timeout:
        return None
    said = addresses.doc["spec"][role].get("timeout")
    return float(said) if said else STANDARD_TIMEOUT_S


def _http_port(service: Service | None) -> int:
    ports = service.ports if service is not None else ()
    return next((port.port for port in ports if port.app_protocol != _H2C), ports[0].port if ports else _PORT)


def _grpc_port(service: Service | None) -> int:
    ports = service.ports if service is not None else ()
    return next((port.port for port in ports if port.app_protocol == _H2C), _http_port(service))


def copied_annotations(doc: Document) -> dict[str, str]:
    """A service's annotations are for whatever implements its ways in, too."""
    own = doc["metadata"].get("annotations") or {}
    return {key: value for key, value in own.items() if key not in _NOT_COPIED}


def own_labels(doc: Document) -> dict[str, str]:
    """A service's labels, and whose object it is."""
    return {**(doc["metadata"].get("labels") or {}), "serving.kserve.io/inferenceservice": doc["metadata"]["name"]}
