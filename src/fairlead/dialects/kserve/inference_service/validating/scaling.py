"""What a component may say of its scaling, which depends on who scales: Knative's autoscaler, Kubernetes' or KEDA."""

from collections.abc import Iterator, Mapping

from fairlead.dialects.kserve.annotations import CLASS, HPA
from fairlead.dialects.kserve.inference_service.schema import (
    ComponentExtension,
    Metric,
    MetricTarget,
    ResourceMetric,
)
from fairlead.dialects.kserve.problems import problem
from fairlead.errors import Problem
from fairlead.plan import quantity

AUTOSCALER_CLASS = "serving.kserve.io/autoscalerClass"
AUTOSCALERS = ("hpa", "keda", "external", "none")
_MIB = 1024**2
_BAD_PERCENT = "the target utilization percentage should be a [1-100] integer"


def autoscaler_problems(annotations: Mapping[str, str]) -> Iterator[Problem]:
    """Of the whole service."""
    name = annotations.get(AUTOSCALER_CLASS)
    if name is not None and name not in AUTOSCALERS:
        path = f"metadata.annotations.{AUTOSCALER_CLASS}"
        yield problem(path, f"[{name}] is not a supported autoscaler class type")


def scaling_problems(
    component: ComponentExtension, path: str, annotations: Mapping[str, str], *, is_standard: bool
) -> Iterator[Problem]:
    """Of one component."""
    if not is_standard:
        yield from _knative_problems(component, path, annotations)
        return
    name = annotations.get(AUTOSCALER_CLASS, "hpa")
    if name == "hpa":
        yield from _hpa_problems(component, path)
    elif name == "keda":
        yield from _keda_problems(component, path)


def _knative_problems(component: ComponentExtension, path: str, annotations: Mapping[str, str]) -> Iterator[Problem]:
    if component.deployment_strategy is not None:
        text = "customizing deploymentStrategy is only supported for raw deployment mode"
        yield problem(f"{path}.deploymentStrategy", text)
    if annotations.get(CLASS) == HPA:
        yield from _hpa_problems(component, path)
        return
    metric, target = component.scale_metric, component.scale_target
    if metric is not None and metric not in ("concurrency", "rps"):
        yield problem(f"{path}.scaleMetric", f"[{metric}] is not a supported metric")
    if metric == "rps" and target is not None and target < 1:
        yield problem(f"{path}.scaleTarget", "the target for rps should be greater than 1")


def _hpa_problems(component: ComponentExtension, path: str) -> Iterator[Problem]:
    metric, target = component.scale_metric or "cpu", component.scale_target
    if metric not in ("cpu", "memory"):
        yield problem(f"{path}.scaleMetric", f"[{metric}] is not a supported metric")
    if target is not None:
        if (metric == "cpu" and target < 1) or target > 100:
            yield problem(f"{path}.scaleTarget", _BAD_PERCENT)
        elif metric == "memory" and target < 1:
            yield problem(f"{path}.scaleTarget", "the target memory should be greater than 1 MiB")
    for index, item in enumerate(component.auto_scaling.metrics if component.auto_scaling else ()):
        place = f"{path}.autoScaling.metrics[{index}]"
        if item.type != "Resource":
            text = f"invalid HPA metric source type with value [{item.type}],valid metric source types are Resource"
            yield problem(f"{place}.type", text)
        elif item.resource is None:
            yield problem(place, "metricSpec.Resource is not set for resource metric source type")


def _keda_problems(component: ComponentExtension, path: str) -> Iterator[Problem]:
    if component.scale_metric is not None:
        yield problem(f"{path}.scaleMetric", "ScaleMetric is not supported for KEDA")
    for index, item in enumerate(component.auto_scaling.metrics if component.auto_scaling else ()):
        yield from _keda_metric_problems(item, f"{path}.autoScaling.metrics[{index}]")


def _keda_metric_problems(metric: Metric, path: str) -> Iterator[Problem]:
    if metric.type == "Resource":
        if metric.resource is None:
            yield problem(path, "metricSpec.Resource is not set for resource metric source type")
        else:
            yield from _resource_problems(metric.resource, f"{path}.resource")
    elif metric.type == "External":
        if metric.external is None:
            yield problem(path, "metricSpec.External is not set for external metric source type")
        else:
            source = metric.external.metric
            yield from _query_problems(source.query, metric.external.target, f"{path}.external")
    elif metric.type == "PodMetric":
        if metric.podmetric is None:
            yield problem(path, "metricSpec.PodMetric is not set for pod metric source type")
        else:
            yield from _query_problems(metric.podmetric.metric.query, metric.podmetric.target, f"{path}.podmetric")
    else:
        text = f"unknown KEDA metric type with value [{metric.type}].Valid types are Resource,External,PodMetric"
        yield problem(f"{path}.type", text)


def _resource_problems(resource: ResourceMetric, path: str) -> Iterator[Problem]:
    target, place = resource.target, f"{path}.target"
    if resource.name == "cpu":
        if target.type != "Utilization":
            yield problem(f"{place}.type", "the cpu target value type should be Utilization")
            return
    elif resource.name == "memory":
        if target.type not in ("AverageValue", "Utilization"):
            yield problem(f"{place}.type", "the memory target value type should be AverageValue or Utilization")
            return
    else:
        yield problem(f"{path}.name", f"resource type {resource.name} is not supported")
        return
    missing = list(_missing_value(target, place))
    yield from missing
    if missing:
        return
    percent = target.average_utilization
    if target.type == "Utilization" and percent is not None and not 1 <= percent <= 100:
        yield problem(f"{place}.averageUtilization", _BAD_PERCENT)
    if target.type == "AverageValue" and _amount(target.average_value) < _MIB:
        yield problem(f"{place}.averageValue", "the memory target value should be greater than 1 MiB")


def _query_problems(query: str, target: MetricTarget, path: str) -> Iterator[Problem]:
    if not query:
        yield problem(f"{path}.metric.query", "the query should not be empty")
    if target.type is not None:
        yield from _missing_value(target, f"{path}.target")
    elif target.value is None and target.average_value is None and target.average_utilization is None:
        yield problem(f"{path}.target", "the target threshold value should not be empty")


def _missing_value(target: MetricTarget, path: str) -> Iterator[Problem]:
    """A target names its type, and the field of that name is to be there."""
    fields = {
        "Utilization": ("AverageUtilization", target.average_utilization),
        "AverageValue": ("AverageValue", target.average_value),
        "Value": ("Value", target.value),
    }
    if target.type is None:
        return
    name, value = fields[target.type]
    if value is None:
        yield problem(path, f"the {name} type should be set")


def _amount(value: str | float | None) -> float:
    try:
        return float(quantity.parse(value)) if value is not None else 0.0
    except ValueError:
        return 0.0
