"""Deployments: pods that are always there."""

from fairlead.backends.kubernetes.render import pods
from fairlead.backends.kubernetes.render.place import Object, Place
from fairlead.backends.kubernetes.render.user_fields import STRATEGY, known
from fairlead.plan.layout import Workload


def deployment(workload: Workload, place: Place) -> Object:
    """The Deployment of a workload. It has no `replicas` where something else decides: whoever writes that field owns
    it, and an operator that wrote it would undo the scaler."""
    fields = {
        "replicas": workload.replicas,
        "selector": {"matchLabels": {**workload.selector}},
        "strategy": known(workload.strategy, STRATEGY),
        "progressDeadlineSeconds": workload.progress_deadline_s,
        "revisionHistoryLimit": workload.history,
        "template": pods.template(workload.pod, place),
    }
    spec = {key: value for key, value in fields.items() if value is not None}
    return place.made(
        "apps/v1",
        "Deployment",
        workload.name,
        labels=workload.labels,
        annotations=workload.annotations,
        spec=spec,
    )
