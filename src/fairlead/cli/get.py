"""`fairlead get`: the server's own tables, or the objects as JSON or YAML."""

from collections.abc import Iterator
from typing import Annotated, Any

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.client import TABLE
from fairlead.cli.connection import Connection, Server
from fairlead.cli.exits import UsageError
from fairlead.cli.kinds import Resource
from fairlead.cli.lookup import Wanted, one, wanted


def get(
    *words: str,
    output_: Annotated[output.Format, Parameter(name=["--output", "-o"])] = "table",
    watch: Annotated[bool, Parameter(name=["--watch", "-w"], negative="")] = False,
    namespace: Annotated[str, Parameter(name=["--namespace", "-n"])] = "",
    all_namespaces: Annotated[bool, Parameter(name=["--all-namespaces", "-A"], negative="")] = False,
    selector: Annotated[str, Parameter(name=["--selector", "-l"])] = "",
    no_headers: Annotated[bool, Parameter(negative="")] = False,
    connection: Connection | None = None,
) -> None:
    """List objects, or print them.

    Parameters
    ----------
    words
        KIND [NAME…], KIND,KIND or KIND/NAME… A kind may be short: sdep, po, ns.
    output_
        table (default), wide, yaml, json or name.
    watch
        Go on printing changes until Ctrl-C.
    namespace
        Look in this namespace (default: the kubeconfig's).
    all_namespaces
        Look in all of them.
    selector
        Only objects with these labels, such as app=iris,tier!=test.
    no_headers
        Leave the headings out of tables.
    """
    server = (connection or Connection()).open()
    asked = wanted(server, words)
    if watch and (len(asked) > 1 or len(asked[0].names) > 1):
        raise UsageError("--watch follows one kind, or one object")
    place = "" if all_namespaces else namespace or server.namespace
    query = {"labelSelector": selector}
    if output_ in ("table", "wide"):
        for number, group in enumerate(asked):
            if number:
                output.say("")
            _Table(server, group, place, query, is_wide=output_ == "wide", has_headings=not no_headers).print(
                watch=watch
            )
    elif watch:
        _print_changes(server, asked[0], place, query, output_)
    else:
        _print_documents(server, asked, place, query, output_)


class _Table:
    """One kind's table. The server decides on columns and cells, as it does for kubectl."""

    def __init__(
        self, server: Server, group: Wanted, place: str, query: dict[str, str], *, is_wide: bool, has_headings: bool
    ) -> None:
        self._server = server
        self._resource = group.resource
        self._names = group.names
        self._place = place
        self._query = query
        self._is_wide = is_wide
        self._has_headings = has_headings
        self._shows_place = group.resource.is_namespaced and not place
        self._columns: output.Columns | None = None
        self._definitions: list[dict[str, Any]] = []

    def print(self, *, watch: bool) -> None:
        tables = list(self._tables())
        rows = [row for table in tables for row in table.get("rows") or []]
        if rows:
            self._show(tables[0], rows)
        elif not watch:
            output.note(self._nothing())
        if watch:
            self._follow(str(tables[-1].get("metadata", {}).get("resourceVersion", "")))

    def _tables(self) -> Iterator[dict[str, Any]]:
        client = self._server.client
        if not self._names:
            yield client.get(self._resource.path(self._place), self._query, accept=TABLE)
        for name in self._names:
            # The plain object first: it is what explains where a missing one is.
            one(self._server, self._resource, self._place, name)
            yield client.get(self._resource.path(self._place, name), accept=TABLE)

    def _follow(self, version: str) -> None:
        query = {**self._query, "resourceVersion": version}
        if self._names:
            query["fieldSelector"] = f"metadata.name={self._names[0]}"
        for event in self._server.client.watch(self._resource.path(self._place), query, accept=TABLE):
            if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                self._show(event["object"], event["object"].get("rows") or [])

    def _show(self, table: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        # Only the first table of a watch names its columns.
        if not self._columns:
            self._definitions = table.get("columnDefinitions") or []
            headings = [column["name"] for column in self._definitions if self._is_shown(column)]
            place = ["namespace"] if self._shows_place else []
            self._columns = output.Columns([*place, *headings], has_headings=self._has_headings)
        self._columns.print([self._cells(row) for row in rows])

    def _cells(self, row: dict[str, Any]) -> list[str]:
        place = [str(row.get("object", {}).get("metadata", {}).get("namespace", ""))] if self._shows_place else []
        shown = zip(self._definitions, row["cells"], strict=False)
        return [*place, *("<none>" if cell is None else str(cell) for column, cell in shown if self._is_shown(column))]

    def _is_shown(self, column: dict[str, Any]) -> bool:
        return self._is_wide or not column.get("priority")

    def _nothing(self) -> str:
        if not self._resource.is_namespaced or not self._place:
            return "No resources found"
        listed = self._server.client.get(self._resource.path(""), self._query)
        others = sorted({str(item["metadata"].get("namespace")) for item in listed.get("items") or []})
        there = f"; there are some in {', '.join(others)}: add -n or -A" if others else ""
        return f"No resources found in namespace {self._place}{there}"


def _print_documents(
    server: Server, asked: list[Wanted], place: str, query: dict[str, str], form: output.Format
) -> None:
    items = [item for group in asked for item in _items(server, group, place, query)]
    if form == "name":
        for resource, item in items:
            output.say(f"{resource.label}/{item['metadata']['name']}")
        return
    is_single = len(asked) == 1 and len(asked[0].names) == 1
    listed = {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": [i for _, i in items]}
    output.say(output.document(items[0][1] if is_single else listed, "json" if form == "json" else "yaml"))


def _items(
    server: Server, group: Wanted, place: str, query: dict[str, str]
) -> Iterator[tuple[Resource, dict[str, Any]]]:
    for name in group.names:
        yield group.resource, one(server, group.resource, place, name)
    if not group.names:
        listed = server.client.get(group.resource.path(place), query)
        kind = str(listed.get("kind", "")).removesuffix("List") or group.resource.kind
        for item in listed.get("items") or []:
            # Items of a list leave out what the list says for all of them; on their own they must say it.
            yield group.resource, {"apiVersion": listed.get("apiVersion", ""), "kind": kind, **item}


def _print_changes(server: Server, group: Wanted, place: str, query: dict[str, str], form: output.Format) -> None:
    resource = group.resource
    if group.names:
        query = {**query, "fieldSelector": f"metadata.name={group.names[0]}"}
    for event in server.client.watch(resource.path(place), query):
        if event["type"] not in ("ADDED", "MODIFIED", "DELETED"):
            continue
        if form == "name":
            output.say(f"{resource.label}/{event['object']['metadata']['name']}")
        elif form == "json":
            output.say(output.document(event["object"], "json"))
        else:
            output.say("---\n" + output.document(event["object"], "yaml"))
