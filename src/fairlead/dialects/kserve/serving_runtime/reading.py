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
        tuple(read(doc, KIND) for doc in world.list(KIND, namespace)),
        tuple(read(doc, CLUSTER_KIND) for doc in world.list(CLUSTER_KIND)),
    )
