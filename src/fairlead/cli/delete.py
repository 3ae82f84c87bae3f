"""`fairlead delete`: objects by name, by label or by the manifests that made them."""

from collections.abc import Iterator
from typing import Annotated, Any

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.client import ApiError
from fairlead.cli.connection import Connection, Server
from fairlead.cli.exits import CommandFailed, UsageError
from fairlead.cli.kinds import Resource, find_for
from fairlead.cli.lookup import one, wanted
from fairlead.cli.manifests import read_documents
from fairlead.errors import NotFound

_Objects = Iterator[tuple[Resource, str, str]]


def delete(
    *words: str,
    file: Annotated[list[str], Parameter(name=["--filename", "-f"], negative="", allow_leading_hyphen=True)] = [],  # noqa: B006 - cyclopts reads it
    all_: Annotated[bool, Parameter(name=["--all"], negative="")] = False,
    selector: Annotated[str, Parameter(name=["--selector", "-l"])] = "",
    ignore_not_found: Annotated[bool, Parameter(negative="")] = False,
    namespace: Annotated[str, Parameter(name=["--namespace", "-n"])] = "",
    connection: Connection | None = None,
) -> int:
    """Delete objects by name or by manifest.

    Parameters
    ----------
    words
        KIND NAME… or KIND/NAME…
    file
        Delete what these manifests describe: a file, a folder, a URL, or - for standard input.
    all_
        Every object of the kind in the namespace.
    selector
        Every object of the kind with these labels.
    ignore_not_found
        What is already gone is no failure.
    namespace
        Look in this namespace (default: the manifest's, then the kubeconfig's).
    """
    server = (connection or Connection()).open()
    if bool(words) == bool(file):
        raise UsageError("say what to delete: KIND NAME…, or -f FILE, and not both")
    chosen = _from_files(server, file, namespace) if file else _named(server, words, namespace, selector, is_all=all_)
    missing = [text for target in chosen if (text := _delete(server, *target, is_quiet=ignore_not_found))]
    if missing:
        raise CommandFailed("\n".join(missing))
    return 0


def _named(server: Server, words: tuple[str, ...], namespace: str, selector: str, *, is_all: bool) -> _Objects:
    place = namespace or server.namespace
    for group in wanted(server, words):
        names: tuple[str, ...] = group.names
        if not names and not (is_all or selector):
            raise UsageError(f"which {group.resource.plural}? Give names, -l LABELS, or --all")
        if not names:
            listed = server.client.get(group.resource.path(place), {"labelSelector": selector})
            names = tuple(item["metadata"]["name"] for item in listed.get("items") or [])
        for name in names:
            yield group.resource, place, name


def _from_files(server: Server, files: list[str], namespace: str) -> _Objects:
    # The last of a file first: what came later may need what came before.
    for document in reversed(read_documents(files)):
        meta: dict[str, Any] = document.content.get("metadata") or {}
        resource = find_for(server.client, document)
        yield resource, namespace or str(meta.get("namespace") or server.namespace), document.name


def _delete(server: Server, resource: Resource, namespace: str, name: str, *, is_quiet: bool) -> str:
    """Delete one object; the returned text is why it could not be, empty when it is gone."""
    try:
        one(server, resource, namespace, name)
        server.client.request("DELETE", resource.path(namespace, name))
    except (ApiError, NotFound) as problem:
        if problem.http != 404:
            raise
        return "" if is_quiet else str(problem)
    output.say(f'{resource.label} "{name}" deleted')
    return ""
