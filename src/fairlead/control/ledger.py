"""Objects in memory, written through to the database in groups.

Readers see only what is on disk. A change is staged at once, so that the next change builds on it, and the writer
commits everything staged since the last commit in one transaction: a thousand concurrent writes cost a few syncs.
If a commit fails, nothing staged since survives and every caller that waited for it is told.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from fairlead.control.db import Database, ObjectKey
from fairlead.control.history import Change, History, Record

Document = dict[str, Any]

# The counter on disk runs ahead of the revisions handed out, so that a revision which never reached the disk
# (a pod's, say) is not handed out again after a restart.
_REVISIONS_RESERVED = 1000


@dataclass(slots=True)
class _Staged:
    """What the next commit will hold."""

    changes: list[Change] = field(default_factory=list)
    volatile: set[ObjectKey] = field(default_factory=set)
    done: asyncio.Future[None] | None = None


class Ledger:
    """`open` first; then `stage` (synchronous) any number of changes and await `settled`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.history = History()
        self.revision = 0
        """The newest revision on disk and in sight."""
        self._next = 0
        self._reserved = 0
        self._kinds: dict[tuple[str, str], dict[tuple[str, str], Record]] = defaultdict(dict)
        self._dependents: dict[str, set[ObjectKey]] = defaultdict(set)
        self._uids: dict[str, ObjectKey] = {}
        self._staged = _Staged()
        self._flying: _Staged | None = None
        self._overlay: dict[ObjectKey, Record | None] = {}
        self._work = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Read everything and start the writer."""
        self._reserved = self.revision = self._next = await self._database.counter("revision")
        for key, body in await self._database.load():
            self._replace(key, record_of(orjson.loads(body), body))
        self.history.start_at(self.revision)
        self._writer = asyncio.create_task(self._write_forever(), name="ledger-writer")

    async def close(self) -> None:
        """Commit what is staged, end every watch and stop the writer."""
        try:
            await self.settled()
        finally:
            self.history.close()
            if self._writer is not None:
                self._writer.cancel()
                await asyncio.gather(self._writer, return_exceptions=True)
            await self._database.close()

    def committed(self, group: str, plural: str) -> Mapping[tuple[str, str], Record]:
        """The records of a kind by namespace and name; do not keep it across an await."""
        return self._kinds[(group, plural)]

    def current(self, key: ObjectKey) -> Record | None:
        """An object as the next change will find it, staged changes included."""
        if key in self._overlay:
            return self._overlay[key]
        return self._kinds[(key.group, key.plural)].get((key.namespace, key.name))

    def dependents(self, uid: str) -> list[ObjectKey]:
        """Objects that name this uid as an owner, staged changes included."""
        keys = self._dependents.get(uid, ())
        return sorted(key for key in keys if (record := self.current(key)) is not None and uid in record.owners)

    def key_of(self, uid: str) -> ObjectKey | None:
        """Where the object with this uid is, staged changes included."""
        key = self._uids.get(uid)
        record = self.current(key) if key is not None else None
        return key if record is not None and record.uid == uid else None

    def keys_in(self, namespace: str) -> Iterator[ObjectKey]:
        """Every object in a namespace, staged changes included."""
        seen = set(self._overlay)
        for (group, plural), records in list(self._kinds.items()):
            seen.update(ObjectKey(group, plural, space, name) for space, name in records if space == namespace)
        return (key for key in sorted(seen) if key.namespace == namespace and self.current(key) is not None)

    def stage(
        self, key: ObjectKey, document: Document, *, is_deletion: bool = False, is_volatile: bool = False
    ) -> None:
        """Give a document the next revision and queue it, or its deletion; returns before anything is on disk."""
        self._next += 1
        document["metadata"]["resourceVersion"] = str(self._next)
        after = record_of(document, orjson.dumps(document))
        self._staged.changes.append(Change(self._next, key, self.current(key), after, is_deletion))
        if is_volatile:
            self._staged.volatile.add(key)
        self._overlay[key] = None if is_deletion else after
        self._index(key, after)
        self._work.set()

    async def settled(self) -> None:
        """Return when everything staged so far is on disk; raise if it will not be."""
        if self._staged.changes:
            waiting = self._staged
        elif self._flying is not None:
            waiting = self._flying
        else:
            return
        if waiting.done is None:
            waiting.done = asyncio.get_running_loop().create_future()
        await asyncio.shield(waiting.done)

    async def _write_forever(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            self._flying, self._staged = self._staged, _Staged()
            try:
                await self._commit(self._flying)
            except Exception as error:
                self._reject(error)
            else:
                self._accept(self._flying)
            self._flying = None

    async def _commit(self, batch: _Staged) -> None:
        last = {change.key: change for change in batch.changes if change.key not in batch.volatile}
        puts = [(key, change.after.body) for key, change in last.items() if not change.is_deletion]
        deletes = [key for key, change in last.items() if change.is_deletion]
        newest = batch.changes[-1].revision
        numbers = []
        if newest > self._reserved:
            self._reserved = newest + _REVISIONS_RESERVED
            numbers = [("revision", self._reserved)]
        if puts or deletes or numbers:
            await self._database.write(puts, deletes, numbers)

    def _accept(self, batch: _Staged) -> None:
        for change in batch.changes:
            self._replace(change.key, None if change.is_deletion else change.after)
        later = {change.key for change in self._staged.changes}
        for key in {change.key for change in batch.changes} - later:
            self._overlay.pop(key, None)
        self.revision = batch.changes[-1].revision
        self.history.publish(batch.changes)
        if batch.done is not None and not batch.done.done():
            batch.done.set_result(None)

    def _reject(self, error: Exception) -> None:
        """The commit failed: what was staged since builds on it, so it goes too."""
        failed = [batch for batch in (self._flying, self._staged) if batch is not None]
        self._staged = _Staged()
        self._overlay.clear()
        self._work.clear()
        self._reserved = 0  # unknown whether the reservation is on disk: make it again
        for batch in failed:
            if batch.done is not None and not batch.done.done():
                batch.done.set_exception(error)
                batch.done.exception()  # seen: a caller that was cancelled meanwhile does not read it

    def _replace(self, key: ObjectKey, record: Record | None) -> None:
        records = self._kinds[(key.group, key.plural)]
        before = records.pop((key.namespace, key.name), None)
        for uid in before.owners if before else ():
            self._dependents[uid].discard(key)
            if not self._dependents[uid]:
                del self._dependents[uid]
        if record is not None:
            records[(key.namespace, key.name)] = record
            self._index(key, record)
        elif before is not None:
            self._uids.pop(before.uid, None)

    def _index(self, key: ObjectKey, record: Record) -> None:
        """May hold too much (a staged change that failed), never too little; readers look at the records."""
        self._uids[record.uid] = key
        for uid in record.owners:
            self._dependents[uid].add(key)


def record_of(document: Document, body: bytes) -> Record:
    """Index one version of an object."""
    metadata = document["metadata"]
    return Record(
        revision=int(metadata["resourceVersion"]),
        body=body,
        uid=metadata["uid"],
        labels=dict(metadata.get("labels") or {}),
        owners=tuple(owner["uid"] for owner in metadata.get("ownerReferences") or ()),
        is_terminating="deletionTimestamp" in metadata,
    )
