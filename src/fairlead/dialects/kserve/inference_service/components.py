"""One component of an InferenceService as a component of a plan. Pure.

A component that a revision of long ago was made of is lowered by the same function as the newest: all it is made from
is in its template.
"""

from dataclasses import replace

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service.ignored import warn_of_pod, warn_of_unit
from fairlead.dialects.kserve.inference_service.pods import Pod, pod_of
from fairlead.dialects.kserve.inference_service.scale import lower_limits, lower_scale
from fairlead.dialects.kserve.inference_service.settings import Settings
from fairlead.dialects.kserve.inference_service.taps import lower_batching, lower_loggers
from fairlead.dialects.kserve.inference_service.template import ComponentTemplate
from fairlead.dialects.kserve.inference_service.units import Bench, Lowered, unit_of
from fairlead.dialects.sealing import seal
from fairlead.plan.model import Call, Chain, Component, ComponentName, Graph, Method, Protocol, Revision, Step, UnitName

ENVIRONMENT = "fairlead.dev/environment"
"""When an environment is built for a component's code or model."""
DRAIN_S = 30.0
TIMEOUT_S = 300.0
"""What a request may take in Knative's mode."""
STANDARD_TIMEOUT_S = 60.0
PROGRESS_DEADLINE_S = 600.0


def timeout_s(template: ComponentTemplate) -> float:
    """How long a request to the component may take."""
    said = template.spec.get("timeout")
    if said:
        return float(said)
    return TIMEOUT_S if template.is_knative else STANDARD_TIMEOUT_S


def component_of(
    template: ComponentTemplate, *, catalog: Catalog, settings: Settings, findings: Findings
) -> Component | None:
    """The component, under its role's name; `None` when the findings say why there is none."""
    pod = pod_of(template, findings, settings.service.explainers)
    if pod is None:
        return None
    bench = Bench(catalog=catalog, findings=findings, credentials=settings.service.credentials)
    warn_of_pod(pod, findings)
    units = _units(pod, bench)
    return Component(
        name=ComponentName(template.role),
        full_name=template.configuration,
        revision=_revision(pod, units, settings, findings),
        scale=lower_scale(pod, settings, findings),
        group=template.configuration,
        progress_deadline_s=PROGRESS_DEADLINE_S,
        labels=tuple(sorted(pod.labels.items())),
        role=template.role,
        patience_s=timeout_s(template),
        containers=_containers(pod, units),
    )


def _containers(pod: Pod, units: tuple[Lowered, ...]) -> tuple[tuple[UnitName, str], ...]:
    """The units are called as their models, their containers as in the pod."""
    names = (placed.container.name for placed in (pod.transformer, pod.main) if placed is not None)
    return tuple((lowered.unit.name, name) for lowered, name in zip(units, names, strict=True) if name)


def _units(pod: Pod, bench: Bench) -> tuple[Lowered, ...]:
    """What runs, in the order that a request passes it."""
    lowered = []
    for placed in (pod.transformer, pod.main):
        if placed is None:
            continue
        one = unit_of(pod, placed, bench)
        warn_of_unit(pod, placed, one.unit, bench.findings)
        lowered.append(one)
    if len(lowered) == 2:
        return _collocated(lowered[0], lowered[1], bench.findings)
    return tuple(lowered)


def _collocated(transformer: Lowered, predictor: Lowered, findings: Findings) -> tuple[Lowered, ...]:
    """A transformer beside its predictor: both share a process, so nothing is called over a network."""
    unit = transformer.unit
    if unit.runtime != "python":
        message = (
            "a transformer in the predictor's pod must be a Python class here: name it for its image in config.toml"
        )
        findings.lack(unit.where, message)
    name = UnitName(f"{predictor.unit.name}-predictor")
    return (
        replace(transformer, unit=replace(unit, artifact=None, upstream=None)),
        replace(predictor, unit=replace(predictor.unit, name=name)),
    )


def _revision(pod: Pod, lowered: tuple[Lowered, ...], settings: Settings, findings: Findings) -> Revision:
    protocol, *also = lowered[0].speaks
    grace = pod.spec.termination_grace_period_seconds
    return seal(
        Revision(
            hash="",
            units=tuple(one.unit for one in lowered),
            graph=Graph(root=_root(lowered)),
            protocol=protocol,
            also=tuple(also),
            labels=tuple(sorted(pod.labels.items())),
            annotations=tuple((name, value) for name, value in pod.annotations.items() if name == ENVIRONMENT),
            loggers=lower_loggers(pod, settings.service, findings),
            batching=lower_batching(pod, findings) if Protocol.V1 in lowered[0].speaks else None,
            limits=lower_limits(pod),
            drain_s=DRAIN_S if grace is None else float(grace),
        )
    )


def _root(lowered: tuple[Lowered, ...]) -> Step:
    if len(lowered) == 1:
        return Call(unit=lowered[0].unit.name, method=Method.PREDICT)
    transformer, predictor = (one.unit.name for one in lowered)
    return Chain(
        steps=(
            Call(unit=transformer, method=Method.TRANSFORM_INPUT),
            Call(unit=predictor, method=Method.PREDICT),
            Call(unit=transformer, method=Method.TRANSFORM_OUTPUT),
        )
    )
