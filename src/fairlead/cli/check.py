"""`fairlead validate` and `fairlead plan`: what can be told of manifests without a server."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.configuration import read_catalog, read_settings
from fairlead.cli.connection import home_at
from fairlead.cli.exits import CommandFailed
from fairlead.cli.kinds import unknown_kind
from fairlead.cli.manifests import Document, located, read_documents
from fairlead.cli.reading import Reader, is_of
from fairlead.errors import FairleadError, InvalidManifest, Problem, Where

if TYPE_CHECKING:
    from fairlead.control.api.validation import UnknownField
    from fairlead.dialects.base import Dialect
    from fairlead.plan.model import Plan

_Files = Annotated[list[str], Parameter(name=["--filename", "-f"], negative="", allow_leading_hyphen=True)]


def validate(*, file: _Files, config: Path | None = None, home: Path | None = None) -> int:
    """Check manifests with the rules the server applies, all problems at once.

    Parameters
    ----------
    file
        A file, a folder, a URL, or - for standard input; may be given several times.
    config
        Configuration file with images and servers of your own (default: config.toml of the home).
    home
        Where the installation keeps its things (default: $FAIRLEAD_HOME, ~/.fairlead).
    """
    documents = read_documents(file)
    catalog = read_catalog(home_at(home), config)
    reader = Reader.of(documents, catalog)
    failures = [problem for document in documents for problem in _check(document, reader)]
    if failures:
        raise CommandFailed("\n".join(failures))
    return 0


def _check(document: Document, reader: Reader) -> list[str]:
    dialect = reader.dialect_of(document)
    if dialect is None:
        return _check_core(document, reader)
    failures = check_metadata(document)
    try:
        reader.admitted(document, dialect)
    except FairleadError as problem:
        failures.append(str(located(document, problem)))
    for field in _unknown_fields(document, dialect):
        place = document.loaded.where(field.path)
        hint = f"; did you mean {field.near}?" if field.near else ""
        output.note(f"{place.file}:{place.line}: warning: {place.path} is no field and is dropped{hint}")
    if not failures:
        output.say(f"{document.where}: {document.label} is valid")
        _tell_what_stops_it(document, reader)
    return failures


def _tell_what_stops_it(document: Document, reader: Reader) -> None:
    """Some manifests are taken and then cannot run. It may be what the server has that these files lack."""
    try:
        reader.plan(document)
    except FairleadError as problem:
        reasons = str(located(document, problem)).replace("\n", "\n  ")
        output.note(f"{document.where}: warning: with these files alone it would be taken and not run:\n  {reasons}")


def _unknown_fields(document: Document, dialect: "Dialect") -> "list[UnknownField]":
    """Fields that the server would drop; a misspelt name is one of them."""
    from fairlead.control.api.kinds import resources_of
    from fairlead.control.api.validation import examine

    kind = next(kind for kind in dialect.kinds if kind.kind == document.kind)
    resource = resources_of((kind,), dialect.open_api).find(kind.group, kind.versions[0], kind.plural)
    version = document.api_version.rpartition("/")[2]
    return examine(resource.shape(version).schema, deepcopy(dict(document.content))).unknown


def _check_core(document: Document, reader: Reader) -> list[str]:
    """A kind that runs nothing. One that the server does not have is refused here as it is there."""
    from fairlead.control.api.kinds import CORE

    kinds = [resource.kind for resource in CORE if not resource.kind.is_read_only]
    if not any(is_of(document, kind) for kind in kinds):
        versions = [(kind, version) for kind in (*kinds, *reader.kinds) for version in kind.versions]
        known = {(kind.kind, f"{kind.group}/{version}".lstrip("/")) for kind, version in versions}
        return [unknown_kind(document, known)]
    failures = check_metadata(document)
    if not failures:
        output.say(f"{document.where}: {document.label}: nothing else to check for this kind")
    return failures


def check_metadata(document: Document) -> list[str]:
    """What is wrong with a document's name, labels and annotations, as one message with all of it."""
    problems = list(_metadata_problems(document))
    return [str(located(document, InvalidManifest(problems)))] if problems else []


def _metadata_problems(document: Document) -> Iterator[Problem]:
    from fairlead.control import metadata
    from fairlead.dialects.base import Kind

    given = document.content["metadata"]
    for key in ("labels", "annotations"):
        pairs = given.get(key) or {}
        if not isinstance(pairs, dict) or not all(isinstance(value, str) for value in pairs.values()):
            yield Problem(where=Where(path=f"metadata.{key}"), message="must be text by text; put numbers in quotes")
            return
    kind = Kind(group="", versions=(), kind=document.kind, plural="", singular="")
    yield from metadata.problems_of(kind, given)


def plan(
    *,
    file: _Files,
    output_: Annotated[Literal["text", "yaml", "json"], Parameter(name=["--output", "-o"])] = "text",
    config: Path | None = None,
    home: Path | None = None,
) -> int:
    """Show what manifests would run: components, units, the graph and the routes. Nothing is started.

    Parameters
    ----------
    file
        A file, a folder, a URL, or - for standard input; may be given several times.
    output_
        text (default), yaml or json.
    config
        Configuration file with images and servers of your own (default: config.toml of the home).
    home
        Where the installation keeps its things (default: $FAIRLEAD_HOME, ~/.fairlead).
    """
    documents = read_documents(file)
    place = home_at(home)
    reader = Reader.of(documents, read_catalog(place, config), domain=read_settings(place, config).domain)
    plans = [made for document in documents if (made := _lower(document, reader)) is not None]
    if output_ == "text":
        from fairlead.cli.plans import describe

        output.say("\n\n".join(describe(made) for made in plans) or "These manifests run nothing.")
    else:
        import msgspec

        values: list[Any] = [msgspec.to_builtins(made) for made in plans]
        output.say(output.document(values[0] if len(values) == 1 else values, output_))
    return 0


def _lower(document: Document, reader: Reader) -> "Plan | None":
    try:
        return reader.plan(document)
    except FairleadError as problem:
        raise located(document, problem) from problem
