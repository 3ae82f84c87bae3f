"""What the API serves: kinds with everything about them that is not in a dialect, and finding them by address."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairlead.control.api.tables import Layout, layout_of
from fairlead.control.ledger import Document
from fairlead.dialects.base import ALONE, Kind, World
from fairlead.errors import NotFound, Problem

Schema = dict[str, Any]

READING = ("get", "list", "watch")
WRITING = ("create", "update", "patch", "delete", "deletecollection")

_METADATA_FIELDS = ("metadata.name", "metadata.namespace")


def _as_is(document: Document) -> Document:
    return document


def _no_problems(_new: Document, _old: Document | None) -> list[Problem]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a version of a kind looks like: whole objects, and the columns of a table."""

    schema: Schema
    layout: Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind as it is served.

    `fold` rewrites shorthands in what a client sends, `prepare` fills in defaults, `check` finds problems beyond the
    schema (with the old object for updates), `first_status` is the status of a new object. `view` turns a stored
    object into the shape of this group and version when that is not the stored one; such a resource is only read.
    `schema` and `layout` are the stored version's; `shapes` are those of versions that the kind converts, for which it
    looks at the `world`.
    """

    kind: Kind
    schema: Schema
    description: str = ""
    layout: Layout = field(default_factory=lambda: layout_of(()))
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    world: World = ALONE
    fold: Callable[[Document], Document] = _as_is
    prepare: Callable[[Document], Document] = _as_is
    check: Callable[[Document, Document | None], list[Problem]] = _no_problems
    first_status: Callable[[Document], dict[str, Any] | None] = lambda _document: None
    fields: tuple[str, ...] = ()
    """What a field selector may ask for besides name and namespace."""
    is_core: bool = False
    """Core kinds take strategic merge patches; custom ones do not, as on a cluster."""
    has_log: bool = False
    stored: Kind | None = None
    view: Callable[[Document], Document] = _as_is

    @property
    def storage(self) -> Kind:
        """The kind that the store knows."""
        return self.stored or self.kind

    @property
    def verbs(self) -> tuple[str, ...]:
        """What can be done, in discovery's words."""
        return READING if self.kind.is_read_only or self.stored else (*WRITING, *READING)

    @property
    def field_labels(self) -> tuple[str, ...]:
        """Every path that a field selector may name."""
        return (*_METADATA_FIELDS, *self.fields) if self.kind.is_namespaced else ("metadata.name", *self.fields)

    def group_version(self, version: str = "") -> str:
        """The apiVersion of documents."""
        version = version or self.kind.versions[0]
        return f"{self.kind.group}/{version}" if self.kind.group else version

    def shape(self, version: str) -> Shape:
        """What this version looks like."""
        return self.shapes.get(version) or Shape(schema=self.schema, layout=self.layout)

    def stored_form(self, document: Document) -> Document:
        """An object of any version, whole or in part, as one of the stored version."""
        form = self.kind.form(str(document.get("apiVersion") or "").rpartition("/")[2])
        return form.stored(document) if form is not None else {**document, "apiVersion": self.group_version()}

    def shown(self, document: Document, version: str) -> Document:
        """A stored object as this version of the API shows it."""
        form = self.kind.form(version)
        if form is not None:
            return {**form.shown(document, self.world), "kind": self.kind.kind}
        return {**self.view(document), "apiVersion": self.group_version(version), "kind": self.kind.kind}


class Resources:
    """All of them, by address."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        self._all = tuple(resources)
        self._by_place = {
            (resource.kind.group, version, resource.kind.plural): resource
            for resource in resources
            for version in resource.kind.versions
        }

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._all)

    def find(self, group: str, version: str, plural: str) -> Resource:
        """The kind at an address; the refusal is what a cluster says, which clients look for."""
        resource = self._by_place.get((group, version, plural))
        if resource is None:
            raise NotFound("the server could not find the requested resource")
        return resource

    @property
    def groups(self) -> dict[str, list[str]]:
        """Versions by group, the preferred one first; the core group is the empty one."""
        found: dict[str, list[str]] = {}
        for resource in self._all:
            versions = found.setdefault(resource.kind.group, [])
            versions.extend(version for version in resource.kind.versions if version not in versions)
        return found

    def of(self, group: str, version: str) -> list[Resource]:
        """The kinds of one version of a group."""
        return [r for r in self._all if r.kind.group == group and version in r.kind.versions]
