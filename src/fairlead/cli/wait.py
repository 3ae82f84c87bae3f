"""`fairlead wait`: until a condition, a field or an absence is there."""

import re
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from fairlead.cli import output, readiness
from fairlead.cli.client import ApiError, Unreachable
from fairlead.cli.connection import Connection, Server
from fairlead.cli.durations import seconds
from fairlead.cli.exits import TimedOut, UsageError
from fairlead.cli.jsonpath import lookup
from fairlead.cli.kinds import Resource
from fairlead.cli.lookup import wanted
from fairlead.cli.readiness import Stage
from fairlead.errors import NotFound

_Test = Callable[[Mapping[str, Any] | None], bool]
"""Whether an object, or its absence (`None`), is what is waited for."""


def wait(
    *words: str,
    for_: Annotated[str, Parameter(name=["--for"])] = "ready",
    timeout: str = "30s",
    selector: Annotated[str, Parameter(name=["--selector", "-l"])] = "",
    all_: Annotated[bool, Parameter(name=["--all"], negative="")] = False,
    namespace: Annotated[str, Parameter(name=["--namespace", "-n"])] = "",
    connection: Connection | None = None,
) -> int:
    """Wait until objects are as you want them. Ends with 3 when they are not in time.

    Parameters
    ----------
    words
        KIND NAME… or KIND/NAME…
    for_
        ready (default), delete, condition=NAME[=STATUS] or jsonpath={.status.state}=Available.
    timeout
        Longest wait, such as 10m (default: 30s).
    selector
        Every object of the kind with these labels.
    all_
        Every object of the kind in the namespace.
    namespace
        Look in this namespace (default: the kubeconfig's).
    """
    test, deadline = parse_test(for_), time.monotonic() + seconds(timeout)
    server = (connection or Connection()).open()
    place = namespace or server.namespace
    for group in wanted(server, words):
        names = group.names or _listed(server, group.resource, place, selector, is_all=all_)
        for name in names:
            _wait_for(server, group.resource, place, name, test, deadline=deadline, what=for_)
            output.say(f"{group.resource.label}/{name} {'deleted' if for_ == 'delete' else 'condition met'}")
    return 0


def parse_test(text: str) -> _Test:
    """What `--for` means. Raises `UsageError`."""
    kind, _, rest = text.partition("=")
    if text == "delete":
        return lambda item: item is None
    if text in ("ready", "available"):
        return lambda item: item is not None and readiness.read(item).stage is Stage.READY
    if kind == "condition" and rest:
        name, _, status = rest.partition("=")
        return lambda item: item is not None and _has_condition(item, name.lower(), (status or "true").lower())
    found = re.fullmatch(r"jsonpath='?\{?(\.[^}=]+)\}?'?(?:=(.*))?", text)
    if found is None:
        raise UsageError(
            f"--for {text!r}: write ready, delete, condition=Ready, condition=Ready=False or "
            "jsonpath={.status.state}=Available"
        )
    path, value = found[1], found[2]
    return lambda item: item is not None and _has_value(item, path, value)


def _has_condition(item: Mapping[str, Any], name: str, status: str) -> bool:
    found = item.get("status") or {}
    generation, observed = item.get("metadata", {}).get("generation"), found.get("observedGeneration")
    if observed is not None and generation is not None and observed < generation:
        return False
    return any(
        str(condition.get("type", "")).lower() == name and str(condition.get("status", "")).lower() == status
        for condition in found.get("conditions") or []
    )


def _has_value(item: Mapping[str, Any], path: str, value: str | None) -> bool:
    found = [str(each).lower() if isinstance(each, bool) else str(each) for each in lookup(item, path)]
    return bool(found) and (value is None or value.strip("'\"") in found)


def _listed(server: Server, resource: Resource, place: str, selector: str, *, is_all: bool) -> tuple[str, ...]:
    if not (selector or is_all):
        raise UsageError(f"which {resource.plural}? Give names, -l LABELS, or --all")
    listed = server.client.get(resource.path(place), {"labelSelector": selector})
    names = tuple(item["metadata"]["name"] for item in listed.get("items") or [])
    if not names:
        raise NotFound(f"no {resource.plural} match in namespace {place}")
    return names


def _wait_for(
    server: Server, resource: Resource, place: str, name: str, test: _Test, *, deadline: float, what: str
) -> None:
    """Read, then follow changes from there; a watch that ends is taken up again until the deadline."""
    item = _read(server, resource, place, name)
    if item is None and not test(None):
        raise NotFound(f"{resource.plural} {name!r} not found in namespace {place}")
    while not test(item):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimedOut(f"{resource.label}/{name}: not {what} in time{_state(item)}")
        item = _next(server, resource, place, name, item, left_s=left_s)


def _next(
    server: Server, resource: Resource, place: str, name: str, item: dict[str, Any] | None, *, left_s: float
) -> dict[str, Any] | None:
    version = str(item["metadata"]["resourceVersion"]) if item else ""
    query = {"fieldSelector": f"metadata.name={name}", "resourceVersion": version}
    try:
        for event in server.client.watch(resource.path(place), query, idle_s=max(left_s, 0.01)):
            if event["type"] == "DELETED":
                return None
            if event["type"] in ("ADDED", "MODIFIED"):
                return dict(event["object"])
    except TimeoutError:
        return item
    except Unreachable:
        # It may be restarting: the read below says so in clear words if it is not.
        pass
    except ApiError as problem:
        if problem.http != 410:
            raise
    return _read(server, resource, place, name)


def _read(server: Server, resource: Resource, place: str, name: str) -> dict[str, Any] | None:
    try:
        return dict(server.client.get(resource.path(place, name)))
    except ApiError as problem:
        if problem.http != 404:
            raise
        return None


def _state(item: Mapping[str, Any] | None) -> str:
    if item is None:
        return ""
    seen = readiness.read(item)
    return f" (it is {seen.word}{f': {seen.why}' if seen.why else ''})"
