"""What is there before anybody made it: the objects that an installation of a dialect's own system brings along, such
as its runtimes and its settings. Made when they are missing, never changed: they are their owner's to edit."""

import contextlib
from collections.abc import Iterable

from fairlead.control.store import NAMESPACE, Store
from fairlead.control.world import StoredWorld
from fairlead.dialects.base import Dialect, Document
from fairlead.errors import AlreadyExists


async def seed(store: Store, dialects: Iterable[Dialect], world: StoredWorld) -> None:
    """Make what is missing, with its namespace."""
    for dialect in dialects:
        for document in dialect.seeds():
            metadata = document["metadata"]
            namespace = metadata.get("namespace", "")
            if world.get(document["kind"], namespace, metadata["name"]) is None:
                await _make(store, world, document, namespace)


async def _make(store: Store, world: StoredWorld, document: Document, namespace: str) -> None:
    kind = world.kind(document["kind"])
    if kind is None:
        raise AssertionError(f"{document['kind']} is not a kind that is served")
    if namespace:
        home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}, "spec": {}}
        with contextlib.suppress(AlreadyExists):
            await store.create(NAMESPACE, home, status={"phase": "Active"})
    await store.create(kind, {**document, "metadata": dict(document["metadata"])})
