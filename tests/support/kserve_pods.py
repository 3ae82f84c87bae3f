"""Pods of components of InferenceServices, as they lie in a cluster."""

from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service.cluster.asked import asked_templates
from fairlead.dialects.kserve.inference_service.cluster.pods import ComposedPod, composed_pod
from fairlead.dialects.kserve.site import site_of
from support.isvc import Stored


def composed(
    doc: Document,
    *stored: Document,
    settings: ClusterSettings | None = None,
    is_knative: bool = False,
    number: int = 0,
) -> tuple[ComposedPod, list[str]]:
    """The pod of one of a document's components, and the warnings."""
    site, findings = site_of(settings or ClusterSettings(), Stored(*stored)), Findings()
    template = asked_templates(doc, site, is_knative=is_knative)[number]
    found = composed_pod(template, site, findings)
    findings.check()
    assert found is not None
    return found, findings.warnings


def containers(pod: ComposedPod) -> dict[str, dict[str, Any]]:
    """All containers of a pod by name."""
    spec = pod.pod.spec
    return {one["name"]: one for one in (*spec["containers"], *spec.get("initContainers", ()))}
