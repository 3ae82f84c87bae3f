"""Which cache holds the model at a URI."""

from dataclasses import dataclass
from hashlib import sha256

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.caches.schema import CACHE, NAMESPACE_CACHE


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A cache. `namespace` is empty for one of all namespaces."""

    name: str
    namespace: str
    source_uri: str
    node_group: str


def cache_for(uri: str, namespace: str, world: World, *, node_group: str = "") -> Match | None:
    """The cache that holds a model, one of the namespace before the others. A `node_group` that is given has to be
    among its groups."""
    for cache in (*world.list(NAMESPACE_CACHE, namespace), *world.list(CACHE)):
        groups = cache["spec"]["nodeGroups"]
        if holds(cache, uri) and (not node_group or node_group in groups):
            return Match(
                name=cache["metadata"]["name"],
                namespace=cache["metadata"].get("namespace", ""),
                source_uri=cache["spec"]["sourceModelUri"],
                node_group=node_group or groups[0],
            )
    return None


def holds(cache: Document, uri: str) -> bool:
    """Whether a URI is that of the cached model, or below it."""
    source = str(cache["spec"]["sourceModelUri"]).rstrip("/")
    return uri.rstrip("/") == source or uri.startswith(f"{source}/")


def key_of(source_uri: str) -> str:
    """The folder below `models/` in which the nodes of a cluster keep the model of a cache."""
    return sha256(source_uri.encode()).hexdigest()[:16]
