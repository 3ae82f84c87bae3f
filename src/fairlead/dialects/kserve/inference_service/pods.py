"""The pod of one component, as a cluster would have it: a runtime's containers under the manifest's own.

Nothing is decided here about what runs; that is read off the pod by the modules beside this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.config import ExplainersConfig
from fairlead.dialects.kserve.inference_service.images import tagged
from fairlead.dialects.kserve.inference_service.injected import art_container, with_arguments
from fairlead.dialects.kserve.inference_service.merging import merged_containers, merged_pods
from fairlead.dialects.kserve.inference_service.placeholders import NotFilled, filled
from fairlead.dialects.kserve.inference_service.runtime_defaults import Added, additions, server_type
from fairlead.dialects.kserve.inference_service.schema import (
    PREDICTOR_CONTAINER,
    TRANSFORMER_CONTAINER,
    ArtExplainer,
    Model,
    Predictor,
)
from fairlead.dialects.kserve.inference_service.template import EXPLAINER, PREDICTOR, ComponentTemplate
from fairlead.dialects.podspec import Container, Volume

Json = Mapping[str, Any]

_OWN = frozenset(
    ("modelFormat", "runtime", "storageUri", "storage", "protocolVersion", "runtimeVersion", "confidential", "name")
)
"""What a model has that is no field of a container."""
NOT_ON_PODS = frozenset(
    (
        "autoscaling.knative.dev/min-scale",
        "autoscaling.knative.dev/max-scale",
        "internal.serving.kserve.io/storage-initializer-sourceuri",
        "kubectl.kubernetes.io/last-applied-configuration",
        "modelFormat",
    )
)
"""Annotations of a service that its pods do not get."""
_INTERNAL_ONLY = "networking.knative.dev/visibility"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A container, and where the manifest has it."""

    container: Container
    path: str


@dataclass(frozen=True)
class Pod:
    """Everything that one replica of a component was to be. `main` predicts, transforms or explains; `transformer` is
    the container beside a predictor that requests reach first."""

    template: ComponentTemplate
    main: Placed
    transformer: Placed | None
    others: tuple[Placed, ...]
    inits: tuple[Placed, ...]
    volumes: tuple[Volume, ...]
    protocol: str
    """Of the model: `v1`, `v2`, `grpc-v1`, `grpc-v2`; of containers of one's own, what their `PROTOCOL` says."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    model: Model | None = None
    art: ArtExplainer | None = None

    @cached_property
    def spec(self) -> Predictor:
        """The component's own part of the manifest; a predictor's has every field that the other two have."""
        return Predictor.model_validate(self.template.spec)

    @property
    def path(self) -> str:
        """The component in the manifest."""
        return f"spec.{self.template.role}"

    @property
    def service_account(self) -> str:
        """Whose Secrets hold credentials."""
        return self.spec.service_account_name or self.spec.service_account

    @property
    def server_type(self) -> str:
        """Which server its runtime starts; empty for none or an unknown one."""
        return server_type(self.template.runtime) if self.template.runtime is not None else ""

    def volume(self, name: str) -> Volume | None:
        """The volume of that name."""
        return next((volume for volume in self.volumes if volume.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """A pod as JSON. `containers` are by name, each with where the manifest has it; `main` names the component's own.
    `pod` has the component's part of the manifest over what the runtime says of the pod itself."""

    containers: Mapping[str, tuple[dict[str, Any], str]]
    main: str
    pod: dict[str, Any]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    protocol: str
    model: Model | None

    def init_containers(self, template: ComponentTemplate) -> list[dict[str, Any]]:
        """What the manifest has run before."""
        return [_named(one, template) for one in template.spec.get("initContainers") or ()]


def assembled(template: ComponentTemplate, findings: Findings, explainers: ExplainersConfig) -> Assembled | None:
    """The pod as JSON; `None`, with the reason among the findings, when there is none to be had."""
    spec = template.spec
    runtime = template.runtime if template.role == PREDICTOR and spec.get("model") is not None else None
    added, model = Added(protocol=""), None
    if runtime is not None:
        model = Model.model_validate(spec["model"])
        has_storage = bool(model.storage_uri or model.storage or spec.get("storageUris"))
        added = additions(model, runtime, service=template.service, has_storage=has_storage)
    containers, main = _containers(template, runtime, added, findings, explainers)
    if main is None:
        return None
    return Assembled(
        containers=containers,
        main=main,
        pod=merged_pods(_pod_level(runtime), spec),
        labels=_labels(template, runtime, added),
        annotations=_annotations(template, runtime),
        protocol=added.protocol,
        model=model,
    )


def pod_of(template: ComponentTemplate, findings: Findings, explainers: ExplainersConfig) -> Pod | None:
    """The pod; `None`, with the reason among the findings, when there is none to be had."""
    spec, found = template.spec, assembled(template, findings, explainers)
    if found is None:
        return None
    main = found.main
    try:
        volumes = tuple(Volume.model_validate(one) for one in found.pod.get("volumes") or ())
        placed = {name: Placed(container=_typed(one), path=path) for name, (one, path) in found.containers.items()}
        inits = tuple(
            Placed(container=_typed(one), path=f"spec.{template.role}.initContainers[{index}]")
            for index, one in enumerate(found.init_containers(template))
        )
    except ValidationError as error:
        findings.refuse(f"spec.{template.role}", str(error.errors()[0]["msg"]))
        return None
    beside = placed.get(TRANSFORMER_CONTAINER) if template.role == PREDICTOR else None
    return Pod(
        template=template,
        main=placed[main],
        transformer=beside if main != TRANSFORMER_CONTAINER else None,
        others=tuple(one for name, one in placed.items() if name not in (main, TRANSFORMER_CONTAINER)),
        inits=inits,
        volumes=volumes,
        protocol=found.protocol or _said_protocol(placed[main].container),
        labels=found.labels,
        annotations=found.annotations,
        model=found.model,
        art=ArtExplainer.model_validate(spec["art"]) if template.role == EXPLAINER and spec.get("art") else None,
    )


def _containers(
    template: ComponentTemplate, runtime: Json | None, added: Added, findings: Findings, explainers: ExplainersConfig
) -> tuple[dict[str, tuple[dict[str, Any], str]], str | None]:
    """The containers by name, each with its place, and which of them is the component's own."""
    path = f"spec.{template.role}"
    own: dict[str, tuple[dict[str, Any], str]] = {}
    for index, container in enumerate(template.spec.get("containers") or ()):
        name = container.get("name") or PREDICTOR_CONTAINER
        own[name] = (_named(container, template), f"{path}.containers[{index}]")
    if template.spec.get("art") is not None:
        own[PREDICTOR_CONTAINER] = (_named(art_container(template, explainers.art), template), f"{path}.art")
        return own, PREDICTOR_CONTAINER
    if runtime is None:
        main = PREDICTOR_CONTAINER if PREDICTOR_CONTAINER in own else next(iter(own), None)
        if main is None:
            findings.refuse(path, "there is no container to run")
        elif template.role != PREDICTOR:
            own[main] = (with_arguments(own[main][0], template), own[main][1])
        return own, main
    server = _server(template, runtime, added, findings)
    if server is None:
        return own, None
    theirs = {one["name"]: one for one in runtime["spec"].get("containers") or () if one.get("name")}
    found = {PREDICTOR_CONTAINER: (server, f"{path}.model")}
    for name, container in theirs.items():
        if name != PREDICTOR_CONTAINER:
            mine, where = own.pop(name, ({}, f"{path}.model.runtime"))
            found[name] = (_named(merged_containers(container, mine), template), where)
    return found | own, PREDICTOR_CONTAINER


def _server(template: ComponentTemplate, runtime: Json, added: Added, findings: Findings) -> dict[str, Any] | None:
    """The runtime's server with what the model says of it."""
    path, name = f"spec.{template.role}.model", runtime["name"]
    containers = runtime["spec"].get("containers") or ()
    theirs = next((one for one in containers if one.get("name") == PREDICTOR_CONTAINER), None)
    if theirs is None:
        message = (
            f"failed to find {PREDICTOR_CONTAINER} in ServingRuntime containers"
            if containers
            else "no container configuration found in selected serving runtime"
        )
        findings.refuse(f"{path}.runtime", message)
        return None
    model = template.spec["model"]
    mine = {key: value for key, value in model.items() if key not in _OWN}
    extra = {"env": [{"name": key, "value": value} for key, value in added.env], "args": list(added.args)}
    merged = merged_containers(theirs, merged_containers(extra, mine))
    meta = {
        "name": template.service,
        "namespace": template.namespace,
        "labels": {**template.labels, **dict(added.labels)},
        "annotations": template.annotations,
    }
    try:
        container: dict[str, Any] = filled(merged, meta)
    except NotFilled as error:
        message = f"failed to replace placeholders in serving runtime {name} Container {PREDICTOR_CONTAINER}: {error}"
        findings.refuse(f"{path}.runtime", message)
        return None
    container["image"] = tagged(
        container.get("image") or "",
        runtime_version=model.get("runtimeVersion") or "",
        server_type=server_type(runtime),
        resources=container.get("resources") or {},
    )
    return _named({**container, "name": PREDICTOR_CONTAINER}, template)


def _named(container: Json, template: ComponentTemplate) -> dict[str, Any]:
    """Every container of a service knows its name."""
    env = [one for one in container.get("env") or () if one.get("name") != "INFERENCE_SERVICE_NAME"]
    return {**container, "env": [*env, {"name": "INFERENCE_SERVICE_NAME", "value": template.service}]}


def _typed(container: Json) -> Container:
    return Container.model_validate(container)


def _pod_level(runtime: Json | None) -> dict[str, Any]:
    if runtime is None:
        return {}
    names = (
        "nodeSelector",
        "affinity",
        "tolerations",
        "volumes",
        "imagePullSecrets",
        "schedulerName",
        "resourceClaims",
    )
    return {name: runtime["spec"][name] for name in names if runtime["spec"].get(name) is not None}


def _said_protocol(container: Container) -> str:
    return next((variable.value for variable in container.env if variable.name == "PROTOCOL"), "") or "v1"


def _labels(template: ComponentTemplate, runtime: Json | None, added: Added) -> dict[str, str]:
    theirs = (runtime["spec"].get("labels") or {}) if runtime is not None else {}
    service = {key: value for key, value in template.labels.items() if key != _INTERNAL_ONLY}
    fixed = {"serving.kserve.io/inferenceservice": template.service, "component": template.role}
    return {**theirs, **service, **dict(added.labels), **(template.spec.get("labels") or {}), **fixed}


def _annotations(template: ComponentTemplate, runtime: Json | None) -> dict[str, str]:
    theirs = (runtime["spec"].get("annotations") or {}) if runtime is not None else {}
    service = {key: value for key, value in template.annotations.items() if key not in NOT_ON_PODS}
    return {**theirs, **service, **(template.spec.get("annotations") or {})}
