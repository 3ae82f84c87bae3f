"""What a SeldonDeployment means when it does not say: the operator's defaulting, in its order.

Ports are numbered as a cluster would number them, because they show in environment variables that user code reads.
A copy is changed, never the argument.
"""

from dataclasses import dataclass, field

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.podspec import Container, PodSpec
from fairlead.dialects.seldon import servers
from fairlead.dialects.seldon.graph import UNKNOWN, find_container, is_prepackaged, walk
from fairlead.dialects.seldon.names import container_service
from fairlead.dialects.seldon.schema import Endpoint, PredictiveUnit, PredictorSpec, SeldonDeployment, SeldonPodSpec

SEPARATE_ENGINE_ANNOTATION = "seldon.io/engine-separate-pod"


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbering:
    """Where counting starts, and what the port of a container's own metrics is called."""

    http: int = 9000
    grpc: int = 9500
    metrics: int = 6000
    metrics_name: str = "metrics"


DEFAULT_NUMBERING = Numbering()


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one container."""

    http: int
    grpc: int
    metrics: int


@dataclass(frozen=True, slots=True)
class Defaulted:
    """A deployment with nothing left open, and the ports of its graph containers by predictor number and name."""

    deployment: SeldonDeployment
    ports: dict[tuple[int, str], Ports]


@dataclass(slots=True)
class _Numbers:
    """Ports are counted over the whole deployment. HTTP and gRPC numbers belong to a container's name, so two
    predictors with a container of one name share them; every container gets some, also outside the graph."""

    start: Numbering
    http: dict[str, int] = field(default_factory=dict)
    metrics: int = 0

    def take(self, name: str) -> tuple[int, int]:
        number = self.http.setdefault(name, len(self.http))
        return self.start.http + number, self.start.grpc + number

    def take_metrics(self) -> int:
        self.metrics += 1
        return self.start.metrics + self.metrics - 1


def apply_defaults(sdep: SeldonDeployment, *, catalog: Catalog, numbering: Numbering = DEFAULT_NUMBERING) -> Defaulted:
    """The deployment with every default filled in."""
    sdep = sdep.model_copy(deep=True)
    sdep.metadata.namespace = sdep.metadata.namespace or "default"
    sdep.spec.protocol = servers.canonical_protocol(sdep.spec.protocol)
    sdep.spec.transport = sdep.spec.transport or "rest"
    sdep.spec.server_type = sdep.spec.server_type or "rpc"
    numbers = _Numbers(numbering)
    ports: dict[tuple[int, str], Ports] = {}
    for index, predictor in enumerate(sdep.spec.predictors):
        predictor.labels.setdefault("version", predictor.name)
        for placed in walk(predictor, index):
            _default_node(placed.node)
        _number_containers(predictor, index, numbers, ports)
        for placed in walk(predictor, index):
            _add_prepackaged(sdep, predictor, placed.node, catalog)
            _number_node(predictor, index, placed.node, numbers, ports)
            _set_endpoint(sdep, predictor, placed.node, ports.get((index, placed.node.name)))
    return Defaulted(sdep, ports)


def _default_node(node: PredictiveUnit) -> None:
    if node.type is None and not node.methods and not node.implementation:
        node.type = "MODEL"
    node.implementation = node.implementation or UNKNOWN
    if is_prepackaged(node):
        node.type = "MODEL"


def _number_containers(
    predictor: PredictorSpec, index: int, numbers: _Numbers, ports: dict[tuple[int, str], Ports]
) -> None:
    in_graph = {placed.node.name for placed in walk(predictor, index)}
    for pod in predictor.component_specs:
        for container in pod.spec.containers:
            http, grpc = numbers.take(container.name)
            if container.name in in_graph:
                ports.setdefault((index, container.name), _own_ports(container, http, grpc, numbers))


def _own_ports(container: Container, http: int, grpc: int, numbers: _Numbers) -> Ports:
    """A port that the container names itself replaces the number it was given."""
    given = {port.name: port.container_port for port in container.ports}
    name = numbers.start.metrics_name
    metrics = given[name] if name in given else numbers.take_metrics()
    return Ports(given.get("http", http), given.get("grpc", grpc), metrics)


def _add_prepackaged(sdep: SeldonDeployment, predictor: PredictorSpec, node: PredictiveUnit, catalog: Catalog) -> None:
    if not is_prepackaged(node):
        return
    found = find_container(predictor, node.name)
    if found is None:
        container = Container(name=node.name)
        if not predictor.component_specs:
            predictor.component_specs.append(SeldonPodSpec(spec=PodSpec(containers=[])))
        predictor.component_specs[0].spec.containers.append(container)
    else:
        container = found.container
    container.image = container.image or servers.default_image(node.implementation, sdep.spec.protocol, catalog)


def _number_node(
    predictor: PredictorSpec,
    index: int,
    node: PredictiveUnit,
    numbers: _Numbers,
    ports: dict[tuple[int, str], Ports],
) -> None:
    found = find_container(predictor, node.name)
    if found is not None and (index, node.name) not in ports:
        ports[index, node.name] = _own_ports(found.container, *numbers.take(node.name), numbers)


def _set_endpoint(sdep: SeldonDeployment, predictor: PredictorSpec, node: PredictiveUnit, ports: Ports | None) -> None:
    found = find_container(predictor, node.name)
    if found is None or ports is None:
        return
    endpoint = node.endpoint or Endpoint()
    is_grpc = sdep.spec.transport == "grpc" or endpoint.type == "GRPC"
    is_beside = found.pod == 0 and not has_separate_engine(sdep)
    service = container_service(sdep, predictor, node.name)
    node.endpoint = Endpoint(
        service_host="localhost" if is_beside else f"{service}.{sdep.metadata.namespace}.svc.cluster.local",
        service_port=ports.grpc if is_grpc else ports.http,
        type=endpoint.type,
        http_port=ports.http,
        grpc_port=ports.grpc,
    )


def has_separate_engine(sdep: SeldonDeployment) -> bool:
    """Whether the orchestrator was asked to run in a pod of its own."""
    return sdep.spec.annotations.get(SEPARATE_ENGINE_ANNOTATION, "").lower() == "true"
