"""How many replicas a component has, and what decides it: values of a plan, apart because there are many of them.

Rules are msgspec structs, as steps are: a union of plain dataclasses cannot be read back.
"""

from dataclasses import dataclass
from enum import StrEnum

import msgspec


class ScaleMetric(StrEnum):
    """What a component's load is measured by."""

    CONCURRENCY = "concurrency"
    RPS = "rps"
    CPU = "cpu"
    MEMORY = "memory"
    EXTERNAL = "external"


class KnativeScaling(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Knative's pod autoscaler: requests under way, or per second, averaged over a stable and a panic window.

    `target` is per replica, before `utilization` is applied; 0 means the limit of concurrent requests, else the
    metric's default. The defaults are Knative's.
    """

    metric: ScaleMetric = ScaleMetric.CONCURRENCY
    target: float = 0.0
    utilization: float = 0.7
    stable_window_s: float = 60.0
    panic_window_percent: float = 10.0
    panic_threshold_percent: float = 200.0
    max_up_rate: float = 1000.0
    max_down_rate: float = 2.0
    may_reach_zero: bool = True
    zero_grace_s: float = 30.0
    zero_retention_s: float = 0.0
    burst_capacity: float = 211.0
    down_delay_s: float = 0.0
    activation_scale: int = 1
    is_weighted: bool = False
    """Newer measurements count for more (`weighted-exponential`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricTarget:
    """One metric of Kubernetes' rule. `kind` is `utilization` (percent of what is requested), `average` (per replica;
    cores or bytes for resources) or `value` (all replicas together). External metrics say where to ask: `server` is
    `prometheus` or `graphite`."""

    metric: ScaleMetric
    kind: str
    target: float
    server: str = ""
    address: str = ""
    query: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingPolicy:
    """At most so many replicas (`Pods`) or percent of them (`Percent`) in a period."""

    type: str
    value: int
    period_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingRules:
    """One direction of Kubernetes' `behavior`. `select` is `Max`, `Min` or `Disabled`."""

    window_s: float
    select: str = "Max"
    policies: tuple[ScalingPolicy, ...] = ()


class HorizontalScaling(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Kubernetes' rule: replicas x current / target, the largest of all metrics, within a tolerance of 10 %."""

    metrics: tuple[MetricTarget, ...]
    up: ScalingRules = ScalingRules(window_s=0.0)
    down: ScalingRules = ScalingRules(window_s=300.0)
    may_reach_zero: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalePolicy:
    """How many replicas. Without `auto` it is a fixed number: `initial_replicas` within the bounds. With it
    `max_replicas` 0 is no bound; `initial_replicas` is where a component starts whose replicas nobody knows of, and the
    least until it first had that many. A component that is not reachable gets no requests by any route of its own, and
    its `min_replicas` does not count."""

    min_replicas: int = 1
    max_replicas: int = 1
    initial_replicas: int = 1
    auto: KnativeScaling | HorizontalScaling | None = None
    is_reachable: bool = True
