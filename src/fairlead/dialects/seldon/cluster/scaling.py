"""How many pods a Deployment has, and who decides that: a number, a HorizontalPodAutoscaler or KEDA.

KEDA wins over an HPA, and either over a number. Where KEDA is not enabled, `kedaSpec` is as if it were not there, with
a warning; upstream then writes neither a scaler nor a number.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.dialects.seldon.cluster.raw import Json, copied
from fairlead.dialects.seldon.cluster.site import Site
from fairlead.plan.layout import Budget, EventScaler, HorizontalScaler

_VALUE, _AVERAGE, _UTILIZATION = "Value", "AverageValue", "Utilization"


def replicas_of(site: Site, index: int) -> int | None:
    """The number of pods where nothing else decides: the pod's own, the predictor's, the deployment's."""
    if scaler_of(site, index) is not None:
        return None
    pod, predictor = site.predictor.component_specs[index], site.predictor
    given = (pod.replicas, predictor.replicas, site.sdep.spec.replicas)
    return next((count for count in given if count is not None), None)


def scaler_of(site: Site, index: int) -> HorizontalScaler | EventScaler | None:
    """What scales pod number `index`."""
    pod = site.pods[index]
    keda, horizontal = pod.get("kedaSpec"), pod.get("hpaSpec")
    if keda and site.installation.has_keda:
        return EventScaler(spec=copied(keda))
    if keda:
        where = f"{site.outer.path}.componentSpecs[{index}].kedaSpec"
        site.findings.warn(f"{where} is ignored: KEDA is not enabled in this installation (keda.enabled)")
    if not horizontal:
        return None
    return HorizontalScaler(
        min_replicas=horizontal.get("minReplicas"),
        max_replicas=horizontal["maxReplicas"],
        metrics=tuple(horizontal_metrics(horizontal)),
    )


def budget_of(site: Site, index: int) -> Budget | None:
    """How many pods may be taken away at once."""
    written = site.pods[index].get("pdbSpec")
    if not written:
        return None
    return Budget(min_available=written.get("minAvailable"), max_unavailable=written.get("maxUnavailable"))


def horizontal_metrics(written: Mapping[str, Any]) -> Sequence[Json]:
    """The metrics of an `hpaSpec` in the form of autoscaling/v2; `metrics` are in that of v2beta1, and win."""
    if written.get("metrics"):
        return [_converted(metric) for metric in written["metrics"]]
    metrics: Sequence[Json] = copied(written.get("metricsv2") or [])
    return metrics


def _converted(metric: Mapping[str, Any]) -> Json:
    """One metric; what is in the newer form already stays as it is."""
    kind = str(metric.get("type", ""))
    field = f"{kind[:1].lower()}{kind[1:]}"
    source = metric.get(field)
    if not isinstance(source, Mapping) or _is_new(kind, source):
        return dict(copied(metric))
    if kind in ("Resource", "ContainerResource"):
        converted: Json = {"name": source.get("name")}
        if kind == "ContainerResource":
            converted["container"] = source.get("container")
    else:
        converted = {"metric": _metric(source)}
        if kind == "Object":
            converted["describedObject"] = copied(source.get("target"))
    return {"type": kind, field: {**converted, "target": _target(source)}}


def _is_new(kind: str, source: Mapping[str, Any]) -> bool:
    """An object's `target` was the object itself in the old form; in the new one it has a `type` as all others do."""
    target = source.get("target")
    return isinstance(target, Mapping) and ("type" in target if kind == "Object" else True)


def _metric(source: Mapping[str, Any]) -> Json:
    selector = source.get("selector") or source.get("metricSelector")
    metric: Json = {"name": source.get("metricName")}
    return {**metric, "selector": copied(selector)} if selector else metric


def _target(source: Mapping[str, Any]) -> Json:
    if "targetAverageUtilization" in source:
        return {"type": _UTILIZATION, "averageUtilization": source["targetAverageUtilization"]}
    average = source.get("targetAverageValue", source.get("averageValue"))
    if average is not None:
        return {"type": _AVERAGE, "averageValue": average}
    return {"type": _VALUE, "value": source.get("targetValue")}
