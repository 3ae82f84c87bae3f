"""How requests reach an InferenceService: by the host names of its cluster, and by a path for people without one.

Requests go to the transformer if there is one, else to the predictor; explanations go to the explainer. Each component
has names of its own besides, and so has each tagged revision and each named predictor. A service for its own cluster
only is routed for our own services and nobody else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.inference_service import hosts, told
from fairlead.dialects.kserve.inference_service.claims import named
from fairlead.dialects.kserve.inference_service.hosts import Ingress
from fairlead.dialects.kserve.inference_service.template import EXPLAINER, PREDICTOR, TRANSFORMER
from fairlead.dialects.kserve.inference_service.variants import Rolled, Variant
from fairlead.plan.model import ComponentName, Route, Target

EXPLAIN = r"/v1/models/[\w.-]+:explain|/v2/models/[^/]+(/versions/[^/]+)?/explain"
VISIBILITY = ("networking.kserve.io/visibility", "networking.knative.dev/visibility")
CLUSTER_LOCAL = "cluster-local"
ALL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """A service whose names are worked out. `lost` are names that another service has."""

    doc: Document
    ingress: Ingress
    is_knative: bool
    lost: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The service's name."""
        return named(self.doc).name

    @property
    def namespace(self) -> str:
        """And its namespace."""
        return named(self.doc).namespace

    @property
    def is_internal(self) -> bool:
        """Whether only our own services may ask it."""
        labels = named(self.doc).labels
        if any(labels.get(label) == CLUSTER_LOCAL for label in VISIBILITY):
            return True
        return not self.is_knative and not self.has_outside

    @property
    def has_outside(self) -> bool:
        """Whether it has a name for clients outside of a cluster at all."""
        return self.is_knative or not (self.ingress.is_disabled or self.ingress.domain == hosts.CLUSTER_DOMAIN)

    def outside(self, part: str) -> str:
        """The outside name of the service or one of its parts."""
        if self.is_knative:
            return hosts.knative_host(part, self.namespace, self.ingress)
        return hosts.standard_host(named(self.doc), part, self.ingress)

    def answers_to(self, part: str, *, is_whole: bool = False) -> Iterator[str]:
        """Every host name of the service (`is_whole`) or one of its parts."""
        if self.has_outside and (not is_whole or not self.is_knative or self.ingress.has_virtual_host):
            host = self.outside(part)
            yield host
            if is_whole:
                yield from hosts.additional(host, self.ingress)
        yield from hosts.inside(part, self.namespace)


def routes_of(addressed: Addressed, rolled: Sequence[Rolled], entry: str) -> tuple[Route, ...]:
    """Every route. `entry` is the component that requests without further address go to. Raises `ConfigError`."""
    by_role = {one.role: one for one in rolled}
    if not by_role:
        return ()
    routes = [
        *_whole(addressed, by_role[entry], by_role.get(EXPLAINER)),
        *(route for one in rolled for route in _part(addressed, one)),
    ]
    kept = [route for route in routes if route.host not in addressed.lost]
    return tuple(replace(route, is_internal=addressed.is_internal) for route in dict.fromkeys(kept))


def entry_of(doc: Document, rolled: Sequence[Rolled]) -> str:
    """Who gets requests first. A transformer that is new to a service which is up takes them once it can; until then
    they go on to where they went."""
    transformer = next((one for one in rolled if one.role == TRANSFORMER), None)
    if transformer is None:
        return PREDICTOR
    return PREDICTOR if not transformer.is_ready and told.is_in_service(doc) else TRANSFORMER


def _whole(addressed: Addressed, entry: Rolled, explainer: Rolled | None) -> Iterator[Route]:
    for place in _places(addressed, addressed.name, is_whole=True):
        yield _to(place, entry)
        if explainer is not None:
            yield replace(_to(place, explainer), path_pattern=EXPLAIN)


def _part(addressed: Addressed, rolled: Rolled) -> Iterator[Route]:
    part = f"{addressed.name}-{rolled.role}"
    for place in _places(addressed, part):
        yield _to(place, rolled)
    for tag, component in rolled.tags:
        for place in _places(addressed, f"{tag}-{part}"):
            yield _straight(place, rolled, component)
    for variant in rolled.variants:
        if variant.service and variant.service != part:
            yield from _own(addressed, rolled, variant)


def _own(addressed: Addressed, rolled: Rolled, variant: Variant) -> Iterator[Route]:
    """The Service of one named predictor. It is inside a cluster only."""
    for host in hosts.inside(variant.service, addressed.namespace):
        yield _straight(Route(path_prefix="/", host=host), rolled, variant.name)
    yield _straight(Route(path_prefix=_path(addressed.namespace, variant.service)), rolled, variant.name)


def _places(addressed: Addressed, part: str, *, is_whole: bool = False) -> Iterator[Route]:
    """Where the service or one of its parts is found, without targets."""
    for host in addressed.answers_to(part, is_whole=is_whole):
        yield Route(path_prefix="/", host=host)
    if hosts.inside(part, addressed.namespace)[0] not in addressed.lost:
        yield Route(path_prefix=_path(addressed.namespace, part))
    path = hosts.path_of(named(addressed.doc), addressed.ingress) if is_whole and addressed.has_outside else ""
    if path:
        yield Route(path_prefix=f"{path}/", host=addressed.ingress.domain)


def _path(namespace: str, part: str) -> str:
    return f"/serving/{namespace}/{part}/"


def _to(place: Route, rolled: Rolled) -> Route:
    return replace(place, targets=rolled.targets, timeout_s=rolled.timeout_s, grpc_timeout_s=rolled.timeout_s)


def _straight(place: Route, rolled: Rolled, component: ComponentName) -> Route:
    return _to(place, replace(rolled, targets=(Target(component=component, weight=ALL),)))
