"""What scales a Deployment: a HorizontalPodAutoscaler, or KEDA's ScaledObject."""

from fairlead.backends.kubernetes.render.place import Object, Place, plain
from fairlead.backends.kubernetes.render.user_fields import BEHAVIOR, METRIC, known
from fairlead.plan.layout import EventScaler, HorizontalScaler, Workload


def scaler(workload: Workload, place: Place) -> Object | None:
    """The scaler of a workload, under its name; `None` for one without."""
    match workload.scaler:
        case HorizontalScaler() as horizontal:
            return _horizontal(workload, horizontal, place)
        case EventScaler() as event:
            spec = {"scaleTargetRef": _target(workload), **plain(event.spec)}
            return place.made("keda.sh/v1alpha1", "ScaledObject", workload.name, labels=workload.labels, spec=spec)
        case None:
            return None


def _horizontal(workload: Workload, horizontal: HorizontalScaler, place: Place) -> Object:
    fields = {
        "scaleTargetRef": _target(workload),
        "minReplicas": horizontal.min_replicas,
        "maxReplicas": horizontal.max_replicas,
        "metrics": known(horizontal.metrics, METRIC) or None,
        "behavior": known(horizontal.behavior, BEHAVIOR) or None,
    }
    spec = {key: value for key, value in fields.items() if value is not None}
    return place.made("autoscaling/v2", "HorizontalPodAutoscaler", workload.name, labels=workload.labels, spec=spec)


def _target(workload: Workload) -> Object:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload.name}
