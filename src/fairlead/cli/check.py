"""`fairlead validate` and `fairlead plan`: what can be told of manifests without a server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.connection import home_at
from fairlead.cli.exits import CommandFailed
from fairlead.cli.manifests import Document, located, read_documents
from fairlead.errors import FairleadError

if TYPE_CHECKING:
    from fairlead.dialects.base import Dialect
    from fairlead.dialects.catalog import Catalog
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
    catalog = read_catalog(config, home)
    failures = [problem for document in documents for problem in _check(document, catalog)]
    if failures:
        raise CommandFailed("\n".join(failures))
    return 0


def _check(document: Document, catalog: "Catalog") -> list[str]:
    dialect = dialect_of(document)
    if dialect is None:
        output.say(f"{document.where}: {document.label}: nothing to check for this kind")
        return []
    try:
        dialect.validate(document.content, catalog=catalog)
    except FairleadError as problem:
        return [str(located(document, problem))]
    output.say(f"{document.where}: {document.label} is valid")
    return []


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
    catalog = read_catalog(config, home)
    plans = [made for document in documents if (made := _lower(document, catalog)) is not None]
    if output_ == "text":
        from fairlead.cli.plans import describe

        output.say("\n\n".join(describe(made) for made in plans) or "These manifests run nothing.")
    else:
        import msgspec

        values: list[Any] = [msgspec.to_builtins(made) for made in plans]
        output.say(output.document(values[0] if len(values) == 1 else values, output_))
    return 0


def _lower(document: Document, catalog: "Catalog") -> "Plan | None":
    dialect = dialect_of(document)
    if dialect is None:
        return None
    try:
        dialect.validate(document.content, catalog=catalog)
        return dialect.lower(document.content, catalog=catalog)
    except FairleadError as problem:
        raise located(document, problem) from problem


def dialect_of(document: Document) -> "Dialect | None":
    """The dialect that reads this kind; `None` for the core kinds, which run nothing."""
    from fairlead.dialects.seldon import SeldonDialect

    group, _, version = document.api_version.rpartition("/")
    for dialect in (SeldonDialect(),):
        for kind in dialect.kinds:
            if (kind.group, kind.kind) == (group, document.kind) and version in kind.versions:
                return dialect
    return None


def read_catalog(config: Path | None, home: Path | None) -> "Catalog":
    """What runs in place of images, with the user's own entries."""
    import os

    from fairlead.control import settings
    from fairlead.dialects.catalog import Catalog

    found = settings.load(config or home_at(home).config, environ=os.environ, is_required=config is not None)
    return Catalog.from_config(found.catalog, found.base)
