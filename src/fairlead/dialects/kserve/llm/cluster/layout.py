"""The layout of an LLMInferenceService: a Deployment, a Service, a scaler where it asks for one, and its way in."""

from fairlead.dialects.base import Document
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service.rollout import is_stopped
from fairlead.dialects.kserve.llm.cluster import names
from fairlead.dialects.kserve.llm.cluster.missing import find_missing
from fairlead.dialects.kserve.llm.cluster.pod import annotations_of, composed, labels_of, settled
from fairlead.dialects.kserve.llm.cluster.ways import routing_of, ways_of
from fairlead.dialects.kserve.llm.lower import owner_of
from fairlead.dialects.kserve.llm.presets import combined, typed
from fairlead.dialects.kserve.llm.schema import CONFIG_KIND, LlmSpec
from fairlead.dialects.kserve.llm.validate import whole
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import HorizontalScaler, Layout, PodTemplate, Routing, Service, ServicePort, Workload

_CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}


def lay_out(doc: Document, site: Site) -> Layout:
    """The layout of a valid service. Raises `ConfigNotFound`, `NotCombined` and `InvalidManifest`."""
    merged = combined(doc, site.world)
    spec = typed(merged.spec)
    whole(doc, spec)
    owner, findings = owner_of(doc), Findings()
    if is_stopped(doc):
        return Layout(owner=owner)
    find_missing(spec, findings)
    found = composed(doc, merged.spec, spec, site, findings)
    model = (spec.model.name if spec.model else None) or owner.name
    ways = ways_of(doc, spec, model, site, findings)
    findings.check()
    if found is None:
        return Layout(owner=owner, warnings=tuple(findings.warnings))
    return Layout(
        owner=owner,
        workloads=(_workload(doc, settled(found.pod, doc, spec), spec),),
        services=(_service(doc, spec, found.target),),
        exposures=ways,
        configs=found.configs,
        routing=routing_of(site) if ways else Routing.NONE,
        warnings=tuple(findings.warnings),
        mentions=(*((CONFIG_KIND, name) for _, name in merged.applied), *found.mentions),
    )


def _workload(doc: Document, pod: PodTemplate, spec: LlmSpec) -> Workload:
    name = str(doc["metadata"]["name"])
    return Workload(
        name=names.workload(name),
        pod=pod,
        selector=names.selector(name),
        labels=labels_of(doc, spec),
        annotations=annotations_of(doc, spec),
        replicas=None if spec.scaling is not None else 1 if spec.replicas is None else spec.replicas,
        progress_deadline_s=1800,  # a large model takes longer than the ten minutes of a Deployment's own default
        scaler=_scaler(spec),
        component="workload",
    )


def _scaler(spec: LlmSpec) -> HorizontalScaler | None:
    if spec.scaling is None:
        return None
    least = max(spec.scaling.min_replicas or 1, 1)
    return HorizontalScaler(min_replicas=least, max_replicas=max(spec.scaling.max_replicas, least), metrics=(_CPU,))


def _service(doc: Document, spec: LlmSpec, target: int) -> Service:
    name = str(doc["metadata"]["name"])
    return Service(
        name=names.service(name),
        selector=names.selector(name),
        ports=(ServicePort(name="http", port=names.PORT, target=target, app_protocol="http"),),
        labels=labels_of(doc, spec),
    )
