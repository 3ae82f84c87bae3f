"""One container for a whole graph: the first node's, in which the orchestrator runs with every model in its process.

It keeps the first node's name, ports, variables and mounts, answers on the ports of every node, and has what the
containers of the others asked for. It starts as soon as it can answer, not after a fixed delay.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from fairlead.dialects.seldon.cluster.containers import PRE_STOP, complete_basics, port
from fairlead.dialects.seldon.cluster.engine import arguments, probe_handler, security, svc_orch, variables
from fairlead.dialects.seldon.cluster.environment import add_node_variables
from fairlead.dialects.seldon.cluster.raw import Json, add_missing, copied, fill
from fairlead.dialects.seldon.cluster.site import Site
from fairlead.dialects.seldon.context import NodeContext
from fairlead.dialects.seldon.lower_env import MODELS
from fairlead.dialects.seldon.names import GRPC_PORT
from fairlead.plan import quantity

HTTP_NAME, GRPC_NAME = "engine-http", "engine-grpc"
STARTUP_S = 600
"""Seconds that models may take to load before the container counts as hung."""


def model_folder(site: Site, context: NodeContext) -> str:
    """Where a node's model is in the one container: the usual place, unless another node's is there."""
    return MODELS if len(site.programs) == 1 else f"/mnt/{context.node.name}/models"


def fuse(site: Site, nodes: list[NodeContext], containers: list[Json]) -> Json:
    """The one container, from those of the nodes; the first is changed, the others are only read."""
    first, container = nodes[0], containers[0]
    complete_basics(site, site.programs[first.node.name], container)
    _take_over(container, containers[1:])
    try:
        container["resources"] = _resources(site, containers)
    except ValueError as error:
        site.findings.refuse(f"{site.outer.path}.componentSpecs", f"resources: {error}")
    container["args"] = ["engine", *arguments(site), *_in_process(site, nodes)]
    _add_ports(site, nodes, container)
    add_node_variables(site, first, site.programs[first.node.name], container)
    add_missing(container, "env", variables(site))
    _add_probes(site, container)
    fill(container.setdefault("lifecycle", {}), PRE_STOP)
    fill(container.setdefault("securityContext", {}), security(site))
    return container


def _in_process(site: Site, nodes: list[NodeContext]) -> list[str]:
    return [
        word for context in nodes for word in ("--in-process", f"{context.node.name}={model_folder(site, context)}")
    ]


def _take_over(container: Json, others: list[Json]) -> None:
    for other in others:
        for field, key in (("env", "name"), ("volumeMounts", "mountPath")):
            add_missing(container, field, copied(other.get(field, [])), key=key)
        sources = container.get("envFrom", []) + [
            source for source in other.get("envFrom", []) if source not in container.get("envFrom", [])
        ]
        if sources:
            container["envFrom"] = sources


def _add_ports(site: Site, nodes: list[NodeContext], container: Json) -> None:
    own, metrics = nodes[0].ports, site.installation.numbering.metrics_name
    named = [port("http", own.http), port("grpc", own.grpc), port(metrics, own.metrics)]
    named += [port(HTTP_NAME, site.installation.orchestrator.port), port(GRPC_NAME, GRPC_PORT)]
    add_missing(container, "ports", named)
    taken = {item["containerPort"] for item in container["ports"]}
    for context in nodes[1:]:
        for number in (context.ports.http, context.ports.grpc):
            if number not in taken:
                taken.add(number)
                container["ports"].append({"containerPort": number, "protocol": "TCP"})


def _add_probes(site: Site, container: Json) -> None:
    http = site.installation.orchestrator.port
    often = {"periodSeconds": 1, "timeoutSeconds": 5}
    fill(
        container,
        {
            "startupProbe": probe_handler(site, "/live", http) | often | {"failureThreshold": STARTUP_S},
            "readinessProbe": probe_handler(site, "/ready", http)
            | {"periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 3},
            "livenessProbe": probe_handler(site, "/live", http)
            | {"periodSeconds": 5, "timeoutSeconds": 60, "failureThreshold": 3},
        },
    )


def _resources(site: Site, containers: list[Json]) -> Json:
    """What the containers and `svcOrchSpec` ask for, together. Who gave no limit has none, so a sum with one such part
    is no limit either. When nobody said anything, what an orchestrator alone would have reserved is."""
    parts = [part for item in containers if (part := item.get("resources") or {})]
    if orchestrator := svc_orch(site).get("resources"):
        parts.append(orchestrator)
    if not parts:
        return {"requests": copied(site.installation.orchestrator.resources.get("requests", {}))}
    if len(parts) == 1:
        return copied(parts[0]) if isinstance(parts[0], dict) else {}
    requests = _sum([{**(part.get("limits") or {}), **(part.get("requests") or {})} for part in parts])
    limits = [part.get("limits") or {} for part in parts]
    is_capped = all(item.get("resources") for item in containers)
    common = set.intersection(*(set(one) for one in limits)) if is_capped else set()
    # What cannot be shared out beyond what there is (a GPU) has a limit in every pod that Kubernetes takes.
    whole = {name for one in limits for name in one if "/" in name or name.startswith("hugepages-")}
    capped = _sum([{name: one[name] for name in (common | whole) & one.keys()} for one in limits])
    claims = [claim for part in parts for claim in part.get("claims", [])]
    found = {"requests": requests, "limits": capped, "claims": claims}
    return {name: value for name, value in found.items() if value}


def _sum(parts: list[Mapping[str, Any]]) -> dict[str, str]:
    total: dict[str, Decimal] = {}
    for part in parts:
        for name, text in part.items():
            total[name] = total.get(name, Decimal(0)) + quantity.parse(text)
    return {name: _text(name, value) for name, value in total.items()}


def _text(name: str, value: Decimal) -> str:
    return quantity.format_cores(float(value)) if name == "cpu" else quantity.format_bytes(int(value))
