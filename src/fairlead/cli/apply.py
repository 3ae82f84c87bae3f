"""`fairlead apply`: server-side apply of manifests, with the namespaces they need."""

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.client import APPLY_PATCH, ApiError, Unreachable
from fairlead.cli.connection import Connection, Server
from fairlead.cli.durations import seconds
from fairlead.cli.exits import CommandFailed
from fairlead.cli.following import wait_until_ready
from fairlead.cli.kinds import Resource, find_for
from fairlead.cli.manifests import Document, read_documents
from fairlead.cli.watching import Subject
from fairlead.errors import FairleadError

FIELD_MANAGER = "fairlead"


def apply(
    *,
    file: Annotated[list[str], Parameter(name=["--filename", "-f"], negative="", allow_leading_hyphen=True)],
    namespace: Annotated[str, Parameter(name=["--namespace", "-n"])] = "",
    wait: Annotated[bool, Parameter(negative="")] = False,
    timeout: Annotated[str, Parameter()] = "10m",
    force_conflicts: Annotated[bool, Parameter(negative="")] = False,
    connection: Connection | None = None,
) -> int:
    """Create or change what manifests describe.

    Returns when everything is accepted; --wait goes on until everything is ready.

    Parameters
    ----------
    file
        A file, a folder, a URL, or - for standard input; may be given several times.
    namespace
        Namespace for objects that name none (default: the kubeconfig's).
    wait
        Wait until everything is ready, and show how it goes.
    timeout
        Longest wait, such as 90s (default: 10m).
    force_conflicts
        Take over fields that another program set.
    connection
        Which server.
    """
    timeout_s = seconds(timeout)
    documents = read_documents(file)
    server = (connection or Connection()).open()
    subjects = apply_documents(server, documents, namespace=namespace, is_forced=force_conflicts)
    if wait:
        wait_until_ready(server.client.target, subjects, timeout_s=timeout_s)
    return 0


def apply_documents(
    server: Server, documents: Sequence[Document], *, namespace: str = "", is_forced: bool = False
) -> list[Subject]:
    """Apply every document, namespaces and what others refer to first, and say what became of each. One that is
    refused keeps nobody else from being applied; all refusals are raised at the end."""
    known: set[str] = set()
    subjects = []
    refusals: list[FairleadError] = []
    for document in sorted(documents, key=_rank):
        place = document.namespace or namespace or server.namespace
        try:
            resource = find_for(server.client, document)
            if resource.is_namespaced and place not in known:
                _ensure_namespace(server, place)
                known.add(place)
            verb = _apply(server, resource, place, document, is_forced=is_forced)
        except Unreachable:
            raise
        except FairleadError as problem:
            refusals.append(problem)
            continue
        output.say(f"{resource.label}/{document.name} {verb}")
        subjects.append(Subject(resource, place if resource.is_namespaced else "", document.name))
    if len(refusals) == 1:
        raise refusals[0]
    if refusals:
        raise CommandFailed("\n".join(str(refusal) for refusal in refusals))
    return subjects


def _rank(document: Document) -> int:
    order = ("Namespace", "ServiceAccount", "Secret", "ConfigMap", "PersistentVolumeClaim")
    return order.index(document.kind) if document.kind in order else len(order)


def _ensure_namespace(server: Server, name: str) -> None:
    try:
        server.client.get(f"/api/v1/namespaces/{name}")
    except ApiError as problem:
        if problem.http != 404:
            raise
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        server.client.request("POST", "/api/v1/namespaces", body=body)
        output.say(f"namespace/{name} created")


def _apply(server: Server, resource: Resource, place: str, document: Document, *, is_forced: bool) -> str:
    path = resource.path(place, document.name)
    before = _version(server, path)
    body: dict[str, Any] = document.for_server()
    if resource.is_namespaced:
        body["metadata"]["namespace"] = place
    query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Warn", "force": "true" if is_forced else ""}
    try:
        after = server.client.request("PATCH", path, query=query, body=body, content_type=APPLY_PATCH)
    except ApiError as problem:
        raise placed(problem, document) from problem
    if not before:
        return "created"
    return "unchanged" if after["metadata"]["resourceVersion"] == before else "configured"


def _version(server: Server, path: str) -> str:
    try:
        return str(server.client.get(path)["metadata"]["resourceVersion"])
    except ApiError as problem:
        if problem.http != 404:
            raise
        return ""


def placed(problem: ApiError, document: Document) -> ApiError:
    """The refusal with the place in the file that it is about, and the way out of a conflict."""
    hint = ""
    if problem.http == 409 and problem.reason == "Conflict":
        hint = "\nAnother program set these fields; --force-conflicts takes them over."
    return ApiError(
        f"{document.where}: {problem}{hint}", code=problem.http, reason=problem.reason, details=problem.details
    )
