"""Manifests as the server would take them, without a server: each with the dialect that reads it, its defaults, and the
objects it may refer to, which are those that came along and those of a fresh installation."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fairlead.cli.manifests import Document

if TYPE_CHECKING:
    from fairlead.dialects.base import Dialect, Kind, World
    from fairlead.dialects.catalog import Catalog
    from fairlead.dialects.clusters import ClusterSettings
    from fairlead.plan.model import Plan

_DEFAULT_NAMESPACE = "default"


def dialects(domain: str = "localhost") -> "tuple[Dialect, ...]":
    """All that there are; `domain` is what the host names of services end in."""
    from fairlead.dialects.bento import BentoDialect
    from fairlead.dialects.kserve import KServeDialect
    from fairlead.dialects.seldon import SeldonDialect

    return SeldonDialect(), KServeDialect(domain=domain), BentoDialect()


def cluster_dialects(settings: "ClusterSettings") -> "tuple[Dialect, ...]":
    """The same, in a cluster with these settings."""
    from fairlead.dialects.bento import BentoDialect
    from fairlead.dialects.kserve import KServeDialect
    from fairlead.dialects.seldon import SeldonDialect

    return SeldonDialect(settings=settings), KServeDialect(settings=settings), BentoDialect(settings=settings)


def is_of(document: Document, kind: "Kind") -> bool:
    """Whether a document calls itself an object of this kind."""
    group, _, version = document.api_version.rpartition("/")
    return (kind.group, kind.kind) == (group, document.kind) and version in kind.versions


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads documents that were given together."""

    catalog: "Catalog"
    world: "World"
    known: "tuple[Dialect, ...]" = field(default_factory=dialects)
    namespace: str = _DEFAULT_NAMESPACE
    """Of objects that name none."""

    @classmethod
    def of(cls, documents: Sequence[Document], catalog: "Catalog", *, domain: str = "localhost") -> "Reader":
        """With these documents, and what an installation brings along, to refer to."""
        from fairlead.dialects.given import GivenWorld

        known = dialects(domain)
        seeds = [seed for dialect in known for seed in dialect.seeds()]
        given = [_placed(document, known) for document in documents if document.kind != "Secret"]
        return cls(catalog, GivenWorld([*given, *seeds]), known)

    @classmethod
    def of_cluster(
        cls,
        documents: Sequence[Document],
        catalog: "Catalog",
        settings: "ClusterSettings",
        *,
        namespace: str,
        beside: Sequence[dict[str, Any]] = (),
    ) -> "Reader":
        """With these documents, the objects `beside` them that a cluster has, and what an installation in a cluster
        brings along, to refer to: of Secrets the names of their keys."""
        from fairlead.dialects.given import GivenWorld

        known = cluster_dialects(settings)
        seeds = [seed for dialect in known for seed in dialect.seeds()]
        given = [_without_values(_placed(document, known, namespace)) for document in documents]
        there = [_without_values(one) for one in beside]
        return cls(catalog, GivenWorld([*given, *there, *seeds]), known, namespace)

    @property
    def kinds(self) -> "tuple[Kind, ...]":
        """The kinds of all dialects that may be written."""
        return tuple(kind for dialect in self.known for kind in dialect.kinds if not kind.is_read_only)

    def kind_of(self, document: Document) -> "Kind | None":
        """The kind of a document; `None` for one of no dialect."""
        return next((kind for kind in self.kinds if is_of(document, kind)), None)

    def dialect_of(self, document: Document) -> "Dialect | None":
        """The dialect that reads a document; `None` for the core kinds, which run nothing."""
        kind = self.kind_of(document)
        return next((dialect for dialect in self.known if kind in dialect.kinds), None)

    def admitted(self, document: Document, dialect: "Dialect") -> dict[str, Any]:
        """The document as it would be stored. Raises `InvalidManifest` with what the dialect's rules say."""
        from fairlead.dialects.access import access_of

        defaulted = dialect.default(_placed(document, self.known, self.namespace), world=self.world)
        dialect.validate(defaulted, catalog=self.catalog, world=self.world)
        access_of(defaulted)
        return defaulted

    def plan(self, document: Document) -> "Plan | None":
        """What the document would run; `None` when its kind runs nothing by itself."""
        dialect, kind = self.dialect_of(document), self.kind_of(document)
        if dialect is None or kind is None:
            return None
        admitted = self.admitted(document, dialect)
        return dialect.lower(admitted, catalog=self.catalog, world=self.world) if kind.is_planned else None


def _placed(document: Document, known: "Sequence[Dialect]", namespace: str = _DEFAULT_NAMESPACE) -> dict[str, Any]:
    """The document in the namespace that an object without one gets."""
    content = deepcopy(document.content)
    is_wide = any(is_of(document, kind) and not kind.is_namespaced for dialect in known for kind in dialect.kinds)
    if not is_wide and document.kind != "Namespace" and isinstance(content.get("metadata"), dict):
        content["metadata"]["namespace"] = content["metadata"].get("namespace") or namespace
    return content


def _without_values(content: dict[str, Any]) -> dict[str, Any]:
    if content["kind"] != "Secret":
        return content
    keys = {**(content.get("data") or {}), **(content.get("stringData") or {})}
    kept = {key: value for key, value in content.items() if key not in ("data", "stringData")}
    return {**kept, "data": dict.fromkeys(keys, "")}
