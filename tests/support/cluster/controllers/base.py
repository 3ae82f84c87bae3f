"""One controller: a pass over what it is responsible for."""

from collections.abc import Iterator
from typing import Any

from support.cluster.kinds import Resource
from support.cluster.state import State

Document = dict[str, Any]
Key = tuple[str, str]


class Controller:
    """A kind, and what is done about each object of it."""

    key: Key

    def __init__(self, state: State) -> None:
        self.state = state

    def step(self) -> bool:
        """One pass; whether anything was done. Nothing where the kind is not served."""
        if self.state.kinds.by_key(self.key) is None:
            return False
        return sum(self.reconcile(document) for document in list(self.state.storage.all(self.key))) > 0

    def reconcile(self, _document: Document) -> bool:
        """Do what is to be done about one object."""
        raise NotImplementedError

    @property
    def resource(self) -> Resource:
        """The kind that this is about."""
        return self.resource_of(self.key)

    def resource_of(self, key: Key) -> Resource:
        """Another kind."""
        found = self.state.kinds.by_key(key)
        assert found is not None, f"{key} is not served"
        return found

    def owned(self, key: Key, document: Document) -> Iterator[Document]:
        """Objects of a kind that this one controls, and that stay."""
        for found_key, found in self.state.storage.owned_by(document["metadata"]["uid"]):
            if found_key == key and "deletionTimestamp" not in found["metadata"]:
                yield found

    def remove(self, key: Key, document: Document) -> None:
        """Delete an object of the controller's own."""
        if key == ("", "pods") and document["spec"].get("nodeName"):
            metadata = {**document["metadata"], "deletionTimestamp": self.state.now(), "deletionGracePeriodSeconds": 30}
            self.state.put(key, {**document, "metadata": metadata})
        else:
            self.state.remove(key, document)
