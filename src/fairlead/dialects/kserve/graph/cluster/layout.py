"""The layout of an InferenceGraph: a Deployment with a Service and a scaler, or a workload on demand in Knative's mode.
Upstream gives a graph no way in from outside in Standard mode, and neither is there one here."""

from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.autoscaler_config import read_autoscaler_config
from fairlead.dialects.kserve.graph.addresses import addressed
from fairlead.dialects.kserve.graph.cluster.router import PORT, labels_of, router_pod
from fairlead.dialects.kserve.graph.crd import SERVICE
from fairlead.dialects.kserve.graph.lower import check_name, is_stopped, owner_of
from fairlead.dialects.kserve.graph.schema import KIND, InferenceGraph
from fairlead.dialects.kserve.inference_service.cluster.knative_features import warnings_of
from fairlead.dialects.kserve.inference_service.cluster.knative_scaling import scaled
from fairlead.dialects.kserve.inference_service.cluster.knative_ways import is_behind_own_gateway, outside_way
from fairlead.dialects.kserve.inference_service.cluster.standard_ways import routing_of
from fairlead.dialects.kserve.inference_service.modes import KnativeMissing
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import (
    HorizontalScaler,
    Layout,
    OnDemandWorkload,
    PodTemplate,
    Service,
    ServicePort,
    Workload,
)

AUTOSCALER_CLASS = "serving.kserve.io/autoscalerClass"
ROUTER = "router"
_CPU_PERCENT = 80


def lay_out(graph: InferenceGraph, doc: Document, site: Site) -> Layout:
    """The layout of a valid graph. Raises `ServiceMissing`, `NoProtocol`, `KnativeMissing` and `InvalidManifest`."""
    owner = owner_of(graph)
    if is_stopped(graph):
        return Layout(owner=owner)
    findings, place = Findings(), addressed(doc, site.config)
    if place.is_knative and not (site.settings.has_knative or site.settings.has_own_gateway):
        raise KnativeMissing(graph.metadata.name, kind=KIND)
    check_name(graph, site.world, findings)
    pod = router_pod(graph, doc, site, findings)
    findings.check()
    mentions = tuple((SERVICE, name) for name in _services(graph))
    if not place.is_knative:
        return Layout(
            owner=owner,
            workloads=(_workload(graph, pod),),
            services=(_service(graph),),
            warnings=tuple(findings.warnings),
            mentions=mentions,
        )
    if site.settings.has_knative:
        for sentence in warnings_of(pod.spec, "spec", site.world):
            findings.warn(sentence)
    behind = is_behind_own_gateway(site)
    way = (outside_way(doc, site, place.outside(graph.metadata.name), labels_of(graph)),)
    return Layout(
        owner=owner,
        on_demand=(_on_demand(graph, doc, pod, site),),
        exposures=way if behind and not place.is_internal else (),
        routing=routing_of(site) if behind else None,
        warnings=tuple(findings.warnings),
        mentions=mentions,
    )


def _workload(graph: InferenceGraph, pod: PodTemplate) -> Workload:
    name = graph.metadata.name
    selector = {"app": f"isvc.{name}"}
    kind = graph.metadata.annotations.get(AUTOSCALER_CLASS, "hpa")
    least = 1 if graph.spec.min_replicas is None else graph.spec.min_replicas
    return Workload(
        name=name,
        pod=PodTemplate(spec=pod.spec, labels={**pod.labels, **selector}, annotations=pod.annotations, own=pod.own),
        selector=selector,
        labels={**labels_of(graph), **selector},
        replicas=least if kind == "none" else None,
        strategy={"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
        progress_deadline_s=600,
        history=10,
        scaler=_scaler(graph) if kind in ("hpa", "keda") else None,
        component=ROUTER,
    )


def _scaler(graph: InferenceGraph) -> HorizontalScaler:
    """By the share of the processor or the memory that is used; concurrency and rps are Knative's to count."""
    spec = graph.spec
    least = max(1 if spec.min_replicas is None else spec.min_replicas, 1)
    name = "memory" if spec.scale_metric == "memory" else "cpu"
    target = spec.scale_target or (_CPU_PERCENT if name == "cpu" else None)
    metric = {
        "type": "Resource",
        "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": target}},
    }
    return HorizontalScaler(
        min_replicas=least, max_replicas=max(spec.max_replicas, least), metrics=(metric,) if target else ()
    )


def _service(graph: InferenceGraph) -> Service:
    name = graph.metadata.name
    return Service(
        name=name,
        selector={"app": f"isvc.{name}"},
        ports=(ServicePort(name=name, port=80, target=PORT),),
        labels=labels_of(graph),
    )


def _on_demand(graph: InferenceGraph, doc: Document, pod: PodTemplate, site: Site) -> OnDemandWorkload:
    spec: dict[str, Any] = doc["spec"]
    annotations = scaled(pod.annotations, spec, read_autoscaler_config(site.world))
    return OnDemandWorkload(
        name=graph.metadata.name,
        pod=PodTemplate(spec=pod.spec, labels=pod.labels, annotations=annotations, own=pod.own),
        labels=labels_of(graph),
        timeout_s=graph.spec.timeout,
        component=ROUTER,
    )


def _services(graph: InferenceGraph) -> tuple[str, ...]:
    steps = (step for node in graph.spec.nodes.values() for step in node.steps)
    return tuple(dict.fromkeys(step.service_name for step in steps if step.service_name))
