"""`fairlead describe`: one object with its status first, because that is what people look for, and its events."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter

from fairlead.cli import output, readiness, scaling, traffic
from fairlead.cli.connection import Connection, Server
from fairlead.cli.kinds import Resource
from fairlead.cli.lookup import one, wanted

_HIDDEN = frozenset(("kubectl.kubernetes.io/last-applied-configuration",))


def describe(
    *words: str,
    namespace: Annotated[str, Parameter(name=["--namespace", "-n"])] = "",
    connection: Connection | None = None,
) -> int:
    """Show objects with their status and events.

    Parameters
    ----------
    words
        KIND [NAME…] or KIND/NAME…
    namespace
        Look in this namespace (default: the kubeconfig's).
    """
    server = (connection or Connection()).open()
    place = namespace or server.namespace
    texts = []
    for group in wanted(server, words):
        names = group.names or _all_names(server, group.resource, place)
        for name in names:
            item = one(server, group.resource, place, name)
            texts.append("\n".join(_lines(item, _events(server, item))))
    output.say("\n\n\n".join(texts) or f"No resources found in namespace {place}")
    return 0


def _all_names(server: Server, resource: Resource, place: str) -> tuple[str, ...]:
    listed = server.client.get(resource.path(place)).get("items") or []
    return tuple(item["metadata"]["name"] for item in listed)


def _events(server: Server, item: dict[str, Any]) -> list[dict[str, Any]]:
    meta = item["metadata"]
    selector = f"involvedObject.name={meta['name']},involvedObject.kind={item['kind']}"
    path = f"/api/v1/namespaces/{meta.get('namespace') or 'default'}/events"
    events: list[dict[str, Any]] = server.client.get(path, {"fieldSelector": selector}).get("items") or []
    return sorted(events, key=_order)


def _order(event: dict[str, Any]) -> tuple[str, int]:
    """By time; within one second, which is all that events tell, by the order in which they were written."""
    version = str(event["metadata"].get("resourceVersion", ""))
    return str(event.get("lastTimestamp") or event.get("eventTime") or ""), int(version) if version.isdigit() else 0


def _lines(item: dict[str, Any], events: list[dict[str, Any]]) -> Iterator[str]:
    meta = item["metadata"]
    yield f"{'Name:':<14}{meta['name']}"
    if meta.get("namespace"):
        yield f"{'Namespace:':<14}{meta['namespace']}"
    yield f"{'Kind:':<14}{item['kind']} ({item['apiVersion']})"
    yield f"{'Created:':<14}{meta.get('creationTimestamp', '')}"
    yield f"{'Labels:':<14}{output.pairs(meta.get('labels') or {})}"
    annotations = {key: value for key, value in (meta.get("annotations") or {}).items() if key not in _HIDDEN}
    yield f"{'Annotations:':<14}{output.pairs(annotations)}"
    if item.get("status"):
        yield from _status(item)
    now = datetime.now(UTC)
    for text in scaling.lines(events, age=lambda event: _past(event, now)):
        yield f"{'Scaling:':<14}{text}"
    rest = {key: value for key, value in item.items() if key not in ("apiVersion", "kind", "metadata", "status")}
    if item["kind"] == "Secret":
        rest = {"type": rest.get("type"), "data": dict.fromkeys(rest.get("data") or {}, "(hidden)")}
    for key, value in rest.items():
        yield f"{key[:1].upper()}{key[1:]}:"
        yield from _indented(output.document(value, "yaml"))
    yield from _event_lines(events)


def _status(item: dict[str, Any]) -> Iterator[str]:
    seen = readiness.read(item)
    yield f"{'State:':<14}{seen.word}"
    if seen.why:
        yield f"{'Why:':<14}{seen.why}"
    for label, text in traffic.lines(item["status"]):
        yield f"{label + ':':<14}{text}"
    status = {key: value for key, value in item["status"].items() if key not in ("state", "description")}
    if status:
        yield "Status:"
        yield from _indented(output.document(status, "yaml"))


def _event_lines(events: list[dict[str, Any]]) -> Iterator[str]:
    if not events:
        yield f"{'Events:':<14}<none>"
        return
    yield "Events:"
    now = datetime.now(UTC)
    rows = [
        (event.get("type", ""), event.get("reason", ""), _age(event, now), str(event.get("message", "")))
        for event in events
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) + f"  {row[3]}"


def _age(event: dict[str, Any], now: datetime) -> str:
    count = int(event.get("count") or 1)
    return _past(event, now) + (f" (x{count})" if count > 1 else "")


def _past(event: dict[str, Any], now: datetime) -> str:
    told = str(event.get("lastTimestamp") or event.get("eventTime") or "")
    try:
        return age(int((now - datetime.fromisoformat(told)).total_seconds()))
    except ValueError:
        return "unknown"


def age(past_s: int) -> str:
    """A length of time as kubectl shows it: `12s`, `5m`, `3h`, `2d`."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if past_s >= length:
            return f"{past_s // length}{unit}"
    return f"{max(past_s, 0)}s"


def _indented(text: str) -> Iterator[str]:
    return (f"  {line}" for line in text.splitlines())
