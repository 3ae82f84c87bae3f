"""What a dialect sees of other objects while it looks at one: the store as it is now, and what became of each plan.

Secrets are not in it: nothing that a manifest is turned into may depend on, or repeat, what they hold.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairlead.control.store import Store
from fairlead.dialects.base import Document, Kind
from fairlead.errors import NotFound
from fairlead.plan.model import Owner, Plan
from fairlead.plan.status import PlanStatus

Key = tuple[str, str, str]
"""Kind, namespace and name."""


@dataclass(slots=True)
class StoredWorld:
    """Implements `dialects.base.World` over a store."""

    store: Store
    kinds: Iterable[Kind]
    plans: dict[Key, Plan] = field(default_factory=dict)
    shared_namespaces: frozenset[str] = frozenset()
    """Where what is meant for all namespaces is kept."""
    _observed: dict[Key, PlanStatus] = field(default_factory=dict)
    _by_name: dict[str, Kind] = field(init=False)

    def __post_init__(self) -> None:
        self._by_name = {kind.kind: kind for kind in self.kinds if kind.kind != "Secret"}

    def kind(self, name: str) -> Kind | None:
        """The kind of this name."""
        return self._by_name.get(name)

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """One object."""
        known = self._by_name.get(kind)
        if known is None:
            return None
        try:
            return self.store.peek(known, namespace if known.is_namespaced else "", name)
        except NotFound:
            return None

    def list(self, kind: str, namespace: str | None = None) -> Sequence[Document]:
        """All objects of a kind."""
        known = self._by_name.get(kind)
        return () if known is None else self.store.peek_all(known, namespace if known.is_namespaced else None)

    def plan(self, kind: str, namespace: str, name: str) -> Plan | None:
        """What an object was lowered to last."""
        return self.plans.get((kind, namespace, name))

    def observed(self, kind: str, namespace: str, name: str) -> PlanStatus | None:
        """How far that plan has got."""
        return self._observed.get((kind, namespace, name))

    def observe(self, observed: PlanStatus) -> None:
        """Take news of a plan."""
        self._observed[_of(observed.owner)] = observed

    def forget(self, key: Key) -> Plan | None:
        """An object is no more."""
        self._observed.pop(key, None)
        return self.plans.pop(key, None)


def _of(owner: Owner) -> Key:
    return owner.kind, owner.namespace, owner.name
