"""`autoscaling.knative.dev/*`: how Knative reads them, and what it says of those that it cannot.

KServe hands these annotations to Knative unread, so a bad one is no reason to refuse an InferenceService: the service
says so in its status, in the words of Knative's webhook.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from fairlead.dialects.kserve import durations
from fairlead.dialects.kserve.autoscaler_config import WINDOW_MAX_S, WINDOW_MIN_S, AutoscalerConfig
from fairlead.errors import InvalidManifest, Problem, Where
from fairlead.plan.scaling import KnativeScaling, ScaleMetric

DOMAIN = "autoscaling.knative.dev/"
KPA, HPA = "kpa.autoscaling.knative.dev", "hpa.autoscaling.knative.dev"
CLASS, METRIC, TARGET, WINDOW = f"{DOMAIN}class", f"{DOMAIN}metric", f"{DOMAIN}target", f"{DOMAIN}window"
MIN_SCALE, MAX_SCALE, INITIAL_SCALE = f"{DOMAIN}min-scale", f"{DOMAIN}max-scale", f"{DOMAIN}initial-scale"
UTILIZATION, BURST = f"{DOMAIN}target-utilization-percentage", f"{DOMAIN}target-burst-capacity"
PANIC_WINDOW, PANIC_THRESHOLD = f"{DOMAIN}panic-window-percentage", f"{DOMAIN}panic-threshold-percentage"
RETENTION, DOWN_DELAY = f"{DOMAIN}scale-to-zero-pod-retention-period", f"{DOMAIN}scale-down-delay"
ACTIVATION, AGGREGATION = f"{DOMAIN}activation-scale", f"{DOMAIN}metric-aggregation-algorithm"
_ALIASES = {
    MIN_SCALE: f"{DOMAIN}minScale",
    MAX_SCALE: f"{DOMAIN}maxScale",
    INITIAL_SCALE: f"{DOMAIN}initialScale",
    DOWN_DELAY: f"{DOMAIN}scaleDownDelay",
    UTILIZATION: f"{DOMAIN}targetUtilizationPercentage",
    BURST: f"{DOMAIN}targetBurstCapacity",
    PANIC_WINDOW: f"{DOMAIN}panicWindowPercentage",
    PANIC_THRESHOLD: f"{DOMAIN}panicThresholdPercentage",
    RETENTION: f"{DOMAIN}scaleToZeroPodRetentionPeriod",
}
LINEAR, WEIGHTED = "linear", "weighted-exponential"
_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaling:
    """What the annotations say. A number of replicas is `None` when they do not say."""

    min_replicas: int | None = None
    max_replicas: int | None = None
    initial_replicas: int | None = None
    is_horizontal: bool = False
    """Whether Kubernetes' rule is wanted (`class: hpa…`), by `metric`."""
    metric: str = ScaleMetric.CONCURRENCY.value
    target: float | None = None
    scaling: KnativeScaling = field(default_factory=KnativeScaling)
    """Knative's own rule; of use when `is_horizontal` is not set."""


def read_autoscaling(
    annotations: Mapping[str, str], config: AutoscalerConfig, *, container_concurrency: int = 0
) -> Autoscaling:
    """What a revision's annotations ask of the autoscaler; `config` has what they leave open. A concurrency limit
    bounds the target. Raises `InvalidManifest` in the words of Knative's webhook."""
    reader = _Reader(annotations)
    is_horizontal = reader.choice(CLASS, (KPA, HPA), KPA) == HPA
    metric = _metric(reader, is_horizontal=is_horizontal)
    least, most = reader.replicas(MIN_SCALE), reader.replicas(MAX_SCALE)
    if least is not None and most and most < least:
        reader.refuse(f"max-scale={most} is less than min-scale={least}", MAX_SCALE, MIN_SCALE)
    initial = reader.replicas(INITIAL_SCALE)
    if initial == 0 and not config.allow_zero_initial_scale:
        reader.refuse("invalid value: 0", INITIAL_SCALE)
    target = reader.number(TARGET, least=0.01)
    scaling = _scaling(reader, config, metric, _target(metric, target, config, container_concurrency))
    reader.check()
    return Autoscaling(
        min_replicas=least,
        max_replicas=most,
        initial_replicas=initial,
        is_horizontal=is_horizontal,
        metric=metric,
        target=target,
        scaling=scaling,
    )


def _metric(reader: "_Reader", *, is_horizontal: bool) -> str:
    if is_horizontal:
        return reader.choice(METRIC, ("cpu", "memory"), "cpu")
    return reader.choice(METRIC, (ScaleMetric.CONCURRENCY, ScaleMetric.RPS), ScaleMetric.CONCURRENCY)


def _target(metric: str, target: float | None, config: AutoscalerConfig, container_concurrency: int) -> float:
    """Per replica, before utilization."""
    if metric == ScaleMetric.RPS:
        return target or config.requests_per_second_target_default
    if container_concurrency > 0:
        return min(target or container_concurrency, container_concurrency)
    return target or config.container_concurrency_target_default


def _scaling(reader: "_Reader", config: AutoscalerConfig, metric: str, target: float) -> KnativeScaling:
    utilization = reader.between(UTILIZATION, 1, 100)
    panic_window = reader.between(PANIC_WINDOW, 1, 100)
    panic_threshold = reader.between(PANIC_THRESHOLD, 110, 1000)
    window = reader.duration(WINDOW, WINDOW_MIN_S, is_whole=True)
    retention, delay = reader.duration(RETENTION), reader.duration(DOWN_DELAY, is_whole=True)
    burst = reader.number(BURST, least=0, or_else=-1)
    activation = reader.replicas(ACTIVATION, least=2)
    return KnativeScaling(
        metric=ScaleMetric.RPS if metric == ScaleMetric.RPS else ScaleMetric.CONCURRENCY,
        target=target,
        utilization=config.target_utilization if utilization is None else utilization / 100,
        stable_window_s=config.stable_window_s if window is None else window,
        panic_window_percent=config.panic_window_percentage if panic_window is None else panic_window,
        panic_threshold_percent=config.panic_threshold_percentage if panic_threshold is None else panic_threshold,
        max_up_rate=config.max_scale_up_rate,
        max_down_rate=config.max_scale_down_rate,
        may_reach_zero=config.enable_scale_to_zero,
        zero_grace_s=config.scale_to_zero_grace_period_s,
        zero_retention_s=config.scale_to_zero_pod_retention_period_s if retention is None else retention,
        burst_capacity=config.target_burst_capacity if burst is None else burst,
        down_delay_s=config.scale_down_delay_s if delay is None else delay,
        activation_scale=activation or 1,
        is_weighted=reader.choice(AGGREGATION, (LINEAR, WEIGHTED), LINEAR) == WEIGHTED,
    )


@dataclass(slots=True)
class _Reader:
    """Reads one value at a time and collects what is wrong."""

    annotations: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, message: str, *keys: str) -> None:
        places = ", ".join(f"metadata.annotations.{key}" for key in keys)
        self.problems.append(Problem(where=Where(path=places), message=message, field=places))

    def check(self) -> None:
        if self.problems:
            texts = "\n".join(f"{problem.message}: {problem.field}" for problem in self.problems)
            raise InvalidManifest(self.problems, message=f"validation failed: {texts}")

    def choice(self, key: str, accepted: tuple[str, ...], default: str) -> str:
        text = self.annotations.get(key, default)
        if text not in accepted:
            self.refuse(f"invalid value: {text}", key)
            return default
        return text

    def replicas(self, key: str, *, least: int = 0) -> int | None:
        found = self._find(key)
        if found is None:
            return None
        text, name = found
        value = int(text) if text.removeprefix("-").removeprefix("+").isdecimal() else None
        if value is None or abs(value) > _LARGEST:
            self.refuse(f"invalid value: {text}", name)
            return None
        if value < least:
            self.refuse(f"expected {least} <= {value} <= {_LARGEST}", name)
            return None
        return value

    def number(self, key: str, *, least: float, or_else: float | None = None) -> float | None:
        found = self._find(key)
        if found is None:
            return None
        value = _float(found[0])
        if value is None or (value < least and value != or_else):
            self.refuse(f"invalid value: {found[0]}", found[1])
            return None
        return value

    def between(self, key: str, least: float, most: float) -> float | None:
        found = self._find(key)
        if found is None:
            return None
        text, name = found
        value = _float(text)
        if value is None:
            self.refuse(f"invalid value: {text}", name)
        elif not least <= value <= most:
            self.refuse(f"expected {least:g} <= {text} <= {most:g}", name)
            return None
        return value

    def duration(self, key: str, least: float = 0.0, *, is_whole: bool = False) -> float | None:
        found = self._find(key)
        if found is None:
            return None
        text, name = found
        try:
            value = durations.seconds(text)
        except ValueError:
            self.refuse(f"invalid value: {text}", name)
            return None
        if not least <= value <= WINDOW_MAX_S:
            self.refuse(f"expected {durations.written(least)} <= {text} <= {durations.written(WINDOW_MAX_S)}", name)
        elif is_whole and not value.is_integer():
            self.refuse("must be specified with at most second precision", name)
        return value

    def _find(self, key: str) -> tuple[str, str] | None:
        """The text and the name under which it stands."""
        for name in (key, _ALIASES.get(key, key)):
            if name in self.annotations:
                return self.annotations[name], name
        return None


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
