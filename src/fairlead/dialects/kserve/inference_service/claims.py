"""Two services that would answer under the same name: who has it, and who has to be told.

The older service keeps a name, so that nobody can take requests away from another by choosing theirs; of the same age
the first by namespace and name. Names are inverted to the services that could have made them, so that looking costs the
same however many services there are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.inference_service import hosts
from fairlead.dialects.kserve.inference_service.hosts import Ingress, Named
from fairlead.dialects.kserve.inference_service.modes import is_knative
from fairlead.dialects.kserve.inference_service.schema import KIND
from fairlead.dialects.kserve.inference_service.template import ROLES
from fairlead.dialects.kserve.inference_service.traffic import LATEST_TAG, PREVIOUS_TAG

_TAGS = ("", f"{PREVIOUS_TAG}-", f"{LATEST_TAG}-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A name that another service has."""

    host: str
    namespace: str
    name: str


def named(doc: Document) -> Named:
    """A document as templates of names see it."""
    metadata = doc.get("metadata", {})
    return Named(
        name=str(metadata.get("name") or ""),
        namespace=str(metadata.get("namespace") or ""),
        annotations=_texts(metadata.get("annotations")),
        labels=_texts(metadata.get("labels")),
    )


def claimed(doc: Document, ingress: Ingress, default_mode: str) -> frozenset[str]:
    """Every name that a service answers under, inside and outside. Raises `ConfigError`."""
    one = named(doc)
    parts = _parts(doc)
    found = {host for name in (one.name, *parts) for host in hosts.inside(name, one.namespace)}
    if is_knative(doc, default_mode):
        tagged = [f"{tag}{part}" for part in parts for tag in _TAGS]
        found |= {hosts.knative_host(name, one.namespace, ingress) for name in (one.name, *tagged)}
        found |= {host for name in tagged for host in hosts.inside(name, one.namespace)}
    elif not ingress.is_disabled and ingress.domain != hosts.CLUSTER_DOMAIN:
        found |= {hosts.standard_host(one, name, ingress) for name in (one.name, *parts)}
    return frozenset(found)


def conflicts_of(doc: Document, world: World, ingress: Ingress, default_mode: str) -> tuple[Conflict, ...]:
    """The names that this service does not get, in order."""
    mine = claimed(doc, ingress, default_mode)
    found: dict[str, Conflict] = {}
    for other in _others(doc, mine, world, ingress):
        if _age(other) < _age(doc):
            for host in mine & claimed(other, ingress, default_mode):
                metadata = other["metadata"]
                found[host] = Conflict(host=host, namespace=metadata.get("namespace", ""), name=metadata["name"])
    return tuple(found[host] for host in sorted(found))


def told_conflicts(conflicts: Sequence[Conflict]) -> str:
    """What is lost and to whom, in a sentence for each of those that have it."""
    by_owner: dict[tuple[str, str], list[str]] = {}
    for conflict in conflicts:
        by_owner.setdefault((conflict.namespace, conflict.name), []).append(conflict.host)
    return "; ".join(
        f"{_some(found)} to the InferenceService {namespace}/{name}, which is older"
        for (namespace, name), found in by_owner.items()
    )


def _some(found: Sequence[str]) -> str:
    """The outside name of several, which people know; a cluster's own names follow from it."""
    outside = max((host for host in found if ".svc" not in host), key=len, default=found[0])
    rest = len(found) - 1
    return f"{outside} belongs" if not rest else f"{outside} and {rest} other name{'s' if rest > 1 else ''} belong"


def _others(doc: Document, mine: frozenset[str], world: World, ingress: Ingress) -> Iterator[Document]:
    own = named(doc)
    # In one namespace names tell; outside names may be made of other namespaces and names too.
    owners = {(own.namespace, called) for called in (own.name, *_parts(doc))}
    owners |= {(own.namespace, f"{tag}{part}") for part in _parts(doc) for tag in _TAGS}
    outside = [host for host in mine if host.endswith(f".{ingress.domain}")]
    owners |= {owner for host in outside for owner in hosts.possible_owners(host, ingress)}
    candidates = {(namespace, name) for namespace, called in owners for name in _services(called)}
    for namespace, name in sorted(candidates - {(own.namespace, own.name)}):
        if (other := world.get(KIND, namespace, name)) is not None:
            yield other


def _parts(doc: Document) -> list[str]:
    """The names of a service's components."""
    return [f"{named(doc).name}-{role}" for role in ROLES if doc.get("spec", {}).get(role)]


def _services(called: str) -> Iterator[str]:
    """The services that a name may be of: of itself, or of one of its parts."""
    for tag in _TAGS:
        if called.startswith(tag):
            yield called.removeprefix(tag)
            for role in ROLES:
                if called.endswith(f"-{role}"):
                    yield called.removeprefix(tag).removesuffix(f"-{role}")


def _age(doc: Document) -> tuple[str, str, str]:
    metadata = doc.get("metadata", {})
    # What is not stored yet is the youngest.
    since = metadata.get("creationTimestamp") or "9999"
    return str(since), str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


def _texts(value: Any) -> Mapping[str, str]:
    return {str(key): str(item) for key, item in value.items()} if isinstance(value, Mapping) else {}
