"""Jobs: pods that run to their end."""

from fairlead.backends.kubernetes.render import pods
from fairlead.backends.kubernetes.render.place import Object, Place, plain
from fairlead.plan.layout import Task


def job(task: Task, place: Place) -> Object:
    """The Job of a task."""
    return place.made(
        "batch/v1",
        "Job",
        task.name,
        labels=task.labels,
        annotations=task.annotations,
        spec={**plain(task.spec), "template": pods.template(task.pod, place)},
    )
