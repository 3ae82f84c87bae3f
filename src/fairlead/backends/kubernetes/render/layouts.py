"""A whole layout as objects. Pure and deterministic: equal layouts and settings give equal objects in equal order."""

from fairlead.backends.kubernetes.render.budgets import budget
from fairlead.backends.kubernetes.render.deployments import deployment
from fairlead.backends.kubernetes.render.place import Object, Place
from fairlead.backends.kubernetes.render.scalers import scaler
from fairlead.backends.kubernetes.render.services import service
from fairlead.backends.kubernetes.render.written import Written
from fairlead.dialects.clusters import ClusterSettings
from fairlead.plan.layout import Layout, Workload


def render(layout: Layout, settings: ClusterSettings) -> list[Object]:
    """Every object of a layout, complete and in the order to apply them in."""
    written = rendered(layout, settings)
    return [*written.objects, *written.late]


def rendered(layout: Layout, settings: ClusterSettings) -> Written:
    """The same with what waits for the workloads apart, and with warnings. Raises `InvalidManifest` for what nothing in
    the cluster can run."""
    place = Place(owner=layout.owner, settings=settings)
    objects = [
        *(place.adopted(config) for config in layout.configs),
        *(service(one, place, http2=frozenset()) for one in layout.services),
        *(made for workload in layout.workloads for made in _workload(workload, place)),
    ]
    return Written(objects=tuple(objects), warnings=layout.warnings)


def _workload(workload: Workload, place: Place) -> list[Object]:
    made = (deployment(workload, place), budget(workload, place), scaler(workload, place))
    return [one for one in made if one is not None]
