"""Turns an InferenceService into what plans are made of: templates of its components, and components of templates.

`templates_of` reads a defaulted document and finds the runtime of its model among those that are stored; what comes
after needs nothing but the templates. Which of them, old and new, are in the plan, and who gets their requests, is
decided by `rollout`. Pure: no network, no clock, no environment.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.dialects.base import Document, World
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service.canaries import effective
from fairlead.dialects.kserve.inference_service.components import component_of, timeout_s
from fairlead.dialects.kserve.inference_service.fetching import fetch_env
from fairlead.dialects.kserve.inference_service.schema import Model
from fairlead.dialects.kserve.inference_service.settings import Settings, read_settings
from fairlead.dialects.kserve.inference_service.template import PREDICTOR, ROLES, ComponentTemplate
from fairlead.dialects.kserve.serving_runtime.reading import runtimes_for
from fairlead.dialects.kserve.serving_runtime.selection import Request, select
from fairlead.dialects.secret_names import secret_names
from fairlead.plan.model import Component, Owner, Plan, Route

__all__ = ["Settings", "component_of", "plan_of", "read_settings", "templates_of", "timeout_s"]

_NOT_OF_TEMPLATES = frozenset(
    (
        "kubectl.kubernetes.io/last-applied-configuration",
        "serving.kserve.io/stop",
        "serving.kserve.io/deploymentMode",
        "serving.kserve.io/enable-tag-routing",
        "serving.kserve.io/disable-auto-update",
        "serving.knative.dev/rollout-duration",
        "serving.knative.openshift.io/enablePassthrough",
    )
)
"""Annotations that say something of the service as a whole: a change of one makes no new version of a component."""


def templates_of(doc: Document, *, world: World, is_knative: bool = True) -> tuple[ComponentTemplate, ...]:
    """The components that a document asks for, the predictor first; canaries of Standard mode are others of its kind.
    Raises `NoRuntime` for a model that no runtime serves."""
    spec = doc["spec"]
    stable = [
        template_of(doc, role, spec[role], world=world, is_knative=is_knative)
        for role in ROLES
        if spec.get(role) is not None
    ]
    canaries = (
        []
        if is_knative
        else [
            template_of(
                doc,
                PREDICTOR,
                effective(spec[PREDICTOR], one["predictor"]),
                world=world,
                is_knative=False,
                canary=one["predictor"]["name"],
            )
            for one in spec.get("canary") or ()
        ]
    )
    return (*stable, *canaries)


def template_of(
    doc: Document, role: str, part: Mapping[str, Any], *, world: World, is_knative: bool, canary: str = ""
) -> ComponentTemplate:
    """One component of a document."""
    meta = doc["metadata"]
    own = {name: value for name, value in part.items() if name != "canaryTrafficPercent" and value is not None}
    runtime = None
    if role == PREDICTOR and own.get("model") is not None:
        runtime, own = _resolved(own, meta.get("namespace", ""), world)
    annotations = meta.get("annotations") or {}
    return ComponentTemplate(
        namespace=meta.get("namespace", ""),
        service=meta["name"],
        role=role,
        spec=own,
        runtime=runtime,
        annotations={name: value for name, value in annotations.items() if name not in _NOT_OF_TEMPLATES},
        labels=dict(meta.get("labels") or {}),
        is_knative=is_knative,
        canary=canary,
        fetch_env=list(fetch_env(own, world)),
    )


def plan_of(
    doc: Document, components: Sequence[Component], routes: Sequence[Route], findings: Findings, *, docs_path: str = ""
) -> Plan:
    """The plan. Raises `InvalidManifest` for what the findings hold against it."""
    findings.check()
    meta = doc["metadata"]
    return Plan(
        owner=Owner(
            api_version=doc["apiVersion"],
            kind=doc["kind"],
            namespace=meta.get("namespace", ""),
            name=meta["name"],
            uid=meta.get("uid", ""),
            generation=meta.get("generation", 0),
        ),
        components=tuple(components),
        routes=tuple(routes),
        secrets=secret_names(components),
        labels=tuple(sorted((meta.get("labels") or {}).items())),
        warnings=tuple(findings.warnings),
        docs_path=docs_path,
    )


def _resolved(own: dict[str, Any], namespace: str, world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """The runtime of a model, and the component with the protocol that it is served by."""
    model = Model.model_validate(own["model"])
    request = Request(
        format=model.model_format.name,
        version=model.model_format.version,
        protocol=model.protocol_version,
        runtime=model.runtime or "",
        is_multi_node=own.get("workerSpec") is not None,
    )
    selected = select(request, runtimes_for(namespace, world))
    runtime = selected.resolved()
    if model.protocol_version or not selected.protocol:
        return runtime, own
    return runtime, {**own, "model": {**own["model"], "protocolVersion": selected.protocol}}
