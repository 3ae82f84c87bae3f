"""What a document asks a cluster for: the templates of its components, whose runtimes are as they are stored, so that
no field of theirs is lost."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.inference_service.canaries import predictor_component
from fairlead.dialects.kserve.inference_service.lower import templates_of
from fairlead.dialects.kserve.inference_service.template import PREDICTOR, ComponentTemplate
from fairlead.dialects.kserve.serving_runtime.schema import KIND as SERVING_RUNTIME
from fairlead.dialects.kserve.site import Site


def asked_templates(doc: Document, site: Site, *, is_knative: bool) -> tuple[ComponentTemplate, ...]:
    """The components, the predictor first and its canaries last. Raises `NoRuntime`."""
    templates = templates_of(doc, world=site.world, is_knative=is_knative)
    return tuple(replace(one, runtime=_whole(one, site)) for one in templates)


def workload_name(template: ComponentTemplate) -> str:
    """The Deployment of a component in Standard mode, and everything that belongs to it."""
    if template.role != PREDICTOR:
        return template.configuration
    return f"{template.service}-{predictor_component(str(template.spec.get('name') or ''))}"


def _whole(template: ComponentTemplate, site: Site) -> Mapping[str, Any] | None:
    runtime = template.runtime
    if runtime is None:
        return None
    namespace = template.namespace if runtime["kind"] == SERVING_RUNTIME else ""
    stored = site.world.get(runtime["kind"], namespace, runtime["name"])
    return runtime if stored is None else {**runtime, "spec": stored["spec"]}
