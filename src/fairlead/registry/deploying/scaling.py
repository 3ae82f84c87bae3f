"""How parts scale: the clients' words for it, and the `autoscaling` of a BentoDeployment.

What the clients' words cannot say (metrics of other kinds, policies of steps) is not shown to them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fairlead.registry.deploying.bodies import Hpa, HpaPolicy
from fairlead.registry.deploying.words import Metric, Pace

Json = dict[str, Any]

# What a horizontal autoscaler does by itself when it scales down; that is what "stable" means here, both ways.
STABLE_WINDOW_S = 300
# Clients before 1.2 that say how to scale, but not from where to where, mean these.
OLD_MIN_REPLICAS, OLD_MAX_REPLICAS = 2, 10
_PODS_METRICS = {Metric.QPS: "http_request", Metric.GPU: "gpu_utilization"}


def from_hpa(hpa: Hpa | None, *, fills_in: bool) -> Json | None:
    """The `autoscaling` that is meant; `None` leaves it at one replica. With `fills_in` missing numbers are those that
    clients before 1.2 mean."""
    if hpa is None:
        return None
    low = hpa.min_replicas if hpa.min_replicas is not None else OLD_MIN_REPLICAS if fills_in else 1
    high = hpa.max_replicas if hpa.max_replicas is not None else OLD_MAX_REPLICAS if fills_in else max(low, 1)
    found: Json = {"minReplicas": low, "maxReplicas": max(low, high)}
    metrics = [_metric(kind, value) for kind, value in _asked(hpa)]
    if metrics:
        found["metrics"] = metrics
    behavior = _behavior(hpa.policy) if hpa.policy else {}
    if behavior:
        found["behavior"] = behavior
    return found


def _asked(hpa: Hpa) -> Iterable[tuple[Metric, str]]:
    for kind in (Metric.CPU, Metric.MEMORY, Metric.GPU, Metric.QPS):
        value = getattr(hpa, kind.value)
        if value is not None:
            yield kind, str(value)
    for metric in (hpa.policy.metrics if hpa.policy else None) or ():
        yield metric.type, metric.value


def _metric(kind: Metric, value: str) -> Json:
    if kind is Metric.CPU and value.rstrip("%").isdigit():
        target: Json = {"type": "Utilization", "averageUtilization": int(value.rstrip("%"))}
        return {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    target = {"type": "AverageValue", "averageValue": value}
    if kind in _PODS_METRICS:
        return {"type": "Pods", "pods": {"metric": {"name": _PODS_METRICS[kind]}, "target": target}}
    return {"type": "Resource", "resource": {"name": kind.value, "target": target}}


def _behavior(policy: HpaPolicy) -> Json:
    ways = {
        "scaleDown": (policy.scale_down_behavior, policy.scale_down_stabilization_window),
        "scaleUp": (policy.scale_up_behavior, policy.scale_up_stabilization_window),
    }
    return {name: _rules(pace, window_s) for name, (pace, window_s) in ways.items() if pace or window_s is not None}


def _rules(pace: Pace | None, window_s: int | None) -> Json:
    if pace is Pace.DISABLED:
        return {"selectPolicy": "Disabled"}
    if window_s is not None:
        return {"stabilizationWindowSeconds": window_s}
    return {"stabilizationWindowSeconds": STABLE_WINDOW_S if pace is Pace.STABLE else 0}


def to_hpa(autoscaling: Mapping[str, Any] | None) -> Json | None:
    """The clients' words for an `autoscaling`."""
    if autoscaling is None:
        return None
    found: Json = {"min_replicas": autoscaling.get("minReplicas"), "max_replicas": autoscaling.get("maxReplicas")}
    policy: Json = {}
    metrics = _shown(autoscaling.get("metrics") or ())
    if metrics:
        policy["metrics"] = metrics
    for name, way in (("scaleDown", "scale_down"), ("scaleUp", "scale_up")):
        policy |= _paced(way, (autoscaling.get("behavior") or {}).get(name))
    return found | ({"policy": policy} if policy else {})


def _shown(metrics: Sequence[Mapping[str, Any]]) -> list[Json]:
    by_name = {name: kind for kind, name in _PODS_METRICS.items()} | {"cpu": Metric.CPU, "memory": Metric.MEMORY}
    found = []
    for metric in metrics:
        source = metric.get("resource") or metric.get("pods") or {}
        kind = by_name.get(source.get("name") or (source.get("metric") or {}).get("name") or "")
        target = source.get("target") or {}
        value = target.get("averageUtilization", target.get("averageValue"))
        if kind is not None and value is not None:
            found.append({"type": kind.value, "value": str(value)})
    return found


def _paced(way: str, rules: Mapping[str, Any] | None) -> Json:
    if not rules:
        return {}
    if rules.get("selectPolicy") == "Disabled":
        return {f"{way}_behavior": Pace.DISABLED.value}
    window_s = rules.get("stabilizationWindowSeconds")
    if window_s is None:
        return {}
    words = {0: Pace.FAST, STABLE_WINDOW_S: Pace.STABLE}
    if window_s in words:
        return {f"{way}_behavior": words[window_s].value}
    return {f"{way}_stabilization_window": window_s}
