"""The orchestrator: its container beside the first node or in a pod of its own, and what it is told."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from fairlead.dialects.seldon import annotations
from fairlead.dialects.seldon.cluster.containers import POD_INFO, POD_INFO_VOLUME, PRE_STOP, port
from fairlead.dialects.seldon.cluster.environment import keep_last_variables
from fairlead.dialects.seldon.cluster.programs import orchestrator_image
from fairlead.dialects.seldon.cluster.raw import Json, add_missing, copied, env, fill
from fairlead.dialects.seldon.cluster.site import Engine, Site
from fairlead.dialects.seldon.names import GRPC_PORT

CONTAINER = "seldon-container-engine"
PREDICTOR, LOG_ENDPOINT = "ENGINE_PREDICTOR", "REQUEST_LOGGER_DEFAULT_ENDPOINT"
LOG_QUEUE = "seldon.io/executor-logger-queue-size"
LOG_TIMEOUT = "seldon.io/executor-logger-write-timeout-ms"
_LEFT_OUT = {"explainer", "component_specs", "traffic", "replicas"}


def orchestrator_container(site: Site) -> Json:
    """The container, in the upstream shape. An image that is not ours gets the same arguments without our command."""
    own, foreign = site.installation.orchestrator, orchestrator_image(site.sdep, site.installation)
    resources = svc_orch(site).get("resources") or copied(own.resources)
    return {
        "name": CONTAINER,
        "image": foreign or site.installation.settings.image,
        "imagePullPolicy": own.pull_policy,
        "args": arguments(site) if foreign else ["engine", *arguments(site)],
        "env": variables(site),
        "ports": [port("http", own.port), port(own.metrics_port_name, own.port), port("grpc", GRPC_PORT)],
        "readinessProbe": _probe(site, "/ready"),
        "livenessProbe": _probe(site, "/live"),
        "lifecycle": copied(PRE_STOP),
        "resources": resources,
        "securityContext": security(site),
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "volumeMounts": [{"name": POD_INFO_VOLUME, "mountPath": POD_INFO}],
    }


def arguments(site: Site) -> list[str]:
    """The executor's flags."""
    own, sdep = site.installation.orchestrator, site.sdep
    flags = {
        "--sdep": sdep.metadata.name,
        "--namespace": site.namespace,
        "--predictor": site.predictor.name,
        "--http_port": str(own.port),
        "--grpc_port": str(GRPC_PORT),
        "--protocol": sdep.spec.protocol,
        "--transport": sdep.spec.transport,
        "--prometheus_path": own.prometheus_path,
        "--server_type": sdep.spec.server_type,
        "--log_work_buffer_size": _logger(site, LOG_QUEUE, own.log_queue),
        "--log_write_timeout_ms": _logger(site, LOG_TIMEOUT, own.log_timeout_ms),
    }
    listed = [word for pair in flags.items() for word in pair]
    return [*listed, f"--full_health_checks={str(own.full_health_checks).lower()}"]


def variables(site: Site) -> list[Json]:
    """The orchestrator's variables: the graph, then the manifest's own, which win over annotations."""
    written = copied(svc_orch(site).get("env") or [])
    holder: Json = {"env": written}
    keep_last_variables(holder)
    given = {PREDICTOR: predictor_text(site), LOG_ENDPOINT: site.installation.orchestrator.log_endpoint}
    mine = [item for item in env(given) if all(other["name"] != item["name"] for other in holder["env"])]
    holder["env"] = [*mine, *holder["env"]]
    add_missing(holder, "env", env(annotations.engine_env(site.sdep)))
    return list(holder["env"])


def predictor_text(site: Site) -> str:
    """The predictor as the orchestrator reads it: base64 of JSON. What changes without a restart is not in it (shares,
    replicas), nor is the explainer."""
    predictor = site.predictor.model_dump(by_alias=True, exclude_unset=True, exclude_none=True, exclude=_LEFT_OUT)
    predictor |= {"labels": site.predictor.labels, "graph": _graph(predictor["graph"]), "traffic": 0, "replicas": 0}
    predictor["componentSpecs"] = [_pod(site, pod) for pod in site.pods]
    text = json.dumps(predictor, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return base64.b64encode(text.encode()).decode()


def svc_orch(site: Site) -> Mapping[str, Any]:
    """`svcOrchSpec` as the user wrote it."""
    return site.predictor.svc_orch_spec.model_dump(by_alias=True, exclude_unset=True)


def security(site: Site) -> Json:
    """The user that an orchestrator runs as, with no way to become another."""
    return {"runAsUser": site.installation.orchestrator.user, "allowPrivilegeEscalation": False}


def prometheus_annotations(site: Site) -> dict[str, str]:
    """What tells Prometheus to look at a pod."""
    path = site.installation.orchestrator.prometheus_path
    return {"prometheus.io/scrape": "true", "prometheus.io/path": path}


def replicas_apart(site: Site) -> int | None:
    """How many pods an orchestrator of its own has."""
    orchestrator, predictor = site.predictor.svc_orch_spec.replicas, site.predictor.replicas
    given = (orchestrator, predictor, site.sdep.spec.replicas)
    return next((count for count in given if count is not None), None)


def service_ports(site: Site) -> tuple[int, int]:
    """The ports of the predictor's Service: the orchestrator's, or those of the only node where there is none."""
    if site.engine is Engine.NONE:
        context = next(iter(site.outer.nodes()))
        return context.ports.http, context.ports.grpc
    return site.installation.orchestrator.port, GRPC_PORT


def probe_handler(site: Site, path: str, number: int) -> Json:
    """A question over HTTP to the orchestrator, over TLS where it serves that alone."""
    return {"httpGet": {"path": path, "port": number, "scheme": "HTTPS" if site.certificate else "HTTP"}}


def _probe(site: Site, path: str) -> Json:
    return {
        **probe_handler(site, path, site.installation.orchestrator.port),
        "initialDelaySeconds": 20,
        "periodSeconds": 5,
        "successThreshold": 1,
        "failureThreshold": 3,
        "timeoutSeconds": 60,
    }


def _logger(site: Site, name: str, default: str) -> str:
    """A setting of the logger. Upstream fails on a text that is no number, and so do we: its author would lose logs."""
    text = annotations.of_deployment(site.sdep).get(name, "").strip()
    if text and not text.isdigit():
        site.findings.refuse(f"annotation {name}", f"{text!r} is not a whole number of 0 or more")
    return text or default


def _graph(node: Mapping[str, Any]) -> Json:
    """A node with its children, always a list, as readers of this text expect."""
    return {**node, "children": [_graph(child) for child in node.get("children", [])]}


def _pod(site: Site, written: Mapping[str, Any]) -> Json:
    """A pod with its containers' images; replicas and scalers are no business of the orchestrator's."""
    spec = copied(written["spec"])
    for container in spec["containers"]:
        program = site.programs.get(container["name"])
        if program is not None:
            fill(container, {"image": program.image})
    return {"metadata": copied(written.get("metadata") or {}), "spec": {"containers": spec["containers"]}}
