"""How many replicas of a graph's own process there are, and by what rule that changes."""

from collections.abc import Mapping

from fairlead.dialects.base import World
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve import annotations as knative
from fairlead.dialects.kserve.autoscaler_config import read_autoscaler_config
from fairlead.dialects.kserve.config import InferenceServiceConfig
from fairlead.dialects.kserve.graph.schema import InferenceGraphSpec
from fairlead.plan.scaling import HorizontalScaling, MetricTarget, ScaleMetric, ScalePolicy, ScalingRules

_CPU_PERCENT = 80.0


def lower_scale(
    spec: InferenceGraphSpec,
    annotations: Mapping[str, str],
    config: InferenceServiceConfig,
    world: World,
    findings: Findings,
    *,
    is_knative: bool,
    was_ready: bool,
) -> ScalePolicy:
    """The policy. Knative's rule in its mode, Kubernetes' in Standard mode. A graph that `was_ready` starts with as few
    as it may have: a restart wakes nothing that slept."""
    low = 1 if spec.min_replicas is None else spec.min_replicas
    if is_knative and spec.scale_metric not in ("cpu", "memory"):
        said = dict(annotations)
        fields = {
            knative.MIN_SCALE: low,
            knative.MAX_SCALE: spec.max_replicas or None,
            knative.TARGET: spec.scale_target,
            knative.METRIC: spec.scale_metric,
        }
        said |= {name: str(value) for name, value in fields.items() if value is not None}
        asked = knative.read_autoscaling(said, read_autoscaler_config(world))
        if not asked.is_horizontal:
            initial = 1 if asked.initial_replicas is None else asked.initial_replicas
            first = low if was_ready else max(low, initial)
            high = max(spec.max_replicas, low) if spec.max_replicas else 0
            return ScalePolicy(min_replicas=low, max_replicas=high, initial_replicas=first, auto=asked.scaling)
    return _horizontal(spec, config, findings, low=max(low, 1))


def _horizontal(
    spec: InferenceGraphSpec, config: InferenceServiceConfig, findings: Findings, *, low: int
) -> ScalePolicy:
    high = max(spec.max_replicas, low)
    metric = ScaleMetric.MEMORY if spec.scale_metric == "memory" else ScaleMetric.CPU
    if spec.scale_metric in ("concurrency", "rps"):
        findings.warn(f"spec.scaleMetric: {spec.scale_metric} is not followed in Standard mode; cpu is")
    percent = float(spec.scale_target or (_CPU_PERCENT if metric is ScaleMetric.CPU else 0))
    if high == low or not percent:
        return ScalePolicy(min_replicas=low, max_replicas=low, initial_replicas=low)
    windows = config.autoscaler
    auto = HorizontalScaling(
        metrics=(MetricTarget(metric=metric, kind="utilization", target=percent),),
        up=ScalingRules(window_s=float(windows.scale_up_stabilization_window_seconds)),
        down=ScalingRules(window_s=float(windows.scale_down_stabilization_window_seconds)),
    )
    return ScalePolicy(min_replicas=low, max_replicas=high, initial_replicas=low, auto=auto)
