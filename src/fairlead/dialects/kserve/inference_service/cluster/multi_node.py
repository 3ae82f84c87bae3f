"""A predictor of several nodes in Standard mode: a Deployment for the head, which answers, one for its workers, and a
Service for each by which they find one another before any of them is ready."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service.cluster.gpus import (
    BACKEND,
    Nodes,
    known_resources,
    nodes_of,
    with_gpus,
)
from fairlead.dialects.kserve.inference_service.cluster.pods import ComposedPod, composed_pod
from fairlead.dialects.kserve.inference_service.cluster.services import app_label, service_of
from fairlead.dialects.kserve.inference_service.merging import merged_containers, merged_pods
from fairlead.dialects.kserve.inference_service.placeholders import NotFilled, filled
from fairlead.dialects.kserve.inference_service.runtime_defaults import MODELS
from fairlead.dialects.kserve.inference_service.schema import PREDICTOR_CONTAINER, WORKER_CONTAINER
from fairlead.dialects.kserve.inference_service.template import ComponentTemplate
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import PodTemplate, Service, Workload

Json = dict[str, Any]
Deploying = Callable[[ComponentTemplate, str, PodTemplate, Site], Workload]

ROLE, GENERATION = "multinode/role", "isvc.generation"
HEAD, WORKER = "head", "worker"
_SIZES = ("pipelineParallelSize", "tensorParallelSize")


def worker_name(name: str) -> str:
    """The Deployment of the workers."""
    return f"{name}-{WORKER}"


def lay_out_nodes(
    template: ComponentTemplate, name: str, generation: int, site: Site, findings: Findings, deployed: Deploying
) -> tuple[tuple[Workload, ...], tuple[Service, ...], ComposedPod | None]:
    """The Deployments and Services, and the head's pod. Raises `InvalidGpuAllocation`."""
    spec, runtime = template.spec, (template.runtime or {}).get("spec") or {}
    merged = merged_pods(runtime.get("workerSpec") or {}, spec.get("workerSpec") or {})
    pipeline, tensor = (int(merged.get(size) or 1) for size in _SIZES)
    containers = runtime.get("containers") or ()
    server: Mapping[str, Any] = next((one for one in containers if one.get("name") == PREDICTOR_CONTAINER), {})
    head = merged_containers(server, {"resources": (spec.get("model") or {}).get("resources")})
    worker = _worker(template, runtime, findings)
    nodes = nodes_of(
        pipeline=pipeline,
        tensor=tensor,
        head=head,
        worker=worker,
        is_mp=(runtime.get("annotations") or {}).get(BACKEND) == "mp",
        known=known_resources(template.annotations, site.config.multi_node.custom_gpu_resource_type_list),
    )
    env = _env(pipeline, tensor, nodes)
    composed = composed_pod(_head(template, env, nodes), site, findings)
    below = composed_pod(_workers(template, merged, worker, env, nodes, generation), site, findings)
    if composed is None or below is None:
        return (), (), None
    label = {GENERATION: str(generation)}
    first = deployed(template, name, _labelled(composed.pod, {**label, ROLE: HEAD}), site)
    rest = deployed(template, worker_name(name), _labelled(below.pod, {**label, ROLE: WORKER}), site)
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "0%", "maxSurge": "100%"}}
    workloads = (replace(first, replicas=1), replace(rest, replicas=nodes.count - 1, strategy=strategy))
    return workloads, _services(template, name, composed, workloads, generation, site), composed


def _worker(template: ComponentTemplate, runtime: Mapping[str, Any], findings: Findings) -> Json:
    """The container of a worker: the runtime's under the manifest's."""
    theirs, mine = _first_container(runtime), _first_container(template.spec)
    meta = {
        "name": template.service,
        "namespace": template.namespace,
        "labels": template.labels,
        "annotations": template.annotations,
    }
    try:
        container: Json = filled(merged_containers(theirs, mine), meta)
    except NotFilled as error:
        name = (template.runtime or {}).get("name", "")
        message = f"failed to replace placeholders in serving runtime {name} Container {WORKER_CONTAINER}: {error}"
        findings.refuse("spec.predictor.workerSpec", message)
        return {"name": WORKER_CONTAINER}
    return {**container, "name": WORKER_CONTAINER}


def _first_container(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    containers: list[Mapping[str, Any]] = (spec.get("workerSpec") or {}).get("containers") or [{}]
    return containers[0]


def _env(pipeline: int, tensor: int, nodes: Nodes) -> dict[str, str]:
    return {
        "PIPELINE_PARALLEL_SIZE": str(pipeline),
        "TENSOR_PARALLEL_SIZE": str(tensor),
        "RAY_NODE_COUNT": str(nodes.count),
        "REQUEST_GPU_COUNT": str(nodes.head_gpus),
    }


def _head(template: ComponentTemplate, env: Mapping[str, str], nodes: Nodes) -> ComponentTemplate:
    said = {**env, "MODEL_NAME": template.service, "MODEL_DIR": MODELS}
    model = _with_env(with_gpus(template.spec["model"], nodes.resource, nodes.head_gpus), said)
    return replace(template, spec={**template.spec, "model": model, "workerSpec": None})


def _workers(
    template: ComponentTemplate,
    merged: Mapping[str, Any],
    worker: Json,
    env: Mapping[str, str],
    nodes: Nodes,
    generation: int,
) -> ComponentTemplate:
    """The workers as a component of their own, with the head's model."""
    said = {
        **env,
        "REQUEST_GPU_COUNT": str(nodes.worker_gpus),
        "ISVC_NAME": template.service,
        "HEAD_SVC": _peers(template, HEAD, generation),
        "WORKER_SVC": _peers(template, WORKER, generation),
    }
    container = _with_env(with_gpus(worker, nodes.resource, nodes.worker_gpus), said)
    level = {key: deepcopy(value) for key, value in merged.items() if key not in (*_SIZES, "containers")}
    model = {key: value for key, value in template.spec["model"].items() if key in ("storageUri", "storage")}
    kept = {key: template.spec[key] for key in ("serviceAccountName", "labels", "annotations") if key in template.spec}
    return replace(template, runtime=None, spec={**kept, **level, "containers": [container], "model": model})


def _with_env(container: Mapping[str, Any], env: Mapping[str, str]) -> Json:
    kept = [one for one in container.get("env") or () if one.get("name") not in env]
    return {**container, "env": [*kept, *({"name": name, "value": value} for name, value in env.items())]}


def _labelled(pod: PodTemplate, labels: Mapping[str, str]) -> PodTemplate:
    return replace(pod, labels={**pod.labels, **labels})


def _peers(template: ComponentTemplate, role: str, generation: int) -> str:
    """The Service by which nodes find those of a role."""
    return f"{template.service}-{'head' if role == HEAD else 'workers'}-{generation}"


def _services(
    template: ComponentTemplate,
    name: str,
    composed: ComposedPod,
    workloads: tuple[Workload, Workload],
    generation: int,
    site: Site,
) -> tuple[Service, ...]:
    is_headless = site.config.service.service_cluster_ip_none
    peers = tuple(
        Service(
            name=_peers(template, role, generation),
            selector={"app": app_label(workload.name), GENERATION: str(generation)},
            labels=workload.labels,
            is_headless=True,
            has_unready=True,
        )
        for role, workload in zip((HEAD, WORKER), workloads, strict=True)
    )
    return (service_of(template, name, composed, is_headless=is_headless), *peers)
