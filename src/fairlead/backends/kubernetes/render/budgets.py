"""Disruption budgets. They select the pods of their own Deployment alone: one that counted all pods of a resource
would let a drained node take every pod of one part, as long as the others are there."""

from fairlead.backends.kubernetes.render.place import Object, Place
from fairlead.plan.layout import Workload


def budget(workload: Workload, place: Place) -> Object | None:
    """The PodDisruptionBudget of a workload, under its name; `None` for one without."""
    if workload.budget is None:
        return None
    fields = {
        "minAvailable": workload.budget.min_available,
        "maxUnavailable": workload.budget.max_unavailable,
        "selector": {"matchLabels": {**workload.selector}},
    }
    spec = {key: value for key, value in fields.items() if value is not None}
    return place.made("policy/v1", "PodDisruptionBudget", workload.name, labels=workload.labels, spec=spec)
