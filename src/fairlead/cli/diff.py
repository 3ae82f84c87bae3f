"""`fairlead diff`: what would change if manifests were applied, as a person would say it. Nothing is changed.

The server says what each object would be (a dry run of the apply); what that means for what runs is told by its plans,
and by the fields for kinds that run nothing. Values are left out: manifests and Secrets hold passwords.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.apply import FIELD_MANAGER, placed
from fairlead.cli.client import APPLY_PATCH, ApiError
from fairlead.cli.configuration import read_catalog
from fairlead.cli.connection import Connection, Server, home_at
from fairlead.cli.exits import Exit
from fairlead.cli.kinds import Resource, find_for
from fairlead.cli.manifests import Document, read_documents
from fairlead.cli.reading import Reader
from fairlead.errors import FairleadError

if TYPE_CHECKING:
    from fairlead.dialects.base import Dialect, World
    from fairlead.plan.model import Plan

_OWN = ("status", "apiVersion", "kind")
_NOT_SAID = frozenset(("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"))


def diff(
    *,
    file: Annotated[list[str], Parameter(name=["--filename", "-f"], negative="", allow_leading_hyphen=True)],
    namespace: Annotated[str, Parameter(name=["--namespace", "-n"])] = "",
    connection: Connection | None = None,
) -> int:
    """Show what would change if manifests were applied. Nothing is changed.

    Ends with 1 when something would change, with 0 when nothing would.

    Parameters
    ----------
    file
        A file, a folder, a URL, or - for standard input; may be given several times.
    namespace
        Namespace for objects that name none (default: the kubeconfig's).
    connection
        Which server.
    """
    documents = read_documents(file)
    server = (connection or Connection()).open()
    changes = _Changes(server, Reader.of(documents, read_catalog(home_at(None), None)))
    told = [list(changes.of(document, namespace or server.namespace)) for document in documents]
    for lines in told:
        for line in lines:
            output.say(line)
    return Exit.FAILED if any(told) else Exit.OK


class _Changes:
    """Compares what is stored with what would be."""

    def __init__(self, server: Server, reader: Reader) -> None:
        self._server = server
        self._reader = reader
        self._worlds: dict[int, World] = {}

    def of(self, document: Document, default_namespace: str) -> Iterator[str]:
        """One headline and a line for each difference; nothing when nothing would change."""
        resource = find_for(self._server.client, document)
        place = document.namespace or default_namespace
        before = _get(self._server, resource.path(place, document.name))
        after = self._applied(document, resource, place, is_new=before is None)
        lines = list(self._lines(document, before, after))
        if before is None:
            yield f"{resource.label}/{document.name} would be created"
        elif lines:
            yield f"{resource.label}/{document.name} would change"
        yield from (f"  {line}" for line in lines)

    def _applied(self, document: Document, resource: Resource, place: str, *, is_new: bool) -> dict[str, Any]:
        body: dict[str, Any] = document.for_server()
        if resource.is_namespaced:
            body["metadata"]["namespace"] = place
            if is_new and _get(self._server, f"/api/v1/namespaces/{place}") is None:
                return body  # the server cannot try it out before its namespace is there
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Warn", "force": "true", "dryRun": "All"}
        path = resource.path(place, document.name)
        try:
            return dict(self._server.client.request("PATCH", path, query=query, body=body, content_type=APPLY_PATCH))
        except ApiError as problem:
            raise placed(problem, document) from problem

    def _lines(self, document: Document, before: dict[str, Any] | None, after: dict[str, Any]) -> list[str]:
        fields = [] if before is None else sorted(_changed(_said(before), _said(after)))
        if before is not None and not fields:
            return []
        return self._of_plans(document, before, after) or fields

    def _of_plans(self, document: Document, before: dict[str, Any] | None, after: dict[str, Any]) -> list[str]:
        """What it means for what runs; nothing for a kind that runs nothing, or when only words about it change."""
        from fairlead.plan.diff import diff as differences

        dialect, kind = self._reader.dialect_of(document), self._reader.kind_of(document)
        if dialect is None or kind is None or not kind.is_planned:
            return []
        old = None if before is None else self._lowered(dialect, before)
        return differences(old, self._lowered(dialect, after))

    def _lowered(self, dialect: "Dialect", stored: dict[str, Any]) -> "Plan | None":
        world = self._world(dialect)
        try:
            return dialect.lower(dialect.default(stored, world=world), catalog=self._reader.catalog, world=world)
        except FairleadError:  # what cannot run is told by its status; here it runs nothing
            return None

    def _world(self, dialect: "Dialect") -> "World":
        """What the server has for a dialect's objects to refer to."""
        if id(dialect) not in self._worlds:
            from fairlead.dialects.given import GivenWorld

            places = [("ConfigMap", "v1", "/api/v1/configmaps")]
            for kind in dialect.kinds:
                version = f"{kind.group}/{kind.versions[0]}"
                places.append((kind.kind, version, f"/apis/{version}/{kind.plural}"))
            found = [
                {"apiVersion": version, "kind": name, **item}
                for name, version, path in places
                for item in (_get(self._server, path) or {}).get("items") or ()
            ]
            self._worlds[id(dialect)] = GivenWorld(found)
        return self._worlds[id(dialect)]


def _get(server: Server, path: str) -> dict[str, Any] | None:
    try:
        return dict(server.client.get(path))
    except ApiError as problem:
        if problem.http != 404:
            raise
        return None


def _said(document: Mapping[str, Any]) -> dict[str, Any]:
    """What an object says by itself, without what its server notes."""
    said = {name: value for name, value in document.items() if name not in _OWN}
    said["metadata"] = {name: value for name, value in document["metadata"].items() if name not in _NOT_SAID}
    return said


def _changed(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """The fields that differ, as their paths."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in (*old, *(name for name in new if name not in old)):
            yield from _changed(old.get(name), new.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _changed(one, other, f"{path}[{index}]")
    elif old != new:
        yield path
