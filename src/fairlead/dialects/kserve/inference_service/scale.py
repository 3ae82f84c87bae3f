"""How many replicas a component gets, and by what rule that changes.

In Knative's mode Knative's own autoscaler decides, from `minReplicas`, `maxReplicas`, `scaleMetric`, `scaleTarget`,
`containerConcurrency` and the annotations `autoscaling.knative.dev/*`. In Standard mode it is Kubernetes' rule (the
classes `hpa` and `keda`), or a fixed number (`none`, `external`).
"""

from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve import annotations
from fairlead.dialects.kserve.annotations import read_autoscaling
from fairlead.dialects.kserve.inference_service.horizontal import horizontal
from fairlead.dialects.kserve.inference_service.pods import Pod
from fairlead.dialects.kserve.inference_service.settings import Settings
from fairlead.errors import InvalidManifest
from fairlead.plan.model import Limits
from fairlead.plan.scaling import HorizontalScaling, ScalePolicy

AUTOSCALER_CLASS = "serving.kserve.io/autoscalerClass"
QUEUE_FACTOR = 10
"""So many times the limit of concurrent requests may wait for a replica."""
_RESOURCES = ("cpu", "memory")


def lower_scale(pod: Pod, settings: Settings, findings: Findings) -> ScalePolicy:
    """The policy of one component."""
    spec = pod.spec
    low, high = 1 if spec.min_replicas is None else spec.min_replicas, spec.max_replicas
    if pod.template.is_knative:
        return _knative(pod, low, high, settings, findings)
    kind = pod.template.annotations.get(AUTOSCALER_CLASS, "hpa")
    if kind in ("none", "external"):
        return ScalePolicy(min_replicas=low, max_replicas=max(high, low), initial_replicas=low)
    is_keda = kind == "keda"
    least = low if is_keda else max(low, 1)
    return _bounded(least, max(high, least, 1), horizontal(pod, settings, is_keda=is_keda, findings=findings))


def lower_limits(pod: Pod) -> Limits:
    """How many requests a replica takes at once, and how many wait for it. Only Knative enforces it."""
    most = pod.spec.container_concurrency or 0
    if most < 1 or not pod.template.is_knative:
        return Limits()
    return Limits(concurrency=most, waiting=QUEUE_FACTOR * most)


def _bounded(low: int, high: int, auto: HorizontalScaling | None) -> ScalePolicy:
    if auto is None:
        return ScalePolicy(min_replicas=low, max_replicas=max(low, high), initial_replicas=low)
    return ScalePolicy(min_replicas=low, max_replicas=high, initial_replicas=max(low, 1), auto=auto)


def _knative(pod: Pod, low: int, high: int, settings: Settings, findings: Findings) -> ScalePolicy:
    """Knative's rule, or Kubernetes' where the annotations ask for it."""
    try:
        said = read_autoscaling(
            _annotated(pod, low, high, may_start_at_zero=settings.autoscaler.allow_zero_initial_scale),
            settings.autoscaler,
            container_concurrency=pod.spec.container_concurrency or 0,
        )
    except InvalidManifest as error:
        findings.problems += error.problems
        return ScalePolicy()
    if said.is_horizontal:
        return _bounded(max(low, 1), high, horizontal(pod, settings, is_keda=False, findings=findings))
    default = max(settings.autoscaler.initial_scale, 1)
    first = default if said.initial_replicas is None else said.initial_replicas
    return ScalePolicy(min_replicas=low, max_replicas=high, initial_replicas=max(first, low), auto=said.scaling)


def _annotated(pod: Pod, low: int, high: int, *, may_start_at_zero: bool) -> dict[str, str]:
    """The annotations as KServe leaves them on a revision: what the component's fields say is written over them."""
    spec = pod.spec
    said = {name: value for name, value in pod.annotations.items() if name.startswith(annotations.DOMAIN)}
    is_horizontal = said.get(annotations.CLASS) == annotations.HPA
    for name in (annotations.MIN_SCALE, annotations.MAX_SCALE, f"{annotations.DOMAIN}minScale"):
        said.pop(name, None)
    said |= {annotations.MIN_SCALE: str(low)} | ({annotations.MAX_SCALE: str(high)} if high else {})
    if spec.scale_target is not None:
        said[annotations.TARGET] = str(spec.scale_target)
    if spec.scale_metric is not None and (spec.scale_metric in _RESOURCES) is is_horizontal:
        said[annotations.METRIC] = spec.scale_metric
    # An annotation that is no whole number, or 0 where that is not allowed, is left out on the way to Knative.
    first = said.get(annotations.INITIAL_SCALE)
    if first is not None and not (first.isdecimal() and (int(first) or may_start_at_zero)):
        del said[annotations.INITIAL_SCALE]
    return said
