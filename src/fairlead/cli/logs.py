"""`fairlead logs`: what the replicas of a deployment, or one pod, wrote."""

import queue
import sys
import threading
from typing import Annotated, Any

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.client import Client
from fairlead.cli.connection import Connection, Server
from fairlead.cli.durations import seconds
from fairlead.cli.kinds import Resource, find
from fairlead.cli.lookup import places_of
from fairlead.errors import FairleadError, NotFound


def logs(
    name: str,
    /,
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    tail: int | None = None,
    since: str = "",
    previous: Annotated[bool, Parameter(name=["--previous", "-p"], negative="")] = False,
    timestamps: Annotated[bool, Parameter(negative="")] = False,
    namespace: Annotated[str, Parameter(name=["--namespace", "-n"])] = "",
    connection: Connection | None = None,
) -> int:
    """Print what replicas wrote.

    Parameters
    ----------
    name
        A pod, or a deployment (name or kind/name): then the lines of all its pods, each with the pod's name.
    follow
        Go on printing until Ctrl-C.
    tail
        Only the last lines of each pod.
    since
        Only what is newer, such as 10m.
    previous
        Changes nothing: a log holds what every life of its replica wrote.
    timestamps
        Put the time before each line.
    namespace
        Where it is; needed only when several namespaces have one of that name.
    """
    server = (connection or Connection()).open()
    query = {
        "follow": "true" if follow else "",
        "tailLines": "" if tail is None else str(tail),
        "sinceSeconds": str(int(seconds(since)) or 1) if since else "",
        "previous": "true" if previous else "",
        "timestamps": "true" if timestamps else "",
    }
    pods = find_pods(server, name.rpartition("/")[2], namespace)
    if follow and len(pods) > 1:
        _follow_all(server, pods, query)
    else:
        for pod in pods:
            _print(server.client, pod, query, prefix=f"[{pod[1]}] " if len(pods) > 1 else "")
    return 0


_Pod = tuple[str, str]
"""Namespace and name."""


def find_pods(server: Server, name: str, namespace: str) -> list[_Pod]:
    """The pod of that name, or the pods of the object of that name. Raises `NotFound`."""
    resource = find(server.client, "pods")
    # A name without a namespace means the only one there is, as it does for predict.
    place = namespace or (server.namespace if server.namespace in places_of(server, resource, name) else "")
    listed = server.client.get(resource.path(place)).get("items") or []
    mine = [item for item in listed if item["metadata"]["name"] == name]
    mine = mine or [item for item in listed if _belongs_to(item, name)]
    if not mine:
        raise NotFound(_nothing(server, resource, name, namespace))
    return [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in mine]


def _belongs_to(pod: dict[str, Any], name: str) -> bool:
    meta = pod["metadata"]
    owners = [owner.get("name") for owner in meta.get("ownerReferences") or []]
    labels = meta.get("labels") or {}
    return name in owners or labels.get("seldon-deployment-id") == name


def _nothing(server: Server, resource: Resource, name: str, namespace: str) -> str:
    place = f"namespace {namespace}" if namespace else "any namespace"
    for item in server.client.get(find(server.client, "SeldonDeployment").path(namespace)).get("items") or []:
        if item["metadata"]["name"] == name:
            why = (item.get("status") or {}).get("description") or "it has no replica yet"
            return f"{name} has no {resource.plural}: {why}"
    return f"no pod and no deployment named {name!r} in {place}"


def _print(client: Client, pod: _Pod, query: dict[str, str], *, prefix: str) -> None:
    namespace, name = pod
    for line in client.lines(f"/api/v1/namespaces/{namespace}/pods/{name}/log", query):
        sys.stdout.buffer.write(prefix.encode() + line + (b"" if line.endswith(b"\n") else b"\n"))
        sys.stdout.buffer.flush()


def _follow_all(server: Server, pods: list[_Pod], query: dict[str, str]) -> None:
    """One thread per pod; lines are printed whole, in the order they come."""
    arrived: queue.Queue[bytes | FairleadError | None] = queue.Queue()
    for pod in pods:
        threading.Thread(target=_collect, args=(Client(server.client.target), pod, query, arrived), daemon=True).start()
    living = len(pods)
    while living:
        item = arrived.get()
        if item is None:
            living -= 1
        elif isinstance(item, FairleadError):
            output.note(f"fairlead: {item}")
        else:
            sys.stdout.buffer.write(item)
            sys.stdout.buffer.flush()


def _collect(
    client: Client, pod: _Pod, query: dict[str, str], arrived: "queue.Queue[bytes | FairleadError | None]"
) -> None:
    namespace, name = pod
    try:
        for line in client.lines(f"/api/v1/namespaces/{namespace}/pods/{name}/log", query):
            arrived.put(f"[{name}] ".encode() + line)
    except FairleadError as problem:
        arrived.put(problem)
    finally:
        arrived.put(None)
