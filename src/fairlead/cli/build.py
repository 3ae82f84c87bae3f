"""`fairlead build`: an OCI image of a model, a class or a bento, with the builder that is here."""

import asyncio
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.build_report import failures_told, write_report
from fairlead.cli.build_sources import BuildSource, source_of
from fairlead.cli.build_view import build_view
from fairlead.cli.durations import seconds
from fairlead.cli.exits import UsageError
from fairlead.cli.registries import RegistryConnection
from fairlead.images.access import access_of
from fairlead.images.contexts.bento import lay_out_bento
from fairlead.images.contexts.context import Context
from fairlead.images.contexts.dockerfile import PackageIndex, index_of
from fairlead.images.contexts.served import Served, lay_out_served
from fairlead.images.making import Made, Wanted, make
from fairlead.images.sbom import need_cyclonedx, write_sbom
from fairlead.pods.model_formats import format_in
from fairlead.pods.model_server import formats
from fairlead.runtimes.describing import describe
from fairlead.runtimes.user_code import find_target
from fairlead.storage.oci.reference import parse


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Content:
    """What goes into the image."""

    format_: Annotated[str, Parameter(name=["--format"])] = ""
    """The model's format, such as sklearn (default: told by its files)."""
    class_: Annotated[str, Parameter(name=["--class"])] = ""
    """Serve this class or function of a folder of Python: Module, package.module.Class (default: $MODEL_NAME)."""
    name: str = ""
    """Name that the model answers to (default: the folder's)."""
    base: str = ""
    """Image to build on: Python 3.11 or newer, venv and pip (default: python:3.12-slim-bookworm, or the bento's)."""
    fairlead_image: str = ""
    """Build on this image, which has Fairlead and the format's libraries in it already."""
    index_url: str = ""
    """Package index in place of PyPI (default: $PIP_INDEX_URL). A password in it stays out of the image."""
    extra_index_url: Annotated[list[str] | None, Parameter(negative="")] = None
    """A package index besides; may be given several times."""
    package: Annotated[list[str] | None, Parameter(negative="")] = None
    """A Debian package that the requirements need; may be given several times."""
    compile: Annotated[bool, Parameter(negative="")] = False
    """Install packages that exist only as sources, which runs their setup code."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Building:
    """How it is built."""

    builder: Literal["buildkit", "docker", "buildah"] | None = None
    """Which builder (default: the first that works)."""
    build_arg: Annotated[list[str] | None, Parameter(negative="")] = None
    """A build argument as NAME=value; may be given several times. It can be read from the image's history."""
    secret: Annotated[list[str] | None, Parameter(negative="")] = None
    """A file that steps with RUN --mount=type=secret see, as ID=path; may be given several times."""
    label: Annotated[list[str] | None, Parameter(negative="")] = None
    """A label as key=value; may be given several times."""
    platform: str = ""
    """Build for another machine, such as linux/arm64, where the builder can."""
    network: str = ""
    """Network of the steps; `host` for the machine's."""
    no_cache: Annotated[bool, Parameter(negative="")] = False
    """Take no step from an earlier build."""
    timeout: str = "1h"
    """Give up after this long."""
    insecure: Annotated[bool, Parameter(negative="")] = False
    """The registry speaks HTTP without TLS."""
    ca_file: Path | None = None
    """PEM file of the authority that the registry's certificate is from."""


def build(
    what: str = "",
    /,
    *,
    context: Path | None = None,
    image: Annotated[str, Parameter(name=["--image", "-t"])] = "",
    push: Annotated[bool, Parameter(negative="")] = False,
    force: Annotated[bool, Parameter(negative="")] = False,
    sbom: Path | None = None,
    report: Path | None = None,
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative="")] = False,
    content: Content | None = None,
    building: Building | None = None,
    connection: RegistryConnection | None = None,
) -> None:
    """Build an image of a model, of a Python class or of a bento, and push it if asked.

    BuildKit, Docker or buildah makes it, whichever works here. Prints the image's name, with its digest once it is in
    a registry.

    Parameters
    ----------
    what
        A folder or file, name:version of the registry (bentos/name:version for a bento), or any URI of a model.
    context
        The same as a folder, whatever its name looks like.
    image
        Name of the image (default: the model's or the bento's, which is no name to push).
    push
        Push it to its registry. It is not built when it is there already.
    force
        Build it although it is there.
    sbom
        Write what is in the image to this file, as CycloneDX 1.6 JSON.
    report
        Write the image and what is in the bento to this file, as JSON; what another try would not change ends with 42.
    verbose
        Show what the builder says.
    """
    content, building = content or Content(), building or Building()
    if push and not image:
        raise UsageError("--push needs the name to push: -t registry/repository:tag")
    if bool(what) == (context is not None):
        raise UsageError("say what to build: a path, a tag of the registry or a URI, or --context with a folder")
    if sbom is not None:
        need_cyclonedx()
    asked = str(context.resolve()) if context else what
    with (
        failures_told(report),
        source_of(asked, connection or RegistryConnection()) as source,
        tempfile.TemporaryDirectory() as scratch,
    ):
        name = image or f"{source.name.lower()}:{source.version or 'latest'}"
        archive = Path(scratch, "image.tar") if sbom else None
        wanted = _wanted(name, building, is_pushed=push, is_forced=force or sbom is not None, archive=archive)
        made = _make(wanted, source, content, is_verbose=verbose)
        if sbom is not None and archive is not None:
            write_sbom(archive, sbom, image=made.image, digest=made.digest or made.id, now=datetime.now(UTC))
        if report is not None:
            write_report(report, made, source.folder)
    output.note(f"{made.image} {f'built by {made.builder}' if made.builder else 'is there already'}")
    output.say(f"{made.image}@{made.digest}" if made.digest else made.image)


def _wanted(name: str, building: Building, *, is_pushed: bool, is_forced: bool, archive: Path | None) -> Wanted:
    host = parse(name).host
    return Wanted(
        image=name,
        access=access_of(os.environ, insecure=frozenset({host} if building.insecure else ()), ca_file=building.ca_file),
        builder=building.builder or "",
        build_args=_pairs("--build-arg", building.build_arg),
        secrets={id_: _file("--secret", path) for id_, path in _pairs("--secret", building.secret).items()},
        labels=_pairs("--label", building.label),
        platform=building.platform,
        network=building.network,
        is_pushed=is_pushed,
        is_forced=is_forced,
        is_fresh=building.no_cache,
        archive=archive,
        timeout_s=seconds(building.timeout),
        epoch=_epoch(os.environ),
    )


def _make(wanted: Wanted, source: BuildSource, content: Content, *, is_verbose: bool) -> Made:
    index = _index(content)
    served = None if source.is_bento else _served(source, content)

    def lay_out(target: Path) -> Context:
        if served is None:
            return lay_out_bento(source.folder, source.models, target, base=content.base, index=index)
        base = content.fairlead_image or content.base
        return lay_out_served(served, target, base=base, index=index, may_compile=content.compile)

    with build_view(wanted.image, is_verbose=is_verbose) as view:
        return asyncio.run(make(wanted, lay_out, environ=os.environ, say=view.say, tell=view.tell))


def _index(content: Content) -> PackageIndex:
    """What flags say, else pip's variables."""
    found = index_of(os.environ)
    extra = tuple(content.extra_index_url or found.extra_urls)
    return replace(found, url=content.index_url or found.url, extra_urls=extra)


def _served(source: BuildSource, content: Content) -> Served:
    """A model if the files are one, else the class that the folder names. Raises UsageError or LoadError."""
    folder = source.folder
    found = "" if content.class_ else format_in(folder) if folder.is_dir() else describe(folder).format
    format_ = content.format_ or found
    if format_ and format_ not in formats():
        raise UsageError(f"--format {format_!r}: there are {', '.join(formats())}")
    target = "" if format_ else content.class_ or find_target(folder, os.environ)
    return Served(
        folder=folder,
        format=format_,
        target=target,
        name=content.name or source.name,
        packages=tuple(content.package or ()),
        has_fairlead=bool(content.fairlead_image),
    )


def _pairs(flag: str, given: list[str] | None) -> dict[str, str]:
    found = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageError(f"{flag} {text!r}: write NAME=value")
        found[name] = value
    return found


def _file(flag: str, path: str) -> Path:
    if not Path(path).is_file():
        raise UsageError(f"{flag}: {path}: no such file")
    return Path(path).resolve()


def _epoch(environ: Mapping[str, str]) -> int:
    """SOURCE_DATE_EPOCH, as reproducible builds have it: https://reproducible-builds.org/docs/source-date-epoch/"""
    text = environ.get("SOURCE_DATE_EPOCH", "") or "0"
    if not text.isdecimal():
        raise UsageError(f"SOURCE_DATE_EPOCH {text!r}: must be seconds since 1970")
    return int(text)
