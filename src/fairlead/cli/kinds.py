"""Which kinds the server has, found by asking it: from `sdep`, `pods` or a manifest's apiVersion and kind to a path."""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairlead.cli.client import ApiError, Client
from fairlead.cli.exits import CommandFailed, UsageError

if TYPE_CHECKING:
    from fairlead.cli.manifests import Document

# Asked first, so that the names people type most cost one request on a cluster with fifty groups.
_FIRST = ("machinelearning.seldon.io", "serving.kserve.io", "serving.yatai.ai", "resources.yatai.ai", "apps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind as the server serves it. `group` is empty for the core kinds."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...] = ()
    is_namespaced: bool = True

    @property
    def label(self) -> str:
        """`deployment.apps`, as kubectl names a kind before a slash."""
        return f"{self.singular}.{self.group}" if self.group else self.singular

    @property
    def root(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str, name: str = "", *, part: str = "") -> str:
        """Where one object is, or the collection; an empty namespace means all of them. `part` is a subresource."""
        within = f"/namespaces/{namespace}" if self.is_namespaced and namespace else ""
        return f"{self.root}{within}/{self.plural}" + (f"/{name}" if name else "") + (f"/{part}" if part else "")

    def answers_to(self, word: str) -> bool:
        """Whether a person who types this word means this kind. `word` may carry the group: `sdep.machinelearning…`."""
        name, _, group = word.lower().partition(".")
        if group and not (f"{self.group}.".startswith(f"{group}.") or group == f"{self.version}.{self.group}"):
            return False
        return name in (self.plural, self.singular, self.kind.lower(), *self.short_names)


def find(client: Client, word: str) -> Resource:
    """The kind a person means by a plural, singular, short name or kind."""
    seen: set[str] = set()
    for resource in _all(client):
        if resource.answers_to(word):
            return resource
        seen.add(resource.plural)
    raise UsageError(f"the server has no kind {word!r}; it has: {', '.join(sorted(seen))}")


def find_for(client: Client, document: "Document") -> Resource:
    """The kind a manifest names."""
    group, _, version = document.api_version.rpartition("/")
    try:
        found = [resource for resource in _of_version(client, group, version) if resource.kind == document.kind]
    except ApiError as problem:
        if problem.http != 404:
            raise
        found = []
    if not found:
        raise CommandFailed(unknown_kind(document, {(one.kind, _api_version(one)) for one in _all(client)}))
    return found[0]


def unknown_kind(document: "Document", known: Iterable[tuple[str, str]]) -> str:
    """That the server has no such kind, with the one that was probably meant or else all, as kinds and versions."""
    asked = f"{document.label}: the server does not know {document.kind} of {document.api_version}"
    shown = sorted(known)
    near = difflib.get_close_matches(document.kind, [kind for kind, _ in shown], n=1, cutoff=0.8)
    meant = [f"{kind} ({version})" for kind, version in shown if kind in (near or [kind])]
    choice = f"did you mean {' or '.join(meant)}?" if near else f"it has: {', '.join(meant)}"
    return f"{document.where}: {asked}; {choice}"


def _api_version(resource: Resource) -> str:
    return f"{resource.group}/{resource.version}" if resource.group else resource.version


def _all(client: Client) -> Iterator[Resource]:
    """Every kind in the first version of its group that has it, the preferred one before others and the usual groups
    first; one request at a time as the caller goes on."""
    yield from _of_version(client, "", "v1")
    groups = client.get("/apis").get("groups") or []
    groups.sort(key=lambda group: _FIRST.index(group["name"]) if group["name"] in _FIRST else len(_FIRST))
    for group in groups:
        preferred = group["preferredVersion"]["version"]
        others = [entry["version"] for entry in group.get("versions") or [] if entry["version"] != preferred]
        seen: set[str] = set()
        for version in (preferred, *others):
            new = [kind for kind in _of_version(client, group["name"], version) if kind.plural not in seen]
            seen |= {kind.plural for kind in new}
            yield from new


def _of_version(client: Client, group: str, version: str) -> list[Resource]:
    found = client.get(f"/apis/{group}/{version}" if group else f"/api/{version}")
    return [_read(group, version, entry) for entry in found.get("resources") or [] if "/" not in entry["name"]]


def _read(group: str, version: str, entry: dict[str, Any]) -> Resource:
    return Resource(
        group=group,
        version=version,
        kind=entry["kind"],
        plural=entry["name"],
        singular=entry.get("singularName") or entry["kind"].lower(),
        short_names=tuple(entry.get("shortNames") or ()),
        is_namespaced=bool(entry.get("namespaced")),
    )
