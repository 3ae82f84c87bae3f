"""What follows a deletion: owned objects, namespaces, finalizers of the server's own.

A cluster does this a moment later and so does the double: when the test (or the loop, if the cluster is left to
itself) comes to it, never inside the request.
"""

from typing import Any

from support.cluster.deleting import FOREGROUND, ORPHAN
from support.cluster.state import State
from support.cluster.storage import Key

Document = dict[str, Any]
_NAMESPACES = ("", "namespaces")


class Collector:
    """The garbage collector and the controller of namespaces."""

    def __init__(self, state: State) -> None:
        self._state = state

    def step(self) -> bool:
        """One pass over everything; whether anything was done."""
        return sum(self._pass(key, document) for key, document in self._state.storage.everything()) > 0

    def _pass(self, key: Key, document: Document) -> bool:
        metadata = document["metadata"]
        found = self._state.storage.get(key, metadata.get("namespace", ""), metadata["name"])
        if found is not document:
            return False
        if metadata.get("deletionTimestamp"):
            if key == _NAMESPACES:
                return self._end_namespace(document)
            if ORPHAN in (metadata.get("finalizers") or ()):
                return self._orphan(key, document)
            if FOREGROUND in (metadata.get("finalizers") or ()):
                return self._end_foreground(key, document)
            return False
        return self._collect(key, document)

    def _collect(self, key: Key, document: Document) -> bool:
        """Delete what none of its owners is left of."""
        owners = document["metadata"].get("ownerReferences") or ()
        if not owners:
            return False
        present = [owner for owner in owners if self._lives(owner, document)]
        if present:
            return False
        self.delete(key, document)
        return True

    def _lives(self, owner: Document, document: Document) -> bool:
        found = self._state.storage.by_uid(owner["uid"])
        if found is None:
            return False
        namespace = found[1]["metadata"].get("namespace", "")
        # An owner in another namespace is no owner: the collector looks in the dependent's own.
        return namespace in ("", document["metadata"].get("namespace", ""))

    def delete(self, key: Key, document: Document, *, foreground: bool = False) -> None:
        """In the name of the system, with what finalizers ask for."""
        metadata = dict(document["metadata"])
        finalizers = list(metadata.get("finalizers") or ())
        if foreground and FOREGROUND not in finalizers:
            finalizers.append(FOREGROUND)
        if not finalizers:
            self._state.remove(key, document)
        elif not metadata.get("deletionTimestamp"):
            metadata |= {"finalizers": finalizers, "deletionTimestamp": self._state.now()}
            metadata |= {"deletionGracePeriodSeconds": 0}
            self._state.put(key, {**document, "metadata": metadata})

    def _orphan(self, key: Key, document: Document) -> bool:
        uid = document["metadata"]["uid"]
        for dependent_key, dependent in self._state.storage.owned_by(uid):
            owners = [item for item in dependent["metadata"]["ownerReferences"] if item["uid"] != uid]
            metadata = {name: value for name, value in dependent["metadata"].items() if name != "ownerReferences"}
            metadata |= {"ownerReferences": owners} if owners else {}
            self._state.put(dependent_key, {**dependent, "metadata": metadata})
        self._drop(key, document, ORPHAN)
        return True

    def _end_foreground(self, key: Key, document: Document) -> bool:
        blocking = False
        done = False
        for dependent_key, dependent in self._state.storage.owned_by(document["metadata"]["uid"]):
            owner = next(
                item for item in dependent["metadata"]["ownerReferences"] if item["uid"] == document["metadata"]["uid"]
            )
            blocking |= bool(owner.get("blockOwnerDeletion"))
            if not dependent["metadata"].get("deletionTimestamp"):
                self.delete(dependent_key, dependent, foreground=True)
                done = True
        if blocking:
            return done
        self._drop(key, document, FOREGROUND)
        return True

    def _drop(self, key: Key, document: Document, finalizer: str) -> None:
        left = [item for item in document["metadata"]["finalizers"] if item != finalizer]
        metadata = {name: value for name, value in document["metadata"].items() if name != "finalizers"}
        changed = {**document, "metadata": metadata | ({"finalizers": left} if left else {})}
        if left:
            self._state.put(key, changed)
        else:
            self._state.remove(key, changed)

    def _end_namespace(self, document: Document) -> bool:
        name = document["metadata"]["name"]
        inside = [
            (key, item) for key, item in self._state.storage.everything() if item["metadata"].get("namespace") == name
        ]
        if not inside:
            self._state.remove(_NAMESPACES, document)
            return True
        waiting = [item for _, item in inside if item["metadata"].get("deletionTimestamp")]
        for key, item in inside:
            self.delete(key, item)
        return len(waiting) < len(inside)
