"""Turns one LLMInferenceService into a plan: one component whose unit is a Hugging Face model, or a container of a
server that is not known here. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from fairlead.dialects.base import Document, World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.annotations import TARGET
from fairlead.dialects.kserve.inference_service.artifacts import STORAGE_URI
from fairlead.dialects.kserve.inference_service.fetching import variables_for
from fairlead.dialects.kserve.inference_service.flags import settings_of
from fairlead.dialects.kserve.inference_service.ignored import warn_of_pod, warn_of_unit
from fairlead.dialects.kserve.inference_service.pods import NOT_ON_PODS, Placed, Pod
from fairlead.dialects.kserve.inference_service.rollout import is_stopped
from fairlead.dialects.kserve.inference_service.runtime_defaults import MODELS
from fairlead.dialects.kserve.inference_service.scale import lower_scale
from fairlead.dialects.kserve.inference_service.settings import Settings, read_settings
from fairlead.dialects.kserve.inference_service.template import PREDICTOR, ComponentTemplate
from fairlead.dialects.kserve.inference_service.units import SERVED_NAME, Bench, unit_of
from fairlead.dialects.kserve.llm.addresses import addresses_of
from fairlead.dialects.kserve.llm.missing import missing
from fairlead.dialects.kserve.llm.presets import combined, typed
from fairlead.dialects.kserve.llm.schema import MAIN, LlmSpec
from fairlead.dialects.kserve.llm.serving import ADDED_ARGUMENTS, PORT, default_words, flags
from fairlead.dialects.kserve.llm.validate import whole
from fairlead.dialects.podspec import Container, Volume
from fairlead.dialects.sealing import seal
from fairlead.dialects.secret_names import secret_names
from fairlead.plan.model import (
    Call,
    Component,
    ComponentName,
    Graph,
    Method,
    Owner,
    Parameter,
    Plan,
    Revision,
    Unit,
    UnitName,
)
from fairlead.plan.scaling import ScalePolicy

COMPONENT = ComponentName("main")
IMAGE = "vllm/vllm-openai"
"""What serves where a template names no image."""
ROLE = "workload"
DRAIN_S = 30.0
PATIENCE_S = 600.0
"""How long requests wait for a model that is being loaded."""
UNDER_WAY = 32
"""The requests that one replica generates for at once, unless its flags say otherwise."""
_SEQUENCES = "max-num-seqs"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Template(ComponentTemplate):
    """The pod of a service, under the name that a cluster gives it."""

    @property
    def configuration(self) -> str:
        return workload_name(self.service)


class _Pod(Pod):
    """Its place in the manifest is another than an InferenceService's."""

    @property
    def path(self) -> str:
        return "spec.template"


def workload_name(service: str) -> str:
    """What a cluster calls the Deployment."""
    return f"{service}-kserve"


def lower(doc: Document, catalog: Catalog, world: World) -> Plan:
    """The plan of a valid service. Raises `ConfigNotFound`, `NotCombined` and `InvalidManifest`."""
    raw = combined(doc, world).spec
    spec = typed(raw)
    whole(doc, spec)
    settings, findings = read_settings(world), Findings()
    name = doc["metadata"]["name"]
    model = (spec.model.name if spec.model else None) or name
    addresses = addresses_of(doc, model, settings.service, world)
    components: tuple[Component, ...] = ()
    if not is_stopped(doc):
        components = (_component(doc, raw, spec, _Needs(catalog, world, settings, findings)),)
    for sentence in (*missing(spec), *addresses.warnings()):
        findings.warn(sentence)
    findings.check()
    return Plan(
        owner=owner_of(doc),
        components=components,
        routes=tuple(addresses.routes(COMPONENT)) if components else (),
        secrets=secret_names(components),
        labels=tuple(sorted((doc["metadata"].get("labels") or {}).items())),
        warnings=tuple(findings.warnings),
        docs_path=f"{addresses.path}/docs/" if components else "",
    )


@dataclass(frozen=True, slots=True)
class _Needs:
    """What lowering needs besides the service."""

    catalog: Catalog
    world: World
    settings: Settings
    findings: Findings


def _component(doc: Document, raw: Mapping[str, Any], spec: LlmSpec, bench: _Needs) -> Component:
    name = doc["metadata"]["name"]
    pod = _pod(doc, raw, spec, bench)
    tools = Bench(catalog=bench.catalog, findings=bench.findings, credentials=bench.settings.service.credentials)
    lowered = unit_of(pod, pod.main, tools)
    unit = _served(lowered.unit, pod.main.container, name, spec)
    warn_of_pod(pod, bench.findings)
    warn_of_unit(pod, pod.main, unit, bench.findings)
    labels = tuple(sorted(pod.labels.items()))
    protocol, *also = lowered.speaks
    grace = pod.spec.termination_grace_period_seconds
    revision = Revision(
        hash="",
        units=(unit,),
        graph=Graph(root=Call(unit=unit.name, method=Method.PREDICT)),
        protocol=protocol,
        also=tuple(also),
        labels=labels,
        drain_s=DRAIN_S if grace is None else float(grace),
    )
    return Component(
        name=COMPONENT,
        full_name=workload_name(name),
        revision=seal(revision),
        scale=_scale(pod, spec, bench),
        group=workload_name(name),
        labels=labels,
        role=ROLE,
        patience_s=PATIENCE_S,
    )


def _pod(doc: Document, raw: Mapping[str, Any], spec: LlmSpec, bench: _Needs) -> Pod:
    """The pod of a replica, with its server's command line as flags where the server is one of ours."""
    meta, template = doc["metadata"], raw.get("template") or {}
    written = [dict(one) for one in template.get("containers") or ()]
    index = next((index for index, one in enumerate(written) if one.get("name") == MAIN), -1)
    main = _main(written[index] if index >= 0 else {}, meta["name"], spec, bench)
    fields = {key: value for key, value in template.items() if value is not None}
    uri = _variable(main, STORAGE_URI)
    held = _Template(
        namespace=meta.get("namespace", ""),
        service=meta["name"],
        role=PREDICTOR,
        spec={**fields, **_bounds(main, doc, spec), "containers": written},
        annotations=dict(meta.get("annotations") or {}),
        labels=dict(meta.get("labels") or {}),
        fetch_env=list(variables_for(uri, bench.world)) if uri else [],
    )
    where = "spec.template.containers[{}]"
    try:
        others = [
            Placed(container=Container.model_validate(one), path=where.format(at))
            for at, one in enumerate(written)
            if at != index
        ]
        inits = [
            Placed(container=Container.model_validate(one), path=f"spec.template.initContainers[{at}]")
            for at, one in enumerate(template.get("initContainers") or ())
        ]
        return _Pod(
            template=held,
            main=Placed(container=Container.model_validate(main), path=where.format(max(index, 0))),
            transformer=None,
            others=tuple(others),
            inits=tuple(inits),
            volumes=tuple(Volume.model_validate(one) for one in template.get("volumes") or ()),
            protocol="",
            labels=_labels(doc, spec),
            annotations=_annotations(doc, spec),
        )
    except ValidationError as error:
        bench.findings.refuse("spec.template", str(error.errors()[0]["msg"]))
        bench.findings.check()
        raise


def _main(written: Mapping[str, Any], name: str, spec: LlmSpec, bench: _Needs) -> dict[str, Any]:
    """The container that serves. One of ours gets flags alone; any other starts as vLLM does unless it says how."""
    image = written.get("image") or IMAGE
    env = {str(one.get("name")): str(one.get("value") or "") for one in written.get("env") or ()}
    command, args = written.get("command") or [], written.get("args") or []
    entry = bench.catalog.find(image)
    is_ours = entry is not None and entry.runtime == "huggingface"
    fetches = spec.storage_initializer is None or spec.storage_initializer.enabled is not False
    if not fetches and is_ours:
        bench.findings.warn("spec.storageInitializer.enabled is not used: spec.model.uri is fetched")
    uri = spec.model.uri if spec.model is not None and (fetches or is_ours) else ""
    main = {**written, "name": MAIN, "image": image}
    main["env"] = [*(written.get("env") or ()), *([{"name": STORAGE_URI, "value": uri}] if uri else [])]
    if is_ours:
        return {**main, "command": [], "args": list(flags(command, args, env))}
    if entry is None:
        bench.findings.warn(
            f"spec.template: {image} runs as a container, which needs Docker or Podman: no runtime here stands for "
            "its image"
        )
    if not command and not args:
        called = (spec.model.name if spec.model else None) or name
        main["command"] = list(default_words(MODELS, called, env.get(ADDED_ARGUMENTS, "")))
    return {**main, "ports": written.get("ports") or [{"containerPort": PORT}]}


def _bounds(main: Mapping[str, Any], doc: Document, spec: LlmSpec) -> dict[str, Any]:
    """What an InferenceService would have said of its scale."""
    if spec.scaling is None:
        return {}
    said = {**(doc["metadata"].get("annotations") or {}), **spec.annotations}
    bounds: dict[str, Any] = {"maxReplicas": spec.scaling.max_replicas, "minReplicas": spec.scaling.min_replicas}
    if TARGET not in said:
        most = settings_of(main.get("args") or ()).get(_SEQUENCES, "")
        bounds["scaleTarget"] = int(most) if most.isdecimal() and int(most) else UNDER_WAY
    return {key: value for key, value in bounds.items() if value is not None}


def _scale(pod: Pod, spec: LlmSpec, bench: _Needs) -> ScalePolicy:
    if spec.scaling is not None:
        return lower_scale(pod, bench.settings, bench.findings)
    count = 1 if spec.replicas is None else spec.replicas
    return ScalePolicy(min_replicas=count, max_replicas=count, initial_replicas=count)


def _served(unit: Unit, main: Container, name: str, spec: LlmSpec) -> Unit:
    """The unit under the service's name, and with its model's, which need not be one for paths."""
    env = tuple(variable for variable in unit.env if variable.name != STORAGE_URI)
    unit = replace(unit, name=UnitName(name), env=env)
    if unit.runtime != "huggingface":
        return unit
    called = settings_of(main.args).get("served-model-name") or (spec.model.name if spec.model else None) or name
    parameters = tuple(one for one in unit.parameters if one.name != SERVED_NAME)
    if called != name:
        parameters = (*parameters, Parameter(name=SERVED_NAME, value=called))
    return replace(unit, parameters=parameters)


def _variable(container: Mapping[str, Any], name: str) -> str:
    return next((str(one.get("value") or "") for one in container["env"] if one.get("name") == name), "")


def _labels(doc: Document, spec: LlmSpec) -> dict[str, str]:
    fixed = {
        "app.kubernetes.io/component": "llminferenceservice-workload",
        "app.kubernetes.io/name": doc["metadata"]["name"],
        "app.kubernetes.io/part-of": "llminferenceservice",
        "kserve.io/component": "workload",
        "llm-d.ai/role": "both",
    }
    return {**spec.labels, **fixed}


def _annotations(doc: Document, spec: LlmSpec) -> dict[str, str]:
    own = doc["metadata"].get("annotations") or {}
    return {**{key: value for key, value in own.items() if key not in NOT_ON_PODS}, **spec.annotations}


def owner_of(doc: Document) -> Owner:
    """The document as the owner of what is made of it."""
    meta = doc["metadata"]
    return Owner(
        api_version=doc["apiVersion"],
        kind=doc["kind"],
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        generation=meta.get("generation", 0),
    )
