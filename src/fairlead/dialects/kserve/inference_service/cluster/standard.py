"""Standard mode: a Deployment, a Service and a scaler for each component, each of them called the same."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service import told
from fairlead.dialects.kserve.inference_service.canaries import predictor_component
from fairlead.dialects.kserve.inference_service.cluster.asked import asked_templates, workload_name
from fairlead.dialects.kserve.inference_service.cluster.canary_replicas import canary_replicas, spared
from fairlead.dialects.kserve.inference_service.cluster.collectors import collector_of
from fairlead.dialects.kserve.inference_service.cluster.multi_node import lay_out_nodes
from fairlead.dialects.kserve.inference_service.cluster.pods import composed_pod
from fairlead.dialects.kserve.inference_service.cluster.scaling import (
    HPA,
    autoscaler_class,
    fixed_replicas,
    scaler_of,
)
from fairlead.dialects.kserve.inference_service.cluster.services import app_label, service_of
from fairlead.dialects.kserve.inference_service.modes import MODEL_MESH, STANDARD, deployment_mode
from fairlead.dialects.kserve.inference_service.planning import warn_of_percents
from fairlead.dialects.kserve.inference_service.rollout import annotation, is_stopped
from fairlead.dialects.kserve.inference_service.template import PREDICTOR, ComponentTemplate
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import HorizontalScaler, Layout, PodTemplate, Workload
from fairlead.plan.model import Owner

DISABLE_AUTO_UPDATE = "serving.kserve.io/disable-auto-update"
_HISTORY, _PROGRESS_DEADLINE_S = 10, 600
_QUARTER = "25%"


def lay_out_standard(doc: Document, site: Site) -> Layout:
    """The layout without its ways in. Raises `InvalidManifest` for what cannot be laid out, `NoRuntime` for a model
    that no runtime serves."""
    if is_stopped(doc):
        return Layout(owner=owner_of(doc))
    findings = Findings()
    templates = asked_templates(doc, site, is_knative=False)
    if deployment_mode(doc, site.config.default_mode) == MODEL_MESH:
        findings.warn("deploymentMode ModelMesh is not there: the service runs by itself, as in Standard mode")
    warn_of_percents(templates, doc, findings)
    layouts = [_component(doc, one, templates, site, findings) for one in templates]
    findings.check()
    configs = [config for layout in layouts for config in layout.configs]
    return Layout(
        owner=owner_of(doc),
        workloads=tuple(one for layout in layouts for one in layout.workloads),
        services=tuple(one for layout in layouts for one in layout.services),
        configs=tuple({(one["kind"], one["metadata"]["name"]): one for one in configs}.values()),
        warnings=tuple(findings.warnings),
        mentions=tuple(dict.fromkeys(one for layout in layouts for one in layout.mentions)),
        is_frozen=is_frozen(doc),
    )


def owner_of(doc: Document) -> Owner:
    """The document as the owner of its objects."""
    meta = doc["metadata"]
    return Owner(
        api_version=doc["apiVersion"],
        kind=doc["kind"],
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        generation=meta.get("generation", 0),
    )


def is_frozen(doc: Document) -> bool:
    """Whether a service that is ready is to stay as it is when something that it refers to changes."""
    is_asked = annotation(doc, DISABLE_AUTO_UPDATE).lower() == "true"
    is_seen = told.status_of(doc).get("observedGeneration") == doc["metadata"].get("generation", 0)
    return is_asked and is_seen and told.is_true(doc, "Ready")


def _component(
    doc: Document, template: ComponentTemplate, templates: Sequence[ComponentTemplate], site: Site, findings: Findings
) -> Layout:
    """What there is of one component."""
    name = workload_name(template)
    if template.role == PREDICTOR and template.spec.get("workerSpec") is not None:
        generation = doc["metadata"].get("generation") or 1
        workloads, services, head = lay_out_nodes(template, name, generation, site, findings, _workload)
        mentions = head.mentions if head is not None else ()
        return Layout(owner=owner_of(doc), workloads=workloads, services=services, mentions=mentions)
    variant = str(doc["spec"][PREDICTOR].get("name") or "")
    composed = composed_pod(template, site, findings, predictor=f"{template.service}-{predictor_component(variant)}")
    if composed is None:
        return Layout(owner=owner_of(doc))
    workload = _scaled(doc, template, templates, _workload(template, name, composed.pod, site), site, findings)
    collector = collector_of(template, name, site)
    if collector is not None:
        workload = replace(workload, pod=collector.into(workload.pod))
    configs = (*composed.configs, *((collector.document,) if collector is not None else ()))
    is_headless = site.config.service.service_cluster_ip_none
    return Layout(
        owner=owner_of(doc),
        workloads=(workload,),
        services=(service_of(template, name, composed, is_headless=is_headless),),
        configs=configs,
        mentions=composed.mentions,
    )


def _workload(template: ComponentTemplate, name: str, pod: PodTemplate, site: Site) -> Workload:
    """The Deployment, before anything scales it."""
    labels = {**pod.labels, "app": app_label(name)}
    return Workload(
        name=name,
        pod=replace(pod, labels=labels),
        selector={"app": app_label(name)},
        labels=labels,
        annotations=pod.annotations,
        strategy=template.spec.get("deploymentStrategy") or _strategy(site),
        progress_deadline_s=_PROGRESS_DEADLINE_S,
        history=_HISTORY,
        component=template.role,
    )


def _strategy(site: Site) -> dict[str, Any]:
    """How replicas are replaced where nobody says."""
    amounts = {"maxUnavailable": _QUARTER, "maxSurge": _QUARTER}
    written = site.config.deploy.deployment_rollout_strategy
    if site.config.default_mode == STANDARD and written is not None and written.default_rollout is not None:
        said = written.default_rollout
        amounts["maxUnavailable"] = said.max_unavailable or amounts["maxUnavailable"]
        amounts["maxSurge"] = said.max_surge or amounts["maxSurge"]
    return {"type": "RollingUpdate", "rollingUpdate": {key: _number(value) for key, value in amounts.items()}}


def _number(amount: str) -> int | str:
    return int(amount) if amount.isdecimal() else amount


def _scaled(
    doc: Document,
    template: ComponentTemplate,
    templates: Iterable[ComponentTemplate],
    workload: Workload,
    site: Site,
    findings: Findings,
) -> Workload:
    """With its number of replicas, or what decides it."""
    kind = autoscaler_class(template)
    if template.canary:
        count = canary_replicas(doc, template)
        scaler = HorizontalScaler(min_replicas=count, max_replicas=count) if kind == HPA and count else None
        return replace(workload, replicas=count, scaler=scaler)
    scaler_ = scaler_of(template, workload.name, site, findings)
    fixed = fixed_replicas(template)
    if template.role == PREDICTOR:
        less = spared(doc, [one for one in templates if one.canary])
        fixed = None if fixed is None else _spared(fixed, less)
        if isinstance(scaler_, HorizontalScaler) and scaler_.min_replicas is not None:
            scaler_ = replace(scaler_, min_replicas=_spared(scaler_.min_replicas, less))
    return replace(workload, replicas=fixed, scaler=scaler_)


def _spared(least: int, less: int) -> int:
    return max(1, least - less) if less else least
