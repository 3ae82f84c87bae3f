"""InferenceServices in a few words, and what they are lowered to."""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service.lower import component_of, templates_of
from fairlead.dialects.kserve.inference_service.settings import Settings
from fairlead.dialects.kserve.serving_runtime.builtin import built_in_runtimes
from fairlead.plan.model import Component, Plan, Unit
from fairlead.plan.status import PlanStatus


class Stored:
    """A world with these objects and the runtimes of an installation."""

    def __init__(self, *documents: Document) -> None:
        self._documents = [*documents, *built_in_runtimes()]

    def get(self, kind: str, namespace: str, name: str) -> Document | None:
        return next((one for one in self.list(kind, namespace) if one["metadata"]["name"] == name), None)

    def list(self, kind: str, namespace: str | None = None) -> Sequence[Document]:
        of_kind = [one for one in self._documents if one["kind"] == kind]
        of_kind.sort(key=lambda one: one["metadata"]["name"])
        return [one for one in of_kind if namespace is None or one["metadata"].get("namespace", "") == namespace]

    def plan(self, kind: str, namespace: str, name: str) -> Plan | None:
        return None

    def observed(self, kind: str, namespace: str, name: str) -> PlanStatus | None:
        return None


def isvc(predictor: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    """A defaulted service `iris` in `models`. `annotations` and `labels` are its own; the rest are components."""
    metadata = {name: others.pop(name) for name in ("annotations", "labels") if name in others}
    model = predictor.get("model") or {}
    if model.get("modelFormat"):
        metadata["annotations"] = {"modelFormat": model["modelFormat"]["name"], **metadata.get("annotations", {})}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris", "namespace": "models", **metadata},
        "spec": {"predictor": dict(predictor), **others},
    }


def model(name: str = "sklearn", uri: str = "gs://models/iris", **fields: Any) -> dict[str, Any]:
    """A predictor of one format."""
    return {"model": {"modelFormat": {"name": name}, "storageUri": uri, **fields}}


def container(image: str = "example.com/mine:1", **fields: Any) -> dict[str, Any]:
    """A component of one container."""
    return {"containers": [{"name": "kserve-container", "image": image, **fields}]}


def lowered(
    doc: Document,
    *stored: Document,
    role: str = "predictor",
    is_knative: bool = True,
    catalog: Catalog | None = None,
    settings: Settings | None = None,
) -> tuple[Component, list[str]]:
    """A component of the service and the warnings about all of them."""
    findings = Findings()
    templates = templates_of(doc, world=Stored(*stored), is_knative=is_knative)
    components = [
        component_of(one, catalog=catalog or Catalog(), settings=settings or Settings(), findings=findings)
        for one in templates
    ]
    findings.check()
    found = next(one for one in components if one is not None and one.role == role)
    return found, findings.warnings


def unit_of(doc: Document, *stored: Document, **how: Any) -> Unit:
    """The first unit of a component."""
    return lowered(doc, *stored, **how)[0].revision.units[0]
