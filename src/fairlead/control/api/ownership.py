"""Who set which field (`metadata.managedFields`), and server-side apply, which is built on it. Pure.

A manager is a name and an operation (Apply or Update). An update takes the fields it changes from everybody; an apply
that would change somebody else's field is a conflict unless it is forced, and what an apply no longer mentions and
nobody else holds is removed.
"""

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from fairlead.control import faults
from fairlead.control.api import fields
from fairlead.control.api.fields import Field, Schema
from fairlead.control.ledger import Document
from fairlead.errors import Conflict


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who writes, through which part of the API, and when."""

    manager: str
    api_version: str
    now: str
    subresource: str = ""
    has_status: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    manager: str
    operation: str
    api_version: str
    subresource: str
    time: str
    fields: frozenset[Field]

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.manager, self.operation, self.subresource


_CLIENT_SIDE = "kubectl-client-side-apply"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ANCIENT = "ancient-changes"
_MAX_UPDATERS = 10


def after_update(old: Document | None, new: Document, schema: Schema, writer: Writer) -> Document:
    """The new document with the writer as owner of what it changed."""
    before = old or {}
    entries = _read(new if _sends_managers(old, new) else before)
    present = _owned(new, schema, writer)
    past = _owned(before, schema, writer) if old else set()
    changed = {
        field for field in present if fields.value_at(before, field, schema) != fields.value_at(new, field, schema)
    }
    identity = (writer.manager, "Update", writer.subresource)
    mine = next((entry for entry in entries if entry.identity == identity), _new_entry(writer, "Update"))
    gone = past - present
    own = replace(mine, fields=(mine.fields - gone) | changed)
    if own.fields != mine.fields:
        own = replace(own, time=writer.now, api_version=writer.api_version)
    others = {entry.identity: replace(entry, fields=entry.fields - gone - changed) for entry in entries}
    return _written(new, _capped(list((others | {identity: own}).values())))


def _sends_managers(old: Document | None, new: Document) -> bool:
    """Whether the client itself wrote managers (kubectl does when it moves from client-side to server-side apply)."""
    given = new["metadata"].get("managedFields")
    return given is not None and (old is None or given != old["metadata"].get("managedFields"))


def applied(live: Document | None, config: Document, schema: Schema, writer: Writer, *, force: bool) -> Document:
    """Server-side apply of `config`; raises `Conflict` with a cause for each field that belongs to another."""
    base: Document = deepcopy(live) if live is not None else {"metadata": {}}
    entries = _read(base)
    identity = (writer.manager, "Apply", writer.subresource)
    wanted = _owned(config, schema, writer)
    before = next((entry for entry in entries if entry.identity == identity), _new_entry(writer, "Apply"))
    others = [entry for entry in entries if entry.identity != identity]
    disputed = [(entry, _disputed(entry, wanted, base, config, schema)) for entry in others]
    conflicts = [(entry, found) for entry, found in disputed if found and not _gives_way(entry, writer, base)]
    if conflicts and not force:
        raise _conflict(conflicts)
    others = [replace(entry, fields=entry.fields - found) for entry, found in disputed]
    held = frozenset[Field]().union(*(entry.fields for entry in others))
    dropped = _dropped(before.fields - wanted, wanted | held)
    result = fields.without(base, dropped, schema)
    result = fields.merged(result, _settable(config, writer), schema)
    result = {**result, "apiVersion": config["apiVersion"], "kind": config["kind"]}
    own = replace(before, fields=frozenset(wanted), api_version=writer.api_version)
    if own != before:
        own = replace(own, time=writer.now)
    return _written(result, [*others, own])


def _gives_way(entry: _Entry, writer: Writer, live: Document) -> bool:
    """What `kubectl apply` set on the client's side, `kubectl apply --server-side` takes over."""
    annotations = live["metadata"].get("annotations") or {}
    return writer.manager == "kubectl" and entry.manager == _CLIENT_SIDE and _LAST_APPLIED in annotations


def _settable(config: Document, writer: Writer) -> Document:
    metadata = {key: value for key, value in config["metadata"].items() if key != "managedFields"}
    if writer.subresource == "status":
        return {"metadata": {}, "status": config.get("status", {})}
    rest = {key: value for key, value in config.items() if not (key == "status" and writer.has_status)}
    return {**rest, "metadata": metadata}


def _dropped(candidates: frozenset[Field] | set[Field], needed: set[Field] | frozenset[Field]) -> set[Field]:
    """Fields nobody needs; the item of a list stays while somebody needs something in it."""
    return {
        field
        for field in candidates
        if field not in needed and not any(other[: len(field)] == field for other in needed)
    }


def _disputed(entry: _Entry, wanted: set[Field], live: Document, config: Document, schema: Schema) -> frozenset[Field]:
    return frozenset(
        field
        for field in entry.fields & wanted
        if not field[-1].startswith("k:")
        and fields.value_at(live, field, schema) != fields.value_at(config, field, schema)
    )


def _conflict(disputes: list[tuple[_Entry, frozenset[Field]]]) -> Conflict:
    problems = [
        faults.problem(
            fields.show(field),
            f'conflict with "{entry.manager}"{_through(entry)} using {entry.api_version}',
            cause="FieldManagerConflict",
        )
        for entry, found in disputes
        for field in sorted(found)
    ]
    if len(problems) == 1:
        text = f"Apply failed with 1 conflict: {problems[0].message}: {problems[0].field}"
    else:
        parts = []
        for entry, found in disputes:
            names = "".join(f"\n- {fields.show(field)}" for field in sorted(found))
            parts.append(f'conflicts with "{entry.manager}"{_through(entry)} using {entry.api_version}:{names}')
        text = f"Apply failed with {len(problems)} conflicts: " + "\n".join(parts)
    return Conflict(text, problems)


def _through(entry: _Entry) -> str:
    return f' with subresource "{entry.subresource}"' if entry.subresource else ""


def _owned(document: Document, schema: Schema, writer: Writer) -> set[Field]:
    return fields.owned_fields(document, schema, subresource=writer.subresource, has_status=writer.has_status)


def _new_entry(writer: Writer, operation: str) -> _Entry:
    return _Entry(
        manager=writer.manager,
        operation=operation,
        api_version=writer.api_version,
        subresource=writer.subresource,
        time=writer.now,
        fields=frozenset(),
    )


def _capped(entries: list[_Entry]) -> list[_Entry]:
    """Scripts that make up a manager's name each time do not grow an object without end."""
    updaters = [entry for entry in entries if entry.operation == "Update" and entry.fields]
    if len(updaters) <= _MAX_UPDATERS:
        return entries
    old = sorted(updaters, key=lambda entry: entry.time)[: len(updaters) - _MAX_UPDATERS + 1]
    together = replace(old[0], manager=_ANCIENT, fields=frozenset().union(*(entry.fields for entry in old)))
    return [together, *(entry for entry in entries if entry not in old)]


def _read(document: Document) -> list[_Entry]:
    return [
        _Entry(
            manager=entry.get("manager", ""),
            operation=entry.get("operation", "Update"),
            api_version=entry.get("apiVersion", ""),
            subresource=entry.get("subresource", ""),
            time=entry.get("time", ""),
            fields=frozenset(fields.decode(entry.get("fieldsV1"))),
        )
        for entry in document.get("metadata", {}).get("managedFields") or ()
        if entry
    ]


def _written(document: Document, entries: list[_Entry]) -> Document:
    metadata: dict[str, Any] = {k: v for k, v in document["metadata"].items() if k != "managedFields"}
    written = [_encoded(entry) for entry in entries if entry.fields]
    if written:
        metadata["managedFields"] = written
    return {**document, "metadata": metadata}


def _encoded(entry: _Entry) -> dict[str, Any]:
    return {
        "manager": entry.manager,
        "operation": entry.operation,
        "apiVersion": entry.api_version,
        "time": entry.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields.encode(entry.fields),
        **({"subresource": entry.subresource} if entry.subresource else {}),
    }
