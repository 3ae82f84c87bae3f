"""Manifests as the objects that a cluster would have for them, without a cluster: what `fairlead render` prints, and
what others compare with a cluster's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fairlead.cli.check import check_metadata
from fairlead.cli.exits import CommandFailed
from fairlead.cli.kinds import unknown_kind
from fairlead.cli.manifests import Document, located
from fairlead.cli.reading import Reader
from fairlead.errors import FairleadError, NotFound

if TYPE_CHECKING:
    from fairlead.backends.kubernetes.render import Written
    from fairlead.backends.kubernetes.values import Values
    from fairlead.dialects.base import Kind
    from fairlead.dialects.catalog import Catalog
    from fairlead.dialects.clusters import ClusterDialect, ClusterSettings

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rendering:
    """The objects of several manifests, each once, and what there is to be told of them."""

    objects: tuple[Object, ...]
    warnings: tuple[str, ...] = ()


def read_values(path: Path | None) -> "Values":
    """The settings of a values file; those of an installation without one when there is none. Raises `NotFound`,
    `InvalidManifest`."""
    from fairlead.backends.kubernetes.values import read

    if path is None:
        return read("", "")
    try:
        return read(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as problem:
        raise NotFound(f"{path}: cannot be read: {getattr(problem, 'strerror', 'no text')}") from problem


def render_all(
    documents: Sequence[Document],
    settings: "ClusterSettings",
    catalog: "Catalog",
    *,
    namespace: str,
    beside: Sequence[Object] = (),
) -> Rendering:
    """What these documents make together, with the objects `beside` them that they may refer to. Raises
    `CommandFailed` with what is wrong with any of them."""
    reader = Reader.of_cluster(documents, catalog, settings, namespace=namespace, beside=beside)
    merging, failures = _Merging(), []
    for document in documents:
        kind = reader.kind_of(document)
        try:
            if kind is None:
                _check_known(document, reader)
            elif kind.is_planned:
                merging.take(document, _render(document, kind, reader, settings))
        except FairleadError as problem:
            failures.append(str(located(document, problem)))
    if failures:
        raise CommandFailed("\n".join(failures))
    return Rendering(tuple(merging.objects.values()), tuple(merging.warnings))


def _check_known(document: Document, reader: Reader) -> None:
    """A kind of nobody's is left to whoever knows it; one that calls itself a dialect's and is not is a mistake."""
    group = document.api_version.rpartition("/")[0]
    known = {(kind.kind, f"{kind.group}/{version}") for kind in reader.kinds for version in kind.versions}
    if any(kind.group == group for kind in reader.kinds):
        raise CommandFailed(unknown_kind(document, known))


def _render(document: Document, kind: "Kind", reader: Reader, settings: "ClusterSettings") -> "Written":
    from fairlead.backends.kubernetes.render import rendered
    from fairlead.dialects.access import refuse_access

    if problems := check_metadata(document):
        raise CommandFailed("\n".join(problems))
    dialect = next(dialect for dialect in reader.known if kind in dialect.kinds)
    admitted = reader.admitted(document, dialect)
    refuse_access(admitted)
    laying = cast("ClusterDialect", dialect)
    return rendered(laying.lay_out(admitted, settings=settings, catalog=reader.catalog, world=reader.world), settings)


class _Merging:
    """Objects as they come. What two manifests make alike is there once; what they make differently is refused."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str, str], Object] = {}
        self.warnings: list[str] = []
        self._makers: dict[tuple[str, str, str, str], str] = {}

    def take(self, document: Document, written: "Written") -> None:
        """Add what one manifest made."""
        for made in (*written.objects, *written.late):
            key = _identity(made)
            if self.objects.setdefault(key, made) != made:
                other = self._makers[key]
                raise CommandFailed(
                    f"{document.where}: {document.label} makes {made['kind']} {made['metadata']['name']}, and so does "
                    f"{other}, differently; one of them needs another name"
                )
            self._makers.setdefault(key, document.label)
        self.warnings += [f"{document.where}: warning: {text}" for text in written.warnings]


def _identity(made: Object) -> tuple[str, str, str, str]:
    group = str(made["apiVersion"]).rpartition("/")[0]
    metadata = made["metadata"]
    return group, str(made["kind"]), str(metadata.get("namespace", "")), str(metadata["name"])
