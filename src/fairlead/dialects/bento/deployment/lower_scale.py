"""How many replicas a part has, and by what rule that changes, on one machine.

Metrics of resources follow Kubernetes' rule. To zero, and by requests, it goes as in Knative: what counts are requests
under way or per second, which the gateway knows.
"""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.bento.deployment.parts import DeploymentPart
from fairlead.dialects.bento.deployment.schema import Autoscaling
from fairlead.dialects.bento.deployment.to_stored import CPU_PERCENT, MOST, QPS
from fairlead.dialects.findings import Findings
from fairlead.plan import quantity
from fairlead.plan.scaling import (
    HorizontalScaling,
    KnativeScaling,
    MetricTarget,
    ScaleMetric,
    ScalePolicy,
    ScalingPolicy,
    ScalingRules,
)

METRIC, TARGET = "autoscaling.knative.dev/metric", "autoscaling.knative.dev/target"
_RESOURCES = {"cpu": ScaleMetric.CPU, "memory": ScaleMetric.MEMORY}
_DOWN_WINDOW_S = 300.0


def bounds_of(autoscaling: Autoscaling | None) -> tuple[int, int]:
    """The least and the most replicas: one without a word, up to ten without a bound."""
    if autoscaling is None:
        return 1, 1
    low = 1 if autoscaling.min_replicas is None else autoscaling.min_replicas
    high = max(low, MOST) if autoscaling.max_replicas is None else autoscaling.max_replicas
    return low, max(high, low, 1)


def lower_scale(part: DeploymentPart, findings: Findings, *, was_ready: bool) -> ScalePolicy:
    """The policy. What slept when this process started sleeps on."""
    low, high = bounds_of(part.autoscaling)
    first = low if was_ready else max(low, 1)
    if part.autoscaling is None or low == high:
        return ScalePolicy(min_replicas=low, max_replicas=high, initial_replicas=low)
    requests = _by_requests(part, findings)
    if requests is not None or low == 0:
        by = requests or KnativeScaling()
        return ScalePolicy(min_replicas=low, max_replicas=high, initial_replicas=first, auto=by)
    metrics = tuple(_metrics(part.autoscaling, f"{part.path}.autoscaling.metrics", findings))
    if not metrics:
        findings.warn(f"{part.path}.autoscaling: no metric is followed; {max(low, 1)} replicas run")
        return ScalePolicy(min_replicas=low, max_replicas=low, initial_replicas=low)
    behavior = part.autoscaling.behavior or {}
    auto = HorizontalScaling(
        metrics=metrics,
        up=_rules(behavior.get("scaleUp"), 0.0),
        down=_rules(behavior.get("scaleDown"), _DOWN_WINDOW_S),
    )
    return ScalePolicy(min_replicas=low, max_replicas=high, initial_replicas=first, auto=auto)


def _by_requests(part: DeploymentPart, findings: Findings) -> KnativeScaling | None:
    """Asked for by annotations, or by the metric that the old versions call `qps`."""
    asked = part.annotations.get(METRIC, "")
    if asked or TARGET in part.annotations:
        if asked not in ("", "concurrency", "rps"):
            findings.refuse(f"{part.path}.annotations[{METRIC}]", f"{asked!r}; expected concurrency or rps")
        metric = ScaleMetric.RPS if asked == "rps" else ScaleMetric.CONCURRENCY
        text = part.annotations.get(TARGET, "0")
        return KnativeScaling(metric=metric, target=_number(text, f"{part.path}.annotations[{TARGET}]", findings))
    metrics = part.autoscaling.metrics if part.autoscaling is not None else []
    for index, written in enumerate(metrics):
        pods = written.get("pods") or {}
        if (pods.get("metric") or {}).get("name") == QPS:
            if len(metrics) > 1:
                findings.warn(f"{part.path}.autoscaling.metrics: {QPS} is followed, and the others are not")
            path = f"{part.path}.autoscaling.metrics[{index}].pods.target.averageValue"
            target = _number((pods.get("target") or {}).get("averageValue", 0), path, findings)
            return KnativeScaling(metric=ScaleMetric.RPS, target=target, utilization=1.0)
    return None


def _metrics(autoscaling: Autoscaling, path: str, findings: Findings) -> list[MetricTarget]:
    if not autoscaling.metrics:
        return [MetricTarget(metric=ScaleMetric.CPU, kind="utilization", target=float(CPU_PERCENT))]
    found = []
    for index, metric in enumerate(autoscaling.metrics):
        resource = metric.get("resource") or {}
        name = _RESOURCES.get(resource.get("name", ""))
        target = resource.get("target") or {}
        if metric.get("type") != "Resource" or name is None:
            what = metric.get("type") or "no type"
            findings.warn(f"{path}[{index}] is not followed: metrics of type {what} need a collector")
        elif target.get("averageUtilization") is not None:
            percent = float(target["averageUtilization"])
            found.append(MetricTarget(metric=name, kind="utilization", target=percent))
        else:
            kind = "average" if target.get("averageValue") is not None else "value"
            amount = target.get("averageValue", target.get("value", 0))
            where = f"{path}[{index}].resource.target"
            found.append(MetricTarget(metric=name, kind=kind, target=_number(amount, where, findings)))
    return found


def _number(amount: Any, path: str, findings: Findings) -> float:
    try:
        return float(quantity.parse(amount))
    except (ValueError, TypeError, AttributeError) as error:
        findings.refuse(path, str(error))
        return 0.0


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
