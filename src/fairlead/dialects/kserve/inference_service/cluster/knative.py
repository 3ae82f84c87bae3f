"""Knative's mode: each component is a service of Knative's, or what stands in for it behind our own gateway.

Who of a component's revisions gets which share of its requests follows from the status, which remembers what was rolled
out; the revisions themselves are the cluster's.
"""

from dataclasses import replace

from fairlead.dialects.base import Document
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.autoscaler_config import read_autoscaler_config
from fairlead.dialects.kserve.inference_service.cluster.addresses import addresses_of
from fairlead.dialects.kserve.inference_service.cluster.asked import asked_templates
from fairlead.dialects.kserve.inference_service.cluster.knative_features import warnings_of
from fairlead.dialects.kserve.inference_service.cluster.knative_rollout import kept, traffic
from fairlead.dialects.kserve.inference_service.cluster.knative_scaling import scaled
from fairlead.dialects.kserve.inference_service.cluster.knative_ways import (
    knative_routing,
    knative_ways,
    whole_services,
)
from fairlead.dialects.kserve.inference_service.cluster.pods import ComposedPod, composed_pod
from fairlead.dialects.kserve.inference_service.cluster.standard import is_frozen, owner_of
from fairlead.dialects.kserve.inference_service.cluster.standard_ways import own_labels
from fairlead.dialects.kserve.inference_service.modes import KnativeMissing
from fairlead.dialects.kserve.inference_service.rollout import annotation, is_stopped
from fairlead.dialects.kserve.inference_service.template import ComponentTemplate
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import Layout, OnDemandWorkload

OF_SERVICES = ("serving.knative.dev/rollout-duration", "serving.knative.openshift.io/enablePassthrough")
"""Annotations of an InferenceService that Knative reads on its Service and not on revisions."""


def lay_out_knative(doc: Document, site: Site) -> Layout:
    """The layout. Raises `KnativeMissing`, and `InvalidManifest` for what cannot be laid out."""
    settings = site.settings
    if not (settings.has_knative or settings.has_own_gateway):
        raise KnativeMissing(str(doc["metadata"]["name"]))
    if is_stopped(doc):
        return Layout(owner=owner_of(doc))
    findings = Findings()
    templates = asked_templates(doc, site, is_knative=True)
    pods = [(template, composed_pod(template, site, findings)) for template in templates]
    made = [(template, pod) for template, pod in pods if pod is not None]
    if settings.has_knative:
        for template, pod in made:
            for sentence in warnings_of(pod.pod.spec, f"spec.{template.role}", site.world):
                findings.warn(sentence)
    findings.check()
    addresses = addresses_of(doc, site)
    return Layout(
        owner=owner_of(doc),
        on_demand=tuple(_workload(doc, template, pod, site) for template, pod in made),
        services=whole_services(addresses),
        exposures=knative_ways(addresses),
        configs=tuple(config for _, pod in made for config in pod.configs),
        routing=knative_routing(site),
        warnings=tuple(findings.warnings),
        mentions=tuple(dict.fromkeys(mention for _, pod in made for mention in pod.mentions)),
        is_frozen=is_frozen(doc),
    )


def _workload(doc: Document, template: ComponentTemplate, composed: ComposedPod, site: Site) -> OnDemandWorkload:
    spec, pod = template.spec, composed.pod
    said = {name: value for name, value in pod.annotations.items() if name not in OF_SERVICES}
    annotations = scaled(said, spec, read_autoscaler_config(site.world))
    concurrency, timeout = spec.get("containerConcurrency"), spec.get("timeout")
    return OnDemandWorkload(
        name=template.configuration,
        pod=replace(pod, annotations=annotations),
        labels={**own_labels(doc), "component": template.role},
        annotations={name: annotation(doc, name) for name in OF_SERVICES if annotation(doc, name)},
        concurrency=concurrency if isinstance(concurrency, int) else None,
        timeout_s=timeout if isinstance(timeout, int) else None,
        traffic=traffic(doc, template.role),
        component=template.role,
        kept=kept(doc, template.role),
    )
