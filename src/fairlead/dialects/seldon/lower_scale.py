"""How many replicas a predictor gets.

All units of a predictor share one worker, so its pods scale as one: the most that any pod asks for. HPA and KEDA
replace a fixed number; what they measure is not read, so their minimum holds.
"""

from fairlead.dialects.seldon.context import PredictorContext
from fairlead.dialects.seldon.schema import SeldonPodSpec
from fairlead.plan.scaling import ScalePolicy


def lower_scale(context: PredictorContext) -> ScalePolicy:
    """The scale of one predictor."""
    pods = context.predictor.component_specs
    scalers = [
        bounds
        for index, pod in enumerate(pods)
        if (bounds := _scaler(pod, f"{context.path}.componentSpecs[{index}]", context)) is not None
    ]
    if scalers:
        low, high = max(low for low, _ in scalers), max(high for _, high in scalers)
        return ScalePolicy(min_replicas=low, max_replicas=max(low, high), initial_replicas=low)
    count = _fixed(context)
    return ScalePolicy(min_replicas=count, max_replicas=count, initial_replicas=count)


def _fixed(context: PredictorContext) -> int:
    outer = [context.predictor.replicas, context.sdep.spec.replicas, 1]
    default = next(count for count in outer if count is not None)
    wanted = [default if pod.replicas is None else pod.replicas for pod in context.predictor.component_specs]
    if len(set(wanted)) > 1:
        counts = ", ".join(str(count) for count in wanted)
        sentence = f"{context.path}.componentSpecs: pods ask for {counts} replicas and share one process"
        context.findings.warn(f"{sentence}; {max(wanted)} run")
    return max(wanted, default=default)


def _scaler(pod: SeldonPodSpec, path: str, context: PredictorContext) -> tuple[int, int] | None:
    """Lowest and highest number; KEDA wins over HPA. A KEDA minimum of zero stays one: nothing here could wake it."""
    if pod.keda_spec is not None:
        low = max(1, pod.keda_spec.min_replica_count or 0)
        high = pod.keda_spec.max_replica_count
        context.findings.warn(f"{path}.kedaSpec: triggers are not watched; {low} replicas run")
        return low, 100 if high is None else high
    if pod.hpa_spec is not None:
        low = 1 if pod.hpa_spec.min_replicas is None else pod.hpa_spec.min_replicas
        context.findings.warn(f"{path}.hpaSpec: metrics are not watched; {low} replicas run")
        return low, pod.hpa_spec.max_replicas
    return None
