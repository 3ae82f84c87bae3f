"""What else goes when an object goes: finalizers wait, dependents follow their owner, a namespace takes its contents.

Works on the ledger's staged state and stages changes; the store awaits the disk.
"""

from collections.abc import Callable
from enum import StrEnum

import orjson

from fairlead.control.db import ObjectKey
from fairlead.control.ledger import Document, Ledger

NAMESPACES = ("", "namespaces")
_FOREGROUND = "foregroundDeletion"


class Propagation(StrEnum):
    """What happens to the dependents of a deleted object."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


class Reaper:
    """`now` gives the deletion time; `is_volatile` tells kinds that are not kept on disk."""

    def __init__(self, ledger: Ledger, *, now: Callable[[], str], is_volatile: Callable[[ObjectKey], bool]) -> None:
        self._ledger = ledger
        self._now = now
        self._is_volatile = is_volatile
        self._emptying = ""

    def delete(self, key: ObjectKey, policy: Propagation = Propagation.BACKGROUND) -> Document:
        """Remove an object, or mark it for removal when something must happen first; returns its last state."""
        document = self._load(key)
        if (key.group, key.plural) == NAMESPACES:
            return self._delete_namespace(key, document)
        if policy is Propagation.FOREGROUND and self._blocking(document):
            return self._delete_after_dependents(key, document)
        if policy is Propagation.ORPHAN:
            self._orphan(document["metadata"]["uid"])
        if document["metadata"].get("finalizers"):
            return self._mark(key, document)
        return self._remove(key, document)

    def finish(self, key: ObjectKey, document: Document) -> bool:
        """Remove an object that waits for nothing any more; false if it is not to go, or not yet."""
        metadata = document["metadata"]
        if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
            return False
        if (key.group, key.plural) == NAMESPACES and any(self._ledger.keys_in(key.name)):
            return False
        self._remove(key, document)
        return True

    def _load(self, key: ObjectKey) -> Document:
        record = self._ledger.current(key)
        assert record is not None  # callers looked
        document: Document = orjson.loads(record.body)
        return document

    def _mark(self, key: ObjectKey, document: Document) -> Document:
        if "deletionTimestamp" not in document["metadata"]:
            document["metadata"] |= {"deletionTimestamp": self._now(), "deletionGracePeriodSeconds": 0}
            self._stage(key, document)
        return document

    def _remove(self, key: ObjectKey, document: Document) -> Document:
        self._stage(key, document, is_deletion=True)
        uid = document["metadata"]["uid"]
        for dependent in self._ledger.dependents(uid):
            self._leave_owner(dependent, uid)
        self._tell_owners(document)
        self._tell_namespace(key)
        return document

    def _leave_owner(self, key: ObjectKey, uid: str, policy: Propagation = Propagation.BACKGROUND) -> None:
        """A dependent of several owners outlives one of them."""
        if self._ledger.current(key) is None:
            return
        document = self._load(key)
        others = [owner for owner in document["metadata"]["ownerReferences"] if owner["uid"] != uid]
        if others:
            document["metadata"]["ownerReferences"] = others
            self._stage(key, document)
        elif "deletionTimestamp" not in document["metadata"]:
            self.delete(key, policy)

    def _orphan(self, uid: str) -> None:
        for key in self._ledger.dependents(uid):
            document = self._load(key)
            owners = [owner for owner in document["metadata"]["ownerReferences"] if owner["uid"] != uid]
            document["metadata"]["ownerReferences"] = owners
            if not owners:
                del document["metadata"]["ownerReferences"]
            self._stage(key, document)

    def _blocking(self, document: Document) -> bool:
        return bool(self._ledger.dependents(document["metadata"]["uid"]))

    def _delete_after_dependents(self, key: ObjectKey, document: Document) -> Document:
        metadata = document["metadata"]
        metadata["finalizers"] = [*(metadata.get("finalizers") or []), _FOREGROUND]
        self._mark(key, document)
        for dependent in self._ledger.dependents(metadata["uid"]):
            self._leave_owner(dependent, metadata["uid"], Propagation.FOREGROUND)
        self._release(metadata["uid"])
        return document

    def _tell_owners(self, document: Document) -> None:
        for owner in document["metadata"].get("ownerReferences") or ():
            self._release(owner["uid"])

    def _release(self, uid: str) -> None:
        """An owner that was deleted in the foreground goes with its last dependent."""
        key = self._ledger.key_of(uid)
        if key is None or self._ledger.dependents(uid):
            return
        waiting = self._load(key)
        finalizers = waiting["metadata"].get("finalizers") or []
        if _FOREGROUND in finalizers:
            waiting["metadata"]["finalizers"] = [name for name in finalizers if name != _FOREGROUND]
            if not self.finish(key, waiting):
                self._stage(key, waiting)

    def _delete_namespace(self, key: ObjectKey, document: Document) -> Document:
        if "deletionTimestamp" not in document["metadata"]:
            document["status"] = {"phase": "Terminating"}
            self._mark(key, document)
        self._emptying = key.name
        for content in list(self._ledger.keys_in(key.name)):
            if (record := self._ledger.current(content)) is not None and not record.is_terminating:
                self.delete(content)
        self._emptying = ""
        self.finish(key, document)
        return document

    def _tell_namespace(self, key: ObjectKey) -> None:
        """The last thing out of a terminating namespace takes it along."""
        if key.namespace == self._emptying:
            return
        home = ObjectKey(*NAMESPACES, "", key.namespace)
        record = self._ledger.current(home) if key.namespace else None
        if record is not None and record.is_terminating:
            self.finish(home, self._load(home))

    def _stage(self, key: ObjectKey, document: Document, *, is_deletion: bool = False) -> None:
        self._ledger.stage(key, document, is_deletion=is_deletion, is_volatile=self._is_volatile(key))
