"""From parsed documents to typed runtimes, and the runtimes that a namespace can use."""

from dataclasses import dataclass

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.serving_runtime.schema import (
    CLUSTER_KIND,
    GROUP,
    KIND,
    VERSION,
    ServingRuntime,
)
from fairlead.dialects.reading import Identity, read_as

_IDENTITIES = {kind: Identity(GROUP, (VERSION,), kind) for kind in (KIND, CLUSTER_KIND)}


@dataclass(frozen=True, slots=True)
class Runtimes:
    """What a namespace can choose from."""

    namespaced: tuple[ServingRuntime, ...] = ()
    cluster: tuple[ServingRuntime, ...] = ()


def read(doc: Document, kind: str) -> ServingRuntime:
    """The typed document. Raises `InvalidManifest` with every field of the wrong type."""
    return read_as(ServingRuntime, doc, _IDENTITIES[kind])


def runtimes_for(namespace: str, world: World) -> Runtimes:
    """The runtimes that are stored now."""
    return Runtimes(
        tuple(_stored(doc, KIND) for doc in world.list(KIND, namespace)),
        tuple(_stored(doc, CLUSTER_KIND) for doc in world.list(CLUSTER_KIND)),
    )


# Every look at a service reads all the runtimes, and they hardly ever change: 1.5 ms of the 4 that lowering took.
_kept: dict[str, tuple[str, ServingRuntime]] = {}
_MOST_KEPT = 1024


def _stored(doc: Document, kind: str) -> ServingRuntime:
    """The typed document, the same object for the same version."""
    metadata = doc["metadata"]
    uid, version = metadata.get("uid", ""), metadata.get("resourceVersion", "")
    known = _kept.get(uid)
    if known is not None and known[0] == version:
        return known[1]
    typed = read(doc, kind)
    if uid and version:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[uid] = version, typed
    return typed
