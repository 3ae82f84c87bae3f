"""What the cluster has, as far as we have heard: the objects that dialects look up, and those that resources of ours
own.

Two streams fill it, watches and lists, and either may be behind the other; the newer version of an object wins.
Objects that nobody reads whole are kept as bytes, because ten thousand Deployments are a quarter of a gigabyte as
Python values.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from fairlead.backends.kubernetes.operator.ownership import controller_of
from fairlead.backends.kubernetes.operator.reducing import reduced
from fairlead.backends.kubernetes.operator.resources import ObjectKey, TypeKey

Json = dict[str, Any]
_REMEMBERED_GONE = 20_000


@dataclass(frozen=True, slots=True)
class Change:
    """An object is another one, or gone (`after` is `None`)."""

    key: ObjectKey
    before: Json | None
    after: Json | None

    @property
    def owner_uid(self) -> str:
        """The uid of whoever controls it, or did."""
        doc = self.after or self.before
        return str(((controller_of(doc) if doc else None) or {}).get("uid", ""))


@dataclass(frozen=True, slots=True)
class _Stored:
    uid: str
    version: str
    owner_uid: str
    doc: Json | bytes


@dataclass(slots=True)
class Cache:
    """`read` are the kinds that dialects look up; of the others only what has one of `owners` (API groups) as its
    controller is kept."""

    read: Collection[TypeKey]
    owners: Collection[str]
    _stored: dict[TypeKey, dict[tuple[str, str], _Stored]] = field(default_factory=dict)
    _owned: dict[str, set[ObjectKey]] = field(default_factory=dict)
    _gone: set[str] = field(default_factory=set)
    _gone_order: deque[str] = field(default_factory=deque)

    def get(self, key: ObjectKey) -> Json | None:
        """One object; not to be changed."""
        stored = self._stored.get(key.type, {}).get((key.namespace, key.name))
        return None if stored is None else _decoded(stored)

    def version(self, key: ObjectKey) -> str:
        """The version of an object that is here; empty for none."""
        stored = self._stored.get(key.type, {}).get((key.namespace, key.name))
        return "" if stored is None else stored.version

    def list(self, kind: TypeKey, namespace: str | None = None) -> list[Json]:
        """All objects of a kind in the order of their names."""
        found = self._stored.get(kind, {})
        return [_decoded(found[place]) for place in sorted(found) if namespace is None or place[0] == namespace]

    def keys(self, kind: TypeKey) -> Iterator[ObjectKey]:
        """The objects of a kind by name alone."""
        for namespace, name in self._stored.get(kind, {}):
            yield ObjectKey(kind.group, kind.kind, namespace, name)

    def owned(self, uid: str) -> dict[ObjectKey, Json]:
        """The objects that an owner controls."""
        found = ((key, self.get(key)) for key in self._owned.get(uid, ()))
        return {key: doc for key, doc in found if doc is not None}

    def count(self) -> int:
        """How many objects are here."""
        return sum(len(each) for each in self._stored.values())

    def take(self, kind: TypeKey, doc: Json) -> Change | None:
        """Somebody says that an object is so; `None` when that is no news."""
        metadata = doc["metadata"]
        key = ObjectKey(kind.group, kind.kind, metadata.get("namespace") or "", metadata["name"])
        uid, version = str(metadata.get("uid", "")), str(metadata.get("resourceVersion", ""))
        known = self._stored.get(kind, {}).get((key.namespace, key.name))
        if uid in self._gone or (known is not None and known.uid == uid and not is_newer(version, known.version)):
            return None
        kept = reduced(kind, doc)
        owner_uid = self._owner_of(doc)
        if kept is None or (kind not in self.read and not owner_uid):
            return None if known is None else self.drop(key, known.uid)
        before = None if known is None else _decoded(known)
        if known is not None:
            self._forget_owner(key, known)
        body: Json | bytes = kept if kind in self.read else orjson.dumps(kept)
        self._stored.setdefault(kind, {})[key.namespace, key.name] = _Stored(uid, version, owner_uid, body)
        if owner_uid:
            self._owned.setdefault(owner_uid, set()).add(key)
        return Change(key, before, kept)

    def drop(self, key: ObjectKey, uid: str) -> Change | None:
        """Somebody says that an object is no more."""
        if uid:
            self._remember_gone(uid)
        places = self._stored.get(key.type, {})
        known = places.get((key.namespace, key.name))
        if known is None or (uid and known.uid != uid):
            return None
        del places[key.namespace, key.name]
        self._forget_owner(key, known)
        return Change(key, _decoded(known), None)

    def replace(self, kind: TypeKey, docs: Iterable[Json], *, namespace: str | None, version: str) -> Iterator[Change]:
        """A list at a version: all objects of a kind. What came after it was made stays."""
        seen: set[tuple[str, str]] = set()
        for doc in docs:
            seen.add((doc["metadata"].get("namespace") or "", doc["metadata"]["name"]))
            if (change := self.take(kind, doc)) is not None:
                yield change
        for place, known in list(self._stored.get(kind, {}).items()):
            is_listed = place in seen or (namespace is not None and place[0] != namespace)
            if not is_listed and is_newer(version, known.version):
                change = self.drop(ObjectKey(kind.group, kind.kind, *place), known.uid)
                if change is not None:
                    yield change

    def clear(self, kind: TypeKey) -> None:
        """The cluster does not serve a kind any more."""
        for key in list(self.keys(kind)):
            self.drop(key, "")

    def _owner_of(self, doc: Mapping[str, Any]) -> str:
        reference = controller_of(doc)
        if reference is None or str(reference.get("apiVersion", "")).rpartition("/")[0] not in self.owners:
            return ""
        return str(reference.get("uid", ""))

    def _forget_owner(self, key: ObjectKey, stored: _Stored) -> None:
        keys = self._owned.get(stored.owner_uid)
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._owned[stored.owner_uid]

    def _remember_gone(self, uid: str) -> None:
        """A list that was made before would bring it back."""
        if uid not in self._gone:
            self._gone.add(uid)
            self._gone_order.append(uid)
            if len(self._gone_order) > _REMEMBERED_GONE:
                self._gone.discard(self._gone_order.popleft())


def is_newer(version: str, than: str) -> bool:
    """Compare resourceVersions, which are numbers wherever Kubernetes is (and promised to be since 1.35); one that is
    not is always news unless it is the same."""
    if version.isdigit() and than.isdigit():
        return int(version) > int(than)
    return version != than


def _decoded(stored: _Stored) -> Json:
    return orjson.loads(stored.doc) if isinstance(stored.doc, bytes) else stored.doc
