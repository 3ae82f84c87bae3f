"""`fairlead diff`: what would change if manifests were applied, as a person would say it. Nothing is changed.

The server says what each object would be (a dry run of the apply); what that means for what runs is told by its plans,
and by the fields for kinds that run nothing. Values are left out: manifests and Secrets hold passwords. On a cluster
the objects that run it are compared as well, by the module beside this one.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.apply import FIELD_MANAGER, placed
from fairlead.cli.client import APPLY_PATCH, ApiError
from fairlead.cli.configuration import read_catalog
from fairlead.cli.connection import Connection, Server, home_at
from fairlead.cli.diff_objects import ObjectChanges, is_cluster
from fairlead.cli.exits import CommandFailed, Exit
from fairlead.cli.field_changes import changed_fields
from fairlead.cli.kinds import Resource, find_for
from fairlead.cli.manifests import Document, read_documents
from fairlead.cli.reading import Reader
from fairlead.errors import FairleadError

if TYPE_CHECKING:
    from fairlead.dialects.base import Dialect, World
    from fairlead.plan.model import Plan


def diff(
    *,
    file: Annotated[list[str], Parameter(name=["--filename", "-f"], negative="", allow_leading_hyphen=True)],
    namespace: Annotated[str, Parameter(name=["--namespace", "-n"])] = "",
    values: Path | None = None,
    connection: Connection | None = None,
) -> int:
    """Show what would change if manifests were applied. Nothing is changed.

    On a cluster the objects that they are rendered to are compared too. Ends with 1 when something would change, with 0
    when nothing would.

    Parameters
    ----------
    file
        A file, a folder, a URL, or - for standard input; may be given several times.
    namespace
        Namespace for objects that name none (default: the kubeconfig's).
    values
        Values file of a cluster's installation (default: the one that its operator has).
    connection
        Which server.
    """
    documents = read_documents(file)
    server = (connection or Connection()).open()
    catalog, place = read_catalog(home_at(None), None), namespace or server.namespace
    with server.client:
        changes = _Changes(server, Reader.of(documents, catalog), is_cluster=is_cluster(server))
        told = [line for document in documents for line in changes.of(document, place)]
        if changes.is_cluster:
            told += ObjectChanges(server, catalog, place, values).of(documents)
    for line in told:
        output.say(line)
    return Exit.FAILED if told else Exit.OK


class _Changes:
    """Compares what is stored with what would be."""

    def __init__(self, server: Server, reader: Reader, *, is_cluster: bool) -> None:
        self.is_cluster = is_cluster
        self._server = server
        self._reader = reader
        self._worlds: dict[int, World] = {}

    def of(self, document: Document, default_namespace: str) -> Iterator[str]:
        """One headline and a line for each difference; nothing when nothing would change."""
        try:
            resource = find_for(self._server.client, document)
        except CommandFailed:
            if self.is_cluster and self._reader.kind_of(document) is not None:
                return  # nothing of ours is installed: its objects are all there is
            raise
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
        fields = [] if before is None else changed_fields(before, after)
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
