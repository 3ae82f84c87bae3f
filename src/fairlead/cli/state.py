"""`fairlead status`: what runs, where, and what it serves."""

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from fairlead.cli import output, readiness
from fairlead.cli.connection import Connection, Server, home_at
from fairlead.cli.instance import Running, find_running
from fairlead.cli.kinds import find
from fairlead.errors import NotFound

_KINDS = {
    "SeldonDeployment": "/seldon",
    "InferenceService": "/serving",
    "InferenceGraph": "/serving",
    "LLMInferenceService": "",
    "BentoDeployment": "/bento",
}
"""What serves, and the path of its services on the gateway."""


def status(
    *,
    output_: Annotated[Literal["text", "json"], Parameter(name=["--output", "-o"])] = "text",
    connection: Connection | None = None,
) -> int:
    """Show what runs, where, and what it serves. Ends with 1 when nothing runs.

    Parameters
    ----------
    output_
        text (default) or json.
    """
    connection = connection or Connection()
    running = find_running(home_at(connection.home))
    if running is None:
        raise NotFound(f"Fairlead is not running in {home_at(connection.home).root}; `fairlead up` starts it")
    served = list(_served(connection.open(), running))
    if output_ == "json":
        output.say(output.document({**running.as_document(), "serving": served}, "json"))
        return 0
    output.say(f"Fairlead runs in {running.home.root} (process {running.pid}).")
    output.say(f"  predictions  {running.url}")
    output.say(f"  gRPC         {running.grpc}")
    output.say(f"  API          {running.control_url}")
    if not served:
        output.say("Nothing is deployed; `fairlead apply -f FILE` deploys a manifest.")
        return 0
    output.say("")
    columns = output.Columns(["namespace", "name", "state", "url", "why"])
    columns.print([[item["namespace"], item["name"], item["state"], item["url"], item["why"]] for item in served])
    return 0


def _served(server: Server, running: Running) -> list[dict[str, Any]]:
    found = []
    for kind, path in _KINDS.items():
        items = server.client.get(find(server.client, kind).path("")).get("items") or []
        found += [_summary(kind, item, running.url + path) for item in items]
    return sorted(found, key=lambda one: (one["namespace"], one["name"], one["kind"]))


def _summary(kind: str, item: dict[str, Any], root: str) -> dict[str, Any]:
    meta, seen, status = item["metadata"], readiness.read(item), item.get("status") or {}
    # A cluster's own name, which some dialects tell as the address, leads nowhere from outside.
    address = status.get("url") or ("" if kind != "SeldonDeployment" else (status.get("address") or {}).get("url"))
    return {
        "kind": kind,
        "namespace": meta["namespace"],
        "name": meta["name"],
        "state": seen.word,
        "why": seen.why,
        "url": address or f"{root}/{meta['namespace']}/{meta['name']}/",
    }
