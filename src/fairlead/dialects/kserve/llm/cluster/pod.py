"""The pod of an LLMInferenceService: its template, with a server, its model and what fetches that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service.artifacts import STORAGE_URI
from fairlead.dialects.kserve.inference_service.cluster.pods import ComposedPod, composed_pod
from fairlead.dialects.kserve.inference_service.fetching import variables_for
from fairlead.dialects.kserve.inference_service.pods import NOT_ON_PODS
from fairlead.dialects.kserve.inference_service.template import PREDICTOR, ComponentTemplate
from fairlead.dialects.kserve.llm.cluster.names import selector, workload
from fairlead.dialects.kserve.llm.cluster.server import server_of
from fairlead.dialects.kserve.llm.schema import MAIN, LlmSpec
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import PodTemplate

_OF_SERVICES = ("INFERENCE_SERVICE_NAME", STORAGE_URI)
_STOP = "serving.kserve.io/stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Template(ComponentTemplate):
    """The same as an InferenceService's, under another name."""

    @property
    def configuration(self) -> str:
        return workload(self.service)


def labels_of(doc: Document, spec: LlmSpec) -> dict[str, str]:
    """The labels of the pods."""
    name = str(doc["metadata"]["name"])
    fixed = {"app.kubernetes.io/component": "llminferenceservice-workload", "llm-d.ai/role": "both"}
    return {**spec.labels, **fixed, **selector(name)}


def annotations_of(doc: Document, spec: LlmSpec) -> dict[str, str]:
    """The annotations of the pods."""
    own = doc["metadata"].get("annotations") or {}
    return {**{key: value for key, value in own.items() if key not in (*NOT_ON_PODS, _STOP)}, **spec.annotations}


def composed(
    doc: Document, raw: Mapping[str, Any], spec: LlmSpec, site: Site, findings: Findings
) -> ComposedPod | None:
    """The pod; `raw` is the spec as JSON. `None`, with the reason among the findings, when there is none to be had."""
    meta, template = doc["metadata"], raw.get("template") or {}
    containers = [dict(one) for one in template.get("containers") or ()]
    written = next((one for one in containers if one.get("name") == MAIN), {})
    called = (spec.model.name if spec.model else None) or meta["name"]
    main = server_of(written, called, spec, site)
    uri = next((one["value"] for one in main["env"] if one.get("name") == STORAGE_URI), "")
    asked = _Template(
        namespace=meta.get("namespace", ""),
        service=meta["name"],
        role=PREDICTOR,
        # The first container is the one that a model is fetched for.
        spec={
            **{key: value for key, value in template.items() if value is not None},
            "containers": [main, *(one for one in containers if one.get("name") != MAIN)],
        },
        annotations=annotations_of(doc, spec),
        labels=labels_of(doc, spec),
        is_knative=False,
        fetch_env=list(variables_for(uri, site.world)) if uri else [],
    )
    return composed_pod(asked, site, findings)


def settled(pod: PodTemplate, doc: Document, spec: LlmSpec) -> PodTemplate:
    """The pod without what is said to servers of InferenceServices."""
    containers = [_without_told(one) for one in pod.spec["containers"]]
    return PodTemplate(
        spec={**pod.spec, "containers": containers},
        labels=labels_of(doc, spec),
        annotations=dict(pod.annotations),
        own=pod.own,
    )


def _without_told(container: Mapping[str, Any]) -> dict[str, Any]:
    env = [one for one in container.get("env") or () if one.get("name") not in _OF_SERVICES]
    rest = {key: value for key, value in container.items() if key != "env"}
    return {**rest, "env": env} if env else rest
