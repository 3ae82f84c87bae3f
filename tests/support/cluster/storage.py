"""What is stored, and the history that watches follow. One number counts every write, as etcd does.

Documents are never changed in place: a write stores a new one, so that readers need no copies.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
Key = tuple[str, str]
"""Group and plural."""
Name = tuple[str, str]
"""Namespace (empty for what belongs to the cluster) and name."""


@dataclass(frozen=True, slots=True)
class Change:
    """One write."""

    revision: int
    key: Key
    type: str
    document: Document
    before: Document | None


class Storage:
    """All objects, and the last `window` changes."""

    def __init__(self, *, window: int = 100_000) -> None:
        self.revision = 1
        self.compacted = 0
        self._window = window
        self._objects: dict[Key, dict[Name, Document]] = {}
        self._history: deque[Change] = deque()
        self._listeners: dict[Key, list[Callable[[Change], None]]] = {}
        self.on_change: list[Callable[[Change], None]] = []
        self._by_uid: dict[str, tuple[Key, Name]] = {}
        self._owned: dict[str, set[tuple[Key, Name]]] = {}

    def get(self, key: Key, namespace: str, name: str) -> Document | None:
        """One object."""
        return self._objects.get(key, {}).get((namespace, name))

    def all(self, key: Key, namespace: str = "") -> Iterator[Document]:
        """Objects of a kind in the order of namespaces and names."""
        found = self._objects.get(key, {})
        names = sorted(found if not namespace else (name for name in found if name[0] == namespace))
        return (found[name] for name in names)

    def everything(self) -> Iterator[tuple[Key, Document]]:
        """Every object of every kind."""
        for key, objects in list(self._objects.items()):
            for document in list(objects.values()):
                yield key, document

    def by_uid(self, uid: str) -> tuple[Key, Document] | None:
        """The object with this uid."""
        found = self._by_uid.get(uid)
        return (found[0], self._objects[found[0]][found[1]]) if found else None

    def owned_by(self, uid: str) -> list[tuple[Key, Document]]:
        """Objects that name this uid as an owner."""
        return [(key, self._objects[key][name]) for key, name in sorted(self._owned.get(uid, ()))]

    def put(self, key: Key, document: Document) -> Document:
        """Store a document as the newest; gives it its revision."""
        name = _name(document)
        before = self._objects.get(key, {}).get(name)
        self.revision += 1
        metadata = {**document["metadata"], "resourceVersion": str(self.revision)}
        stored = {**document, "metadata": metadata}
        self._objects.setdefault(key, {})[name] = stored
        self._index(key, name, before, stored)
        self._record(Change(self.revision, key, "MODIFIED" if before else "ADDED", stored, before))
        return stored

    def delete(self, key: Key, document: Document) -> Document:
        """Remove an object; what watchers see of it last has the revision of its removal."""
        name = _name(document)
        before = self._objects[key].pop(name)
        self.revision += 1
        last = {**before, "metadata": {**before["metadata"], "resourceVersion": str(self.revision)}}
        self._index(key, name, before, None)
        self._record(Change(self.revision, key, "DELETED", last, before))
        return last

    def _index(self, key: Key, name: Name, before: Document | None, after: Document | None) -> None:
        if before is not None:
            self._by_uid.pop(before["metadata"]["uid"], None)
            for owner in _owners(before):
                self._owned.get(owner, set()).discard((key, name))
        if after is not None:
            self._by_uid[after["metadata"]["uid"]] = (key, name)
            for owner in _owners(after):
                self._owned.setdefault(owner, set()).add((key, name))

    def _record(self, change: Change) -> None:
        self._history.append(change)
        while len(self._history) > self._window:
            self.compacted = self._history.popleft().revision
        for listener in (*self._listeners.get(change.key, ()), *self.on_change):
            listener(change)

    def compact(self) -> None:
        """Forget history: watches that start from before are told to list again."""
        self._history.clear()
        self.compacted = self.revision

    def since(self, revision: int, key: Key) -> list[Change]:
        """Changes after a revision; the caller has checked that history reaches there."""
        found = []
        for change in reversed(self._history):
            if change.revision <= revision:
                break
            if change.key == key:
                found.append(change)
        return found[::-1]

    def listen(self, key: Key, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call for every change of a kind, until the returned function is called."""
        listeners = self._listeners.setdefault(key, [])
        listeners.append(listener)
        return lambda: listeners.remove(listener) if listener in listeners else None


def _name(document: Document) -> Name:
    return document["metadata"].get("namespace", ""), document["metadata"]["name"]


def _owners(document: Document) -> list[str]:
    return [owner.get("uid", "") for owner in document["metadata"].get("ownerReferences") or ()]
