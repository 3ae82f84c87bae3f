"""What the parts of the double share: storage, kinds, clock, chance, and what happens beside a write."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, Protocol

from support.cluster import definitions
from support.cluster.builtin import Allocator
from support.cluster.calls import Call
from support.cluster.kinds import Kinds
from support.cluster.storage import Key, Storage

Document = dict[str, Any]


class Admission(Protocol):
    """What is asked before something is stored; `old` is nothing for what is new, `new` for what is deleted."""

    async def mutate(self, call: Call, old: Document | None, new: Document) -> Document: ...
    async def validate(self, call: Call, old: Document | None, new: Document | None, warnings: list[str]) -> None: ...


class AdmitAll:
    """Admission before any webhook is known."""

    async def mutate(self, _call: Call, _old: Document | None, new: Document) -> Document:
        return new

    async def validate(
        self, _call: Call, _old: Document | None, _new: Document | None, _warnings: list[str]
    ) -> None: ...


@dataclass
class State:
    """One cluster's worth."""

    kinds: Kinds
    storage: Storage = field(default_factory=Storage)
    allocator: Allocator = field(default_factory=Allocator)
    random: Random = field(default_factory=Random)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    admission: Admission = field(default_factory=AdmitAll)

    def now(self) -> str:
        """The time as objects carry it."""
        return self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")

    def put(self, key: Key, document: Document) -> Document:
        """Store, and serve the kind if the document defines one."""
        stored = self.storage.put(key, document)
        if key == definitions.KEY:
            self.kinds.add(self.kinds.custom(stored))
        return stored

    def remove(self, key: Key, document: Document) -> Document:
        """Delete for good; with a definition its objects and its kind go."""
        if key == definitions.KEY:
            defined = (document["spec"]["group"], document["spec"]["names"]["plural"])
            for item in list(self.storage.all(defined)):
                self.storage.delete(defined, item)
            self.kinds.remove(defined)
        return self.storage.delete(key, document)
