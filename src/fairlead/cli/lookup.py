"""Finds objects by the words people type: a kind and a name, `kind/name`, or a name alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.cli.client import ApiError
from fairlead.cli.connection import Server
from fairlead.cli.exits import UsageError
from fairlead.cli.kinds import Resource, find
from fairlead.errors import NotFound


@dataclass(frozen=True)
class Wanted:
    """Objects of one kind; no names means all of them."""

    resource: Resource
    names: tuple[str, ...] = ()


def wanted(server: Server, words: Sequence[str]) -> list[Wanted]:
    """`kind name…`, `kind,kind`, or `kind/name…`."""
    if not words:
        raise UsageError("say which: KIND [NAME…] or KIND/NAME…, for example `sdep iris-model`")
    if any("/" in word for word in words):
        return [_slashed(server, word) for word in words]
    kinds = [find(server.client, word) for word in words[0].split(",") if word]
    if len(kinds) > 1 and words[1:]:
        raise UsageError("names go with one kind; write kind/name for several kinds")
    return [Wanted(kind, tuple(words[1:])) for kind in kinds]


def _slashed(server: Server, word: str) -> Wanted:
    kind, _, name = word.partition("/")
    if not kind or not name:
        raise UsageError(f"{word!r}: either all of them are kind/name, or none")
    return Wanted(find(server.client, kind), (name,))


def places_of(server: Server, resource: Resource, name: str) -> list[str]:
    """The namespaces that have an object of that name."""
    listed = server.client.get(resource.path(""), {"fieldSelector": f"metadata.name={name}"})
    metas: list[dict[str, Any]] = [item["metadata"] for item in listed.get("items") or []]
    return sorted(str(meta.get("namespace", "")) for meta in metas if meta.get("name") == name)


def one(server: Server, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
    """One object. When it is missing here but not elsewhere, the error says where it is."""
    try:
        return dict(server.client.get(resource.path(namespace, name)))
    except ApiError as problem:
        if problem.http != 404 or not resource.is_namespaced:
            raise
        elsewhere = places_of(server, resource, name)
        if not elsewhere:
            raise
        raise NotFound(f"{problem}; it is in {', '.join(elsewhere)}: add -n {elsewhere[0]}") from None
