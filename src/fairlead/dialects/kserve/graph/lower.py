"""Turns one InferenceGraph into a plan: a component whose worker has no model and asks a service in each step.
Pure."""

from collections.abc import Iterator
from dataclasses import replace

from fairlead.dialects.base import Document, World
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.config import InferenceServiceConfig, read_config
from fairlead.dialects.kserve.graph.addresses import addressed
from fairlead.dialects.kserve.graph.crd import SERVICE
from fairlead.dialects.kserve.graph.lower_scale import lower_scale
from fairlead.dialects.kserve.graph.lower_steps import Lowering
from fairlead.dialects.kserve.graph.options import Options, read_options
from fairlead.dialects.kserve.graph.schema import KIND, InferenceGraph
from fairlead.dialects.kserve.inference_service import told
from fairlead.dialects.kserve.inference_service.routes import Addressed
from fairlead.dialects.kserve.inference_service.template import ROLES
from fairlead.dialects.resources import lower_resources
from fairlead.dialects.sealing import seal
from fairlead.dialects.secret_names import secret_names
from fairlead.plan.model import Component, ComponentName, EnvVar, Owner, Plan, Protocol, Revision, Route, Target

PROPAGATED = "PROPAGATE_HEADERS"
STOP = "serving.kserve.io/stop"
ROLE = "router"
DRAIN_S = 30.0
TIMEOUT_S = 60.0
"""What a request may take when nothing is said."""
_IGNORED = ("affinity", "tolerations", "node_selector", "node_name", "service_account_name")


def is_stopped(graph: InferenceGraph) -> bool:
    """Whether nothing of it is to run."""
    return graph.metadata.annotations.get(STOP, "").lower() == "true"


def lower(graph: InferenceGraph, doc: Document, world: World) -> Plan:
    """The plan of a valid graph. Raises `ServiceMissing`, `NoProtocol` and `InvalidManifest`."""
    findings, config = Findings(), read_config(world)
    place = addressed(doc, config)
    options = read_options(graph.metadata.annotations, findings)
    components: tuple[Component, ...] = ()
    check_name(graph, world, findings)
    if not is_stopped(graph):
        components = (_component(graph, place, options, config, world, findings),)
    _warn_of_ignored(graph, findings)
    findings.check()
    return Plan(
        owner=owner_of(graph),
        components=components,
        routes=tuple(_routes(graph, place)) if components else (),
        secrets=secret_names(components),
        labels=tuple(sorted(graph.metadata.labels.items())),
        warnings=tuple(findings.warnings),
    )


def check_name(graph: InferenceGraph, world: World, findings: Findings) -> None:
    """A graph cannot have the names of an InferenceService, or of one of its components."""
    name, namespace = graph.metadata.name, graph.metadata.namespace
    for other in (name, *(name.removesuffix(f"-{role}") for role in ROLES if name.endswith(f"-{role}"))):
        if world.get(SERVICE, namespace, other) is not None:
            message = f"the InferenceService {other} answers under the same names; a graph needs a name of its own"
            findings.refuse("metadata.name", message)


def _component(
    graph: InferenceGraph,
    place: Addressed,
    options: Options,
    config: InferenceServiceConfig,
    world: World,
    findings: Findings,
) -> Component:
    spec, name = graph.spec, graph.metadata.name
    lowering = Lowering(graph, options, world, config.ingress.ingress_domain, findings)
    steps = lowering.steps()
    headers = (*config.router.headers.propagate, *options.headers)
    labels = tuple(sorted(_labels(graph).items()))
    lower_resources(spec.resources, "spec.resources", findings)  # they are checked; a router needs none of its own
    revision = Revision(
        hash="",
        units=tuple(lowering.units.values()),
        graph=steps,
        protocol=Protocol.RAW,
        labels=labels,
        env=(EnvVar(name=PROPAGATED, value=",".join(headers)),) if headers else (),
        timeout_s=_limit(spec.router_timeouts.service_client if spec.router_timeouts else None),
        drain_s=DRAIN_S,
    )
    scale = lower_scale(
        spec,
        graph.metadata.annotations,
        config,
        world,
        findings,
        is_knative=place.is_knative,
        was_ready=bool(told.status_of(place.doc).get("url")),
    )
    return Component(
        name=ComponentName(name),
        full_name=name,
        revision=seal(revision),
        scale=scale,
        group=name,
        labels=labels,
        role=ROLE,
        patience_s=_timeout_s(graph) or TIMEOUT_S,
    )


def _labels(graph: InferenceGraph) -> dict[str, str]:
    fixed = {"serving.kserve.io/inferencegraph": graph.metadata.name, "serving.kserve.io/kind": KIND}
    return {**graph.metadata.labels, **fixed}


def _routes(graph: InferenceGraph, place: Addressed) -> Iterator[Route]:
    name, namespace = graph.metadata.name, graph.metadata.namespace
    base = Route(
        targets=(Target(component=ComponentName(name), weight=100),),
        timeout_s=_timeout_s(graph),
        grpc_timeout_s=_timeout_s(graph),
        is_internal=place.is_internal,
    )
    for host in dict.fromkeys(place.answers_to(name, is_whole=True)):
        yield replace(base, host=host, path_prefix="/")
    yield replace(base, path_prefix=f"/serving/{namespace}/{name}/")


def _timeout_s(graph: InferenceGraph) -> float | None:
    """How long a request may take; `None` for ever."""
    timeouts = graph.spec.router_timeouts
    if timeouts is not None and timeouts.server_write is not None:
        return _limit(timeouts.server_write)
    return TIMEOUT_S if graph.spec.timeout is None else _limit(graph.spec.timeout)


def _limit(seconds: int | None) -> float | None:
    """Go's servers and clients read 0 as no limit."""
    return float(seconds) if seconds else None


def owner_of(graph: InferenceGraph) -> Owner:
    """The resource."""
    meta = graph.metadata
    return Owner(
        api_version=graph.api_version,
        kind=graph.kind,
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        generation=meta.generation,
    )


def _warn_of_ignored(graph: InferenceGraph, findings: Findings) -> None:
    for name in _IGNORED:
        if getattr(graph.spec, name):
            key = type(graph.spec).model_fields[name].alias or name
            findings.warn(f"spec.{key} is ignored: there is one machine, and a graph needs no rights on it")
    timeouts = graph.spec.router_timeouts
    if timeouts is not None and (timeouts.server_read is not None or timeouts.server_idle is not None):
        findings.warn("spec.routerTimeouts: serverRead and serverIdle are ignored: connections are the gateway's own")
