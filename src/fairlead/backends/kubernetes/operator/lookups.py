"""What a dialect sees of the cluster while it looks at one object, and the record of what it looked at.

The record is what makes changes travel: whoever looked for a runtime, a ConfigMap or a Secret, found or not, is
looked at again when it changes. Nothing has to be said twice, and nothing is looked at again for nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fairlead.backends.kubernetes.operator.cache import Cache, Change
from fairlead.backends.kubernetes.operator.resources import ObjectKey, TypeKey
from fairlead.dialects.base import Document
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus

ANY = "*"


@dataclass(frozen=True, slots=True)
class Look:
    """Something that was looked for: a kind by name alone, as manifests say it. A namespace or name of `*` is all of
    them."""

    kind: str
    namespace: str
    name: str


@dataclass(slots=True)
class Watching:
    """A `World` over the cache that remembers what it was asked."""

    cache: Cache
    kinds: Mapping[str, TypeKey]
    cluster_wide: frozenset[str] = frozenset()
    looks: set[Look] = field(default_factory=set)

    def get(self, kind: str, namespace: str, name: str) -> Document | None:
        """One object."""
        place = "" if kind in self.cluster_wide else namespace
        self.looks.add(Look(kind, place, name))
        known = self.kinds.get(kind)
        return None if known is None else self.cache.get(ObjectKey(known.group, known.kind, place, name))

    def list(self, kind: str, namespace: str | None = None) -> Sequence[Document]:
        """All objects of a kind."""
        place = None if kind in self.cluster_wide else namespace
        self.looks.add(Look(kind, ANY if place is None else place, ANY))
        known = self.kinds.get(kind)
        return () if known is None else self.cache.list(known, place)

    def plan(self, kind: str, namespace: str, name: str) -> Plan | None:  # noqa: ARG002
        """Nothing: plans are for one machine."""
        return None

    def observed(self, kind: str, namespace: str, name: str) -> PlanStatus | None:  # noqa: ARG002
        """Nothing, for the same reason."""
        return None


@dataclass(slots=True)
class Followers:
    """Who looked at what."""

    _by_look: dict[Look, set[ObjectKey]] = field(default_factory=dict)
    _looks: dict[ObjectKey, frozenset[Look]] = field(default_factory=dict)

    def follow(self, key: ObjectKey, looks: frozenset[Look]) -> None:
        """This is all that an object depends on now."""
        for gone in self._looks.get(key, frozenset()) - looks:
            keys = self._by_look[gone]
            keys.discard(key)
            if not keys:
                del self._by_look[gone]
        for new in looks:
            self._by_look.setdefault(new, set()).add(key)
        if looks:
            self._looks[key] = looks
        else:
            self._looks.pop(key, None)

    def of(self, key: ObjectKey) -> set[ObjectKey]:
        """Who depends on an object, itself not."""
        found: set[ObjectKey] = set()
        for namespace in (key.namespace, ANY):
            for name in (key.name, ANY):
                found |= self._by_look.get(Look(key.kind, namespace, name), set())
        found.discard(key)
        return found


def is_material(change: Change, *, with_status: bool) -> bool:
    """Whether a change can mean something to those who look at the object: not its version, and its status only where
    that is read."""
    before, after = change.before, change.after
    if before is None or after is None:
        return True
    return _essence(before, with_status=with_status) != _essence(after, with_status=with_status)


def _essence(doc: Document, *, with_status: bool) -> Document:
    metadata = {
        name: value
        for name, value in doc["metadata"].items()
        if name not in ("resourceVersion", "generation", "managedFields")
    }
    return {
        name: metadata if name == "metadata" else value
        for name, value in doc.items()
        if name != "status" or with_status
    }
