"""What a revision's annotations say of its scale: the manifest's own, with what the component's fields say over
them."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.kserve import annotations as knative
from fairlead.dialects.kserve.autoscaler_config import AutoscalerConfig

_RESOURCES = ("cpu", "memory")


def scaled(annotations: Mapping[str, str], spec: Mapping[str, Any], config: AutoscalerConfig) -> dict[str, str]:
    """The annotations of a revision's pods. `spec` has KServe's fields of a component. Knative takes one form of a name
    for all, so the older one is left out where a field says the same."""
    said = {key: value for key, value in annotations.items() if key not in _by_fields(spec)}
    said.setdefault(knative.CLASS, knative.KPA)
    said[knative.MIN_SCALE] = str(_number(spec.get("minReplicas"), 1))
    if most := _number(spec.get("maxReplicas"), 0):
        said[knative.MAX_SCALE] = str(most)
    if spec.get("scaleTarget") is not None:
        said[knative.TARGET] = str(spec["scaleTarget"])
    metric = spec.get("scaleMetric")
    # Each autoscaler has metrics of its own and refuses the other's.
    if metric is not None and (metric in _RESOURCES) is (said[knative.CLASS] == knative.HPA):
        said[knative.METRIC] = str(metric)
    return _without_bad_start(said, config)


def _by_fields(spec: Mapping[str, Any]) -> set[str]:
    names = {knative.MIN_SCALE, knative.MAX_SCALE, f"{knative.DOMAIN}minScale", f"{knative.DOMAIN}maxScale"}
    fields = {"scaleTarget": knative.TARGET, "scaleMetric": knative.METRIC}
    return names | {name for field, name in fields.items() if spec.get(field) is not None}


def _without_bad_start(said: dict[str, str], config: AutoscalerConfig) -> dict[str, str]:
    """Knative refuses a whole service for a first number of replicas that it cannot read, or must not be 0."""
    first = said.get(knative.INITIAL_SCALE)
    if first is not None and not (first.isdecimal() and (int(first) or config.allow_zero_initial_scale)):
        del said[knative.INITIAL_SCALE]
    return said


def _number(value: object, default: int) -> int:
    return value if isinstance(value, int) else default
