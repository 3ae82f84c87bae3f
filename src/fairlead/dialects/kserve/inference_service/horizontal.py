"""Kubernetes' rule for a component in Standard mode: the metrics of an HPA, or the triggers of a KEDA ScaledObject."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service.pods import Pod
from fairlead.dialects.kserve.inference_service.schema import Metric
from fairlead.dialects.kserve.inference_service.schema import MetricTarget as Written
from fairlead.dialects.kserve.inference_service.settings import Settings
from fairlead.plan import quantity
from fairlead.plan.scaling import HorizontalScaling, MetricTarget, ScaleMetric, ScalingPolicy, ScalingRules

DEFAULT_CPU_PERCENT = 80.0
_RESOURCES = {"cpu": ScaleMetric.CPU, "memory": ScaleMetric.MEMORY}
_KINDS = {"Utilization": "utilization", "AverageValue": "average", "Value": "value"}


def horizontal(pod: Pod, settings: Settings, *, is_keda: bool, findings: Findings) -> HorizontalScaling | None:
    """The rule; `None` when no metric is left to follow, so that the number stays where it is."""
    scaling = pod.spec.auto_scaling
    if scaling is not None and scaling.metrics:
        found = [
            _metric(one, f"{pod.path}.autoScaling.metrics[{index}]", findings)
            for index, one in enumerate(scaling.metrics)
        ]
        metrics = tuple(one for one in found if one is not None)
    else:
        metrics = _by_fields(pod)
    if not metrics:
        findings.warn(f"{pod.path}: no metric is followed; minReplicas run")
        return None
    windows = settings.service.autoscaler
    behavior = scaling.behavior if scaling is not None and scaling.behavior and is_keda else {}
    return HorizontalScaling(
        metrics=metrics,
        up=_rules(behavior.get("scaleUp"), float(windows.scale_up_stabilization_window_seconds)),
        down=_rules(behavior.get("scaleDown"), float(windows.scale_down_stabilization_window_seconds)),
        may_reach_zero=is_keda and pod.spec.min_replicas == 0,
    )


def _by_fields(pod: Pod) -> tuple[MetricTarget, ...]:
    """`scaleMetric` and `scaleTarget`. A memory target is percent, as KServe hands it to the HPA."""
    spec = pod.spec
    if spec.scale_metric == "memory":
        if not spec.scale_target:
            return ()
        return (MetricTarget(metric=ScaleMetric.MEMORY, kind="utilization", target=float(spec.scale_target)),)
    percent = float(spec.scale_target or DEFAULT_CPU_PERCENT)
    return (MetricTarget(metric=ScaleMetric.CPU, kind="utilization", target=percent),)


def _metric(written: Metric, path: str, findings: Findings) -> MetricTarget | None:
    if written.type == "Resource" and written.resource is not None:
        metric = _RESOURCES.get(written.resource.name, ScaleMetric.CPU)
        kind, target = _target(written.resource.target, f"{path}.resource.target", findings)
        default = DEFAULT_CPU_PERCENT if metric is ScaleMetric.CPU else 0.0
        if not target and not default:
            return None
        return MetricTarget(metric=metric, kind=kind, target=target or default)
    if written.type == "External" and written.external is not None:
        asked = written.external.metric
        kind, target = _target(written.external.target, f"{path}.external.target", findings)
        if written.external.authentication_ref is not None:
            findings.warn(f"{path}.external.authenticationRef is not used: metrics are asked for without credentials")
        return MetricTarget(
            metric=ScaleMetric.EXTERNAL,
            kind="average" if kind == "utilization" else kind,
            target=target,
            server=asked.backend,
            address=asked.server_address,
            query=asked.query,
            namespace=asked.namespace,
        )
    findings.warn(f"{path} is not followed: metrics of type {written.type or 'none'} need a collector in the pod")
    return None


def _target(written: Written, path: str, findings: Findings) -> tuple[str, float]:
    kind = _KINDS.get(written.type or "Utilization", "utilization")
    value = {
        "utilization": written.average_utilization,
        "average": written.average_value,
        "value": written.value,
    }[kind]
    if value is None:
        return kind, 0.0
    try:
        return kind, float(quantity.parse(value))
    except ValueError as error:
        findings.refuse(path, str(error))
        return kind, 0.0


def _rules(written: Any, window_s: float) -> ScalingRules:
    """One direction of a `behavior`."""
    if not isinstance(written, Mapping):
        return ScalingRules(window_s=window_s)
    policies = tuple(
        ScalingPolicy(
            type=str(one.get("type", "")), value=int(one.get("value", 0)), period_s=float(one["periodSeconds"])
        )
        for one in written.get("policies") or ()
        if one.get("periodSeconds")
    )
    window = written.get("stabilizationWindowSeconds")
    return ScalingRules(
        window_s=window_s if window is None else float(window),
        select=str(written.get("selectPolicy") or "Max"),
        policies=policies,
    )
