"""What the orchestrator of a pod is told, lowered to what a worker runs.

In a cluster each node of a graph may have a container of its own, and the orchestrator beside them knows of them by one
variable: a predictor whose endpoints are filled in. Nodes that run inside of the orchestrator's process, which only our
own prepackaged servers can, are named to it; every other node is asked where its endpoint says. Pure.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.findings import Findings
from fairlead.dialects.podspec import EnvVar as Written
from fairlead.dialects.seldon import reading
from fairlead.dialects.seldon.context import NodeContext, predictor_contexts
from fairlead.dialects.seldon.defaults import apply_defaults
from fairlead.dialects.seldon.graph import is_builtin, is_prepackaged, walk
from fairlead.dialects.seldon.lower import lower_revision
from fairlead.dialects.seldon.lower_env import MODELS
from fairlead.dialects.seldon.lower_units import lower_unit
from fairlead.dialects.seldon.schema import GROUP, KIND, VERSIONS, Endpoint, PredictorSpec, SeldonDeployment
from fairlead.errors import ConfigError, InvalidManifest
from fairlead.plan.model import Revision, Unit, UnitName

KAFKA = (
    "--server_type kafka: requests from Kafka topics are not served; send them over HTTP or gRPC, or bridge the topics "
    "with a consumer that posts to this predictor"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The orchestrator's flags and variables, beside the predictor. `annotations` are the pod's; `inside` are the nodes
    of its own process, `env` its own environment."""

    service: str
    namespace: str
    name: str = ""
    protocol: str = ""
    transport: str = ""
    annotations: Mapping[str, str]
    inside: Collection[str] = ()
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Where a node is: `host:port` over HTTP and over gRPC, the same when it speaks gRPC alone."""

    unit: UnitName
    address: str
    grpc_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """A node of the process itself and the ports at which it answers alone, 0 for none."""

    unit: UnitName
    http_port: int
    grpc_port: int
    metrics_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What the worker runs, and where its nodes are."""

    component: str
    revision: Revision
    reached: tuple[Reached, ...]
    inside: tuple[Inside, ...]
    warnings: tuple[str, ...]


def lower_engine(predictor: Mapping[str, Any], told: Told) -> Engine:
    """Raises `InvalidManifest` for a predictor that is none, `ConfigError` for nodes that cannot be reached."""
    sdep = _deployment(predictor, told)
    written = sdep.spec.predictors[0]
    endpoints = {placed.node.name: placed.node.endpoint or Endpoint() for placed in walk(written, 0)}
    images = {one.name: one.image for pod in written.component_specs for one in pod.spec.containers}
    _check_inside(written, told)
    _leave_to_the_cluster(written, told)
    findings = Findings()
    defaulted = apply_defaults(sdep, catalog=Catalog())
    context = next(iter(predictor_contexts(defaulted, Catalog(), findings)))
    units: list[Unit] = []
    reached: list[Reached] = []
    inside: list[Inside] = []
    for node in context.nodes():
        name = node.node.name
        endpoint, image = endpoints[name], images.get(name, "")
        if is_builtin(node.node):
            units.append(lower_unit(node))
        elif name in told.inside:
            units.append(_inside_unit(node, image))
            inside.append(_doors(node, endpoint, told))
        else:
            found = _reached(node, endpoint, told)
            reached.append(found)
            units.append(_remote_unit(node, found, image))
    revision = lower_revision(context, units=tuple(units))
    findings.check()
    return Engine(
        component=written.name or told.name,
        revision=revision,
        reached=tuple(reached),
        inside=tuple(inside),
        warnings=tuple(findings.warnings),
    )


def _deployment(predictor: Mapping[str, Any], told: Told) -> SeldonDeployment:
    document = {
        "apiVersion": f"{GROUP}/{VERSIONS[0]}",
        "kind": KIND,
        "metadata": {"name": told.service, "namespace": told.namespace},
        "spec": {"protocol": told.protocol, "transport": told.transport, "predictors": [dict(predictor)]},
    }
    try:
        sdep = reading.read(document)
    except InvalidManifest as error:
        raise ConfigError(f"ENGINE_PREDICTOR: {error}") from error
    written = sdep.spec.predictors[0]
    written.name = written.name or told.name
    written.annotations |= told.annotations
    written.svc_orch_spec.env = [Written(name=name, value=value) for name, value in told.env.items()]
    return sdep


def _check_inside(predictor: PredictorSpec, told: Told) -> None:
    known = {placed.node.name: placed.node for placed in walk(predictor, 0)}
    for name in told.inside:
        if name not in known:
            raise ConfigError(f"--in-process {name}: the graph has no such node; it has {', '.join(known)}")
        if not is_prepackaged(known[name]):
            message = f"--in-process {name}: it is no prepackaged server, whose code is in its own image"
            raise ConfigError(message)


def _leave_to_the_cluster(predictor: PredictorSpec, told: Told) -> None:
    """What the kubelet did already: volumes are mounted, models fetched, variables set in this very process. The image
    of a node inside of it is this one, and says nothing about what serves its model."""
    for pod in predictor.component_specs:
        pod.spec.init_containers, pod.spec.volumes = [], []
        for container in pod.spec.containers:
            container.volume_mounts, container.env_from = [], []
            container.env = [variable for variable in container.env if variable.value_from is None]
            if container.name in told.inside:
                container.image = ""
    for placed in walk(predictor, 0):
        if placed.node.name in told.inside:
            placed.node.model_uri = placed.node.model_uri or MODELS


def _inside_unit(node: NodeContext, image: str) -> Unit:
    unit = lower_unit(node)
    env = tuple(replace(one, value=image) if image and one.name == "PREDICTIVE_UNIT_IMAGE" else one for one in unit.env)
    return replace(unit, image=image or unit.image, env=env)


def _doors(node: NodeContext, endpoint: Endpoint, told: Told) -> Inside:
    given = {port.name: port.container_port for port in node.container.ports}
    is_grpc = _is_grpc(endpoint, told)
    return Inside(
        unit=UnitName(node.node.name),
        http_port=endpoint.http_port or (0 if is_grpc else endpoint.service_port),
        grpc_port=endpoint.grpc_port or (endpoint.service_port if is_grpc else 0),
        metrics_port=given.get("metrics", 0),
    )


def _reached(node: NodeContext, endpoint: Endpoint, told: Told) -> Reached:
    name, host = node.node.name, endpoint.service_host
    is_grpc = _is_grpc(endpoint, told)
    http = 0 if is_grpc else endpoint.http_port or endpoint.service_port
    grpc = endpoint.grpc_port or (endpoint.service_port if is_grpc else 0)
    if not host or not (http or grpc):
        raise ConfigError(f"ENGINE_PREDICTOR: node {name} has no endpoint, so nobody knows where it is")
    named = f"[{host}]" if ":" in host else host
    over_grpc = f"{named}:{grpc}" if grpc else ""
    return Reached(unit=UnitName(name), address=f"{named}:{http}" if http else over_grpc, grpc_address=over_grpc)


def _remote_unit(node: NodeContext, found: Reached, image: str) -> Unit:
    speaks_http = found.address != found.grpc_address
    return Unit(
        name=found.unit,
        runtime="remote",
        image=image,
        url=f"http://{found.address}",
        http_port=int(found.address.rpartition(":")[2]) if speaks_http else 0,
        where=node.path,
    )


def _is_grpc(endpoint: Endpoint, told: Told) -> bool:
    """Whether the node speaks gRPC alone: deployments of the time before every container had both ports say so."""
    return endpoint.type == "GRPC" or (told.transport == "grpc" and endpoint.type != "REST")
