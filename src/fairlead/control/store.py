"""The control plane's objects: what the API serves and the reconcile loop works from.

Reads come from memory and show only what is on disk. Writes return when they are on disk. Every change gets the
next resourceVersion of one counter, and watchers are told in that order. Knows no kind but by its `Kind`; what a
document may say is decided above (`control.api`).
"""

import base64
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import orjson

from fairlead.control import faults, metadata
from fairlead.control.db import Database, ObjectKey
from fairlead.control.deletion import NAMESPACES, Propagation, Reaper
from fairlead.control.history import Change, Record
from fairlead.control.ledger import Document, Ledger
from fairlead.control.recording import COMPONENT, EVENTS, EventBook, counted_up, event_document
from fairlead.control.selectors import EVERYTHING, Selector
from fairlead.dialects.base import Kind
from fairlead.errors import Gone

NAMESPACE = Kind(
    group="",
    versions=("v1",),
    kind="Namespace",
    plural="namespaces",
    singular="namespace",
    short_names=("ns",),
    is_namespaced=False,
)
PERMANENT_NAMESPACES = ("default", "fairlead-system")

Edit = Callable[[Document], Document]
"""Takes a copy of the present object and returns what it should become; raises to refuse."""


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """`type` is ADDED, MODIFIED, DELETED or BOOKMARK (then `object` holds a resourceVersion and nothing else)."""

    type: str
    object: Document
    revision: int


@dataclass(frozen=True, slots=True)
class Listing:
    """One page. `next_page` is what to pass as `page` for the rest, empty at the end."""

    items: list[Document]
    revision: int
    next_page: str = ""
    remaining: int = 0


class Store:
    """`clock` tells the time and `new_uid` makes uids, so tests can decide both."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_uid: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._ledger = Ledger(database)
        self._clock = clock
        self._new_uid = new_uid
        self._volatile: set[tuple[str, str]] = set()
        self._events = EventBook()
        self._reaper = Reaper(self._ledger, now=self._now, is_volatile=self._is_volatile)

    @classmethod
    async def open(cls, path: Path, **settings: Any) -> Self:
        """Open or create the file and read everything; the namespaces that always exist are made."""
        store = cls(await Database.open(path), **settings)
        await store._ledger.open()
        store._read_events()
        for name in PERMANENT_NAMESPACES:
            if store._ledger.current(store._key(NAMESPACE, "", name)) is None:
                document: Document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": {}}
                await store.create(NAMESPACE, document, status={"phase": "Active"})
        return store

    async def close(self) -> None:
        """Finish writing, end every watch and give the file back."""
        await self._ledger.close()

    def end_watches(self) -> None:
        """Let every watch end, now and from now on: a server that stops does not wait for its watchers."""
        self._ledger.history.close()

    @property
    def revision(self) -> int:
        """The newest resourceVersion on disk."""
        return self._ledger.revision

    # Reading

    async def get(self, kind: Kind, namespace: str, name: str) -> Document:
        """A copy of one object; `NotFound` if there is none."""
        return self.peek(kind, namespace, name)

    def peek(self, kind: Kind, namespace: str, name: str) -> Document:
        """`get` for callers that cannot wait."""
        record = self._ledger.committed(kind.group, kind.plural).get((_space(kind, namespace), name))
        if record is None:
            raise faults.not_found(kind, name)
        return _parse(record)

    def peek_all(self, kind: Kind, namespace: str | None = None) -> list[Document]:
        """Copies of all objects of a kind, in the order of namespace and name, for callers that cannot wait."""
        records = self._ledger.committed(kind.group, kind.plural)
        return [_parse(records[place]) for place in _places(records, namespace, EVERYTHING)]

    def peek_owned(self, owner_uid: str) -> list[tuple[str, str, Document]]:
        """Copies of what depends on an object, each with its group and plural."""
        found = []
        for key in sorted(self._ledger.dependents(owner_uid)):
            record = self._ledger.committed(key.group, key.plural).get((key.namespace, key.name))
            if record is not None:
                found.append((key.group, key.plural, _parse(record)))
        return found

    async def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        selector: Selector = EVERYTHING,
        *,
        limit: int = 0,
        page: str = "",
    ) -> Listing:
        """Copies of objects in the order of namespace and name; all namespaces when none is given."""
        revision, start = _read_page(page) if page else (self.revision, ("", ""))
        found: list[tuple[tuple[str, str], Record]] = []
        records = self._ledger.committed(kind.group, kind.plural)
        for place in _places(records, namespace, selector):
            record = records[place]
            if place > start and selector.matches_labels(record.labels):
                found.append((place, record))
        items: list[Document] = []
        for index, (place, record) in enumerate(found):
            document = _parse(record)
            if selector.matches_fields(document):
                items.append(document)
            if limit and len(items) == limit and index + 1 < len(found):
                return Listing(items, revision, _write_page(revision, place), len(found) - index - 1)
        return Listing(items, revision)

    async def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        selector: Selector = EVERYTHING,
        *,
        since: int | None = None,
        bookmarks_s: float | None = None,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Changes after a revision; without one, first every present object as ADDED and a BOOKMARK.

        Ends when the store closes. Raises `Gone` when the revision is no longer kept: list and watch anew.
        With `bookmarks_s` a BOOKMARK comes after that many quiet seconds too.
        """
        history = self._ledger.history
        if since is None:
            position, revision = history.end, self.revision
            for document in (await self.list(kind, namespace, selector)).items:
                yield WatchEvent("ADDED", document, int(document["metadata"]["resourceVersion"]))
            yield _bookmark(kind, revision)
        else:
            position = history.position_after(since, self.revision)
        while not history.is_closed:
            if not await history.wait(position, bookmarks_s):
                if bookmarks_s is not None and not history.is_closed:
                    yield _bookmark(kind, self.revision)
                continue
            changes, position = history.read(position)
            for change in changes:
                if (change.key.group, change.key.plural) == (kind.group, kind.plural) and (
                    namespace is None or change.key.namespace == namespace
                ):
                    event = _as_seen(change, selector)
                    if event is not None:
                        yield event

    # Writing

    async def create(
        self, kind: Kind, document: Document, *, status: Mapping[str, Any] | None = None, dry_run: bool = False
    ) -> Document:
        """Store a new object as given, with the metadata that the server adds; `AlreadyExists` if it is there.

        A status in the document is not taken (of kinds that have one); `status` is what it starts with.
        """
        given = document["metadata"]
        key = self._key(kind, given.get("namespace") or "", given["name"])
        if self._ledger.current(key) is not None:
            raise faults.already_exists(kind, key.name)
        self._require_namespace(kind, key)
        new = metadata.born(kind, document, uid=self._new_uid(), now=self._now())
        if status is not None:
            new["status"] = dict(status)
        return await self._put(key, new, dry_run=dry_run)

    async def change(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        edit: Edit,
        *,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Document:
        """Read, edit and write one object with nothing in between.

        `subresource` is empty or `status` and says which half the edit may change. A resourceVersion in what `edit`
        returns that is not the present one is a `Conflict`. An edit that changes nothing writes nothing.
        """
        key = self._key(kind, namespace, name)
        record = self._ledger.current(key)
        if record is None:
            raise faults.not_found(kind, name)
        old = _parse(record)
        wanted = edit(_parse(record))
        version = wanted["metadata"].get("resourceVersion")
        if version and version != old["metadata"]["resourceVersion"]:
            raise faults.modified(kind, name)
        if wanted["metadata"].get("uid") not in (None, "", record.uid):
            raise faults.conflict(
                kind,
                name,
                f"Precondition failed: UID in precondition: {wanted['metadata']['uid']}, "
                f"UID in object meta: {record.uid}",
            )
        new = metadata.edited(kind, old, wanted, subresource=subresource)
        if metadata.is_same(old, new):
            await self._ledger.settled()
            return old
        if not dry_run and self._reaper.finish(key, new):
            await self._ledger.settled()
            return new
        return await self._put(key, new, dry_run=dry_run)

    async def update(self, kind: Kind, document: Document, *, dry_run: bool = False) -> Document:
        """Replace an object; a resourceVersion in it must be the present one."""
        given = document["metadata"]
        return await self.change(
            kind, given.get("namespace") or "", given["name"], lambda _old: document, dry_run=dry_run
        )

    async def update_status(self, kind: Kind, namespace: str, name: str, status: Mapping[str, Any]) -> Document:
        """Replace the status alone. Cheap when it says nothing new."""

        def edit(old: Document) -> Document:
            return {**old, "status": dict(status)}

        return await self.change(kind, namespace, name, edit, subresource="status")

    async def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        propagation: Propagation = Propagation.BACKGROUND,
        uid: str = "",
        resource_version: str = "",
        dry_run: bool = False,
    ) -> Document:
        """Delete an object and what depends on it; returns its last state.

        One with finalizers is marked and goes when the last finalizer is removed. `uid` and `resource_version` are
        preconditions.
        """
        key = self._key(kind, namespace, name)
        record = self._ledger.current(key)
        if record is None:
            raise faults.not_found(kind, name)
        _check_preconditions(kind, name, record, uid, resource_version)
        if (key.group, key.plural) == NAMESPACES and name in PERMANENT_NAMESPACES:
            raise faults.forbidden(kind, name, "this namespace may not be deleted")
        if dry_run:
            return _parse(record)
        document = self._reaper.delete(key, propagation)
        await self._settled()
        return document

    async def mirror(self, kind: Kind, documents: Iterable[Document], *, owner_uid: str) -> None:
        """Make the objects of a kind that this owner has be exactly these, in memory only.

        For things that exist elsewhere (replicas as pods): they are read, selected and watched like any other
        object, and are gone after a restart until they are mirrored again.
        """
        self._volatile.add((kind.group, kind.plural))
        wanted = {self._key(kind, d["metadata"].get("namespace") or "", d["metadata"]["name"]): d for d in documents}
        for key in self._ledger.dependents(owner_uid):
            if (key.group, key.plural) == (kind.group, kind.plural) and key not in wanted:
                self._reaper.delete(key)
        for key, document in wanted.items():
            record = self._ledger.current(key)
            if record is None or not metadata.is_same(_parse(record), document):
                self._ledger.stage(key, {**document, "metadata": dict(document["metadata"])}, is_volatile=True)
        await self._settled()

    async def record_event(
        self,
        involved: Mapping[str, Any],
        reason: str,
        message: str,
        type_: str = "Normal",
        *,
        component: str = COMPONENT,
    ) -> None:
        """Note that something happened to an object (`involved` is the object itself); repeats are counted."""
        now = self._clock()
        key = self._events.key_for(involved, reason=reason, message=message, type_=type_)
        record = self._ledger.current(key)
        if record is not None:
            document = counted_up(_parse(record), self._now())
        else:
            document = event_document(
                key, involved, reason=reason, message=message, type_=type_, now=self._now(), component=component
            )
            document["metadata"] |= {"uid": self._new_uid(), "creationTimestamp": self._now()}
        self._ledger.stage(key, document)
        self._events.note(key, document, now)
        for old in list(self._events.to_drop(now, uid=involved["metadata"].get("uid", ""))):
            self._drop_event(old)
        await self._ledger.settled()

    # Inside

    def _drop_event(self, key: ObjectKey) -> None:
        self._events.forget(key)
        if self._ledger.current(key) is not None:
            self._reaper.delete(key)

    def _read_events(self) -> None:
        found = [_parse(record) for record in self._ledger.committed(*EVENTS).values()]
        for document in sorted(found, key=lambda event: str(event.get("lastTimestamp") or "")):
            given = document["metadata"]
            self._events.note(ObjectKey(*EVENTS, given["namespace"], given["name"]), document, self._clock())

    async def _put(self, key: ObjectKey, document: Document, *, dry_run: bool) -> Document:
        if dry_run:
            return document
        self._ledger.stage(key, document, is_volatile=self._is_volatile(key))
        await self._settled()
        return document

    async def _settled(self) -> None:
        await self._ledger.settled()

    def _require_namespace(self, kind: Kind, key: ObjectKey) -> None:
        if not kind.is_namespaced:
            return
        record = self._ledger.current(ObjectKey(*NAMESPACES, "", key.namespace))
        if record is None:
            raise faults.not_found(NAMESPACE, key.namespace)
        if record.is_terminating:
            why = f"unable to create new content in namespace {key.namespace} because it is being terminated"
            raise faults.forbidden(kind, key.name, why)

    def _is_volatile(self, key: ObjectKey) -> bool:
        return (key.group, key.plural) in self._volatile

    def _key(self, kind: Kind, namespace: str, name: str) -> ObjectKey:
        return ObjectKey(kind.group, kind.plural, _space(kind, namespace), name)

    def _now(self) -> str:
        return self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")


def _space(kind: Kind, namespace: str) -> str:
    return namespace if kind.is_namespaced else ""


def _parse(record: Record) -> Document:
    document: Document = orjson.loads(record.body)
    return document


def _places(
    records: Mapping[tuple[str, str], Record], namespace: str | None, selector: Selector
) -> list[tuple[str, str]]:
    namespace = namespace if namespace is not None else selector.namespace
    if namespace is not None and selector.name is not None:
        place = (namespace, selector.name)
        return [place] if place in records else []
    return sorted(place for place in records if namespace is None or place[0] == namespace)


def _as_seen(change: Change, selector: Selector) -> WatchEvent | None:
    """A change through a selector: what starts to match is added, what stops is deleted."""
    document = _parse(change.after)
    was = change.before is not None and _matches(change.before, selector, None)
    matches = not change.is_deletion and _matches(change.after, selector, document)
    if not was and not matches:
        return None
    kind = "MODIFIED" if was and matches else "ADDED" if matches else "DELETED"
    return WatchEvent(kind, document, change.revision)


def _matches(record: Record, selector: Selector, document: Document | None) -> bool:
    if not selector.matches_labels(record.labels):
        return False
    return not selector.fields or selector.matches_fields(document or _parse(record))


def _bookmark(kind: Kind, revision: int) -> WatchEvent:
    version = f"{kind.group}/{kind.versions[0]}" if kind.group else kind.versions[0]
    document = {"apiVersion": version, "kind": kind.kind, "metadata": {"resourceVersion": str(revision)}}
    return WatchEvent("BOOKMARK", document, revision)


def _check_preconditions(kind: Kind, name: str, record: Record, uid: str, resource_version: str) -> None:
    for what, wanted, present in (
        ("UID", uid, record.uid),
        ("ResourceVersion", resource_version, str(record.revision)),
    ):
        if wanted and wanted != present:
            why = f"Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {present}"
            raise faults.conflict(kind, name, why)


def _write_page(revision: int, place: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([revision, *place])).decode()


def _read_page(page: str) -> tuple[int, tuple[str, str]]:
    try:
        revision, namespace, name = orjson.loads(base64.urlsafe_b64decode(page))
        return int(revision), (str(namespace), str(name))
    except ValueError as error:
        raise Gone("the provided continue parameter is not one of this server's: start the list anew") from error
