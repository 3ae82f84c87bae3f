"""What scales a Deployment of Standard mode: an autoscaling/v2 HPA, or a ScaledObject of KEDA."""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service.cluster.triggers import triggers_of
from fairlead.dialects.kserve.inference_service.scale import AUTOSCALER_CLASS
from fairlead.dialects.kserve.inference_service.template import ComponentTemplate
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import EventScaler, HorizontalScaler

Json = dict[str, Any]

HPA, KEDA, EXTERNAL, NONE = "hpa", "keda", "external", "none"
_DEFAULT_PERCENT = 80


def autoscaler_class(template: ComponentTemplate) -> str:
    """Who decides the number of replicas."""
    said = template.annotations.get(AUTOSCALER_CLASS)
    return said or (NONE if template.spec.get("workerSpec") is not None else HPA)


def fixed_replicas(template: ComponentTemplate) -> int | None:
    """The number that is written; `None` when something else decides."""
    least = template.spec.get("minReplicas")
    return (1 if least is None else int(least)) if autoscaler_class(template) == NONE else None


def scaler_of(
    template: ComponentTemplate, name: str, site: Site, findings: Findings
) -> HorizontalScaler | EventScaler | None:
    """The scaler of a component's Deployment; `None` for a number that is fixed or decided elsewhere."""
    kind = autoscaler_class(template)
    if kind == KEDA:
        return _by_events(template, name, site, findings)
    return _horizontal(template) if kind == HPA else None


def _horizontal(template: ComponentTemplate) -> HorizontalScaler:
    spec = template.spec
    least = max(int(spec.get("minReplicas") or 1), 1)
    scaling = spec.get("autoScaling") or {}
    written = scaling.get("metrics")
    metrics = _metrics(written) if written else _by_fields(spec)
    return HorizontalScaler(
        min_replicas=least,
        max_replicas=max(int(spec.get("maxReplicas") or 0), least),
        metrics=tuple(metrics),
        behavior=scaling.get("behavior"),
    )


def _by_fields(spec: Mapping[str, Any]) -> list[Json]:
    """`scaleMetric` and `scaleTarget`. A memory target is percent, as KServe hands it to the HPA; without one no
    metric is followed."""
    target = spec.get("scaleTarget")
    if spec.get("scaleMetric") == "memory":
        return [_resource("memory", _percent(target))] if target else []
    return [_resource("cpu", _percent(target or _DEFAULT_PERCENT))]


def _metrics(written: Sequence[Mapping[str, Any]]) -> list[Json]:
    found = []
    for one in written:
        resource = one.get("resource")
        if resource is None:
            continue
        name, target = resource.get("name") or "cpu", resource.get("target") or {}
        if name == "cpu" or target.get("type") != "AverageValue":
            percent = target.get("averageUtilization") or (_DEFAULT_PERCENT if name == "cpu" else None)
            if percent is not None:
                found.append(_resource(name, _percent(percent)))
        elif target.get("averageValue") is not None:
            found.append(_resource(name, {"type": "AverageValue", "averageValue": str(target["averageValue"])}))
    return found


def _resource(name: str, target: Json) -> Json:
    return {"type": "Resource", "resource": {"name": name, "target": target}}


def _percent(percent: int) -> Json:
    return {"type": "Utilization", "averageUtilization": int(percent)}


def _by_events(template: ComponentTemplate, name: str, site: Site, findings: Findings) -> EventScaler:
    spec = template.spec
    least = 1 if spec.get("minReplicas") is None else int(spec["minReplicas"])
    behavior = (spec.get("autoScaling") or {}).get("behavior") or {}
    windows = site.config.autoscaler
    directions = (
        ("scaleUp", windows.scale_up_stabilization_window_seconds),
        ("scaleDown", windows.scale_down_stabilization_window_seconds),
    )
    rules = {
        direction: {"stabilizationWindowSeconds": int(window), **(said if isinstance(said, Mapping) else {})}
        for direction, window in directions
        for said in (behavior.get(direction),)
    }
    written: Json = {
        "minReplicaCount": least,
        "maxReplicaCount": max(int(spec.get("maxReplicas") or 0), least, 1),
        "triggers": triggers_of(template, name, site, findings),
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": rules}},
    }
    return EventScaler(spec=written)
