"""A graph as the router of a pod is told of it: the spec alone, as JSON, in which the controller has put the URL of
every service. Pure."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.base import ALONE
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.graph.lower import DRAIN_S, PROPAGATED
from fairlead.dialects.kserve.graph.lower_steps import Lowering
from fairlead.dialects.kserve.graph.options import Options
from fairlead.dialects.kserve.graph.schema import GROUP, KIND, ROOT, VERSION, InferenceGraph
from fairlead.dialects.reading import Identity, read_as
from fairlead.errors import ConfigError, InvalidManifest
from fairlead.plan.model import EnvVar, Protocol, Revision

_IDENTITY = Identity(GROUP, (VERSION,), KIND)


def lower_router(spec: Mapping[str, Any], env: Mapping[str, str], *, name: str, namespace: str) -> Revision:
    """What the router's worker runs. Raises `ConfigError` for a spec that is none."""
    graph = _graph(spec, name, namespace)
    findings = Findings()
    lowering = Lowering(graph, Options(), ALONE, "", findings, is_in_cluster=True)
    steps = lowering.steps()
    try:
        findings.check()
    except InvalidManifest as error:
        raise ConfigError(f"--graph-json: {error}") from error
    timeouts = graph.spec.router_timeouts
    client_s = timeouts.service_client if timeouts is not None else None
    return Revision(
        hash="router",
        units=tuple(lowering.units.values()),
        graph=steps,
        protocol=Protocol.RAW,
        env=(EnvVar(name=PROPAGATED, value=env[PROPAGATED]),) if env.get(PROPAGATED) else (),
        timeout_s=float(client_s) if client_s else None,
        drain_s=DRAIN_S,
    )


def _graph(spec: Mapping[str, Any], name: str, namespace: str) -> InferenceGraph:
    document = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": dict(spec),
    }
    try:
        graph = read_as(InferenceGraph, document, _IDENTITY)
    except InvalidManifest as error:
        raise ConfigError(f"--graph-json: {error}") from error
    if ROOT not in graph.spec.nodes:
        raise ConfigError(f"--graph-json: root node not found, there are {', '.join(graph.spec.nodes) or 'none'}")
    for node_name, node in graph.spec.nodes.items():
        for step in node.steps:
            if step.service_name and not step.service_url:
                where = f"nodes.{node_name}: step {step.name or step.service_name}"
                raise ConfigError(f"--graph-json: {where}: no serviceUrl says where {step.service_name} is")
            # Where the service is has been decided; its name is what the step is called.
            if node.router_type != "Ensemble":
                step.name = step.name or step.service_name
            step.service_name = ""
    return graph
