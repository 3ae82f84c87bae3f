"""Server-side apply and `metadata.managedFields`.

An update takes the fields it changes from everybody. An apply that would change another manager's field is a conflict
unless it is forced; what it no longer mentions goes, unless another manager holds it.
"""

from dataclasses import dataclass, replace
from typing import Any

import orjson

from support.cluster.fieldsets import (
    NONE,
    Fields,
    Path,
    decode,
    encode,
    fields_of,
    item_step,
    merged,
    named,
    show,
    value_at,
    values_of,
    without,
)
from support.cluster.refusals import Cause, Refusal
from support.cluster.schemas import Schema, child, is_open

Document = dict[str, Any]
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who writes, when, and what this part of the API lets it write."""

    manager: str
    api_version: str
    now: str
    subresource: str = ""
    ignored: tuple[str, ...] = ("f:status",)

    def owned(self, document: Document, schema: Schema) -> Fields:
        """The fields of a document that this writer may own."""
        return frozenset(self.written(document, schema))

    def written(self, document: Document, schema: Schema) -> dict[Path, Any]:
        """These fields with what they hold. What the writer cannot own is not looked at."""
        if self.subresource == "status":
            return values_of({name: value for name, value in document.items() if name == "status"}, schema)
        ours = {name: value for name, value in document.items() if f"f:{name}" not in self.ignored}
        return values_of(ours, schema)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One manager's part."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    time: str
    fields: Fields

    @property
    def identity(self) -> tuple[str, ...]:
        version = "" if self.operation == "Apply" else self.api_version
        return self.manager, self.operation, version, self.subresource


def entries_of(document: Document) -> list[Entry]:
    """What `managedFields` says."""
    return [
        Entry(
            manager=entry.get("manager", ""),
            operation=entry.get("operation", "Update"),
            api_version=entry.get("apiVersion", ""),
            subresource=entry.get("subresource", ""),
            time=entry.get("time", ""),
            fields=frozenset(decode(entry.get("fieldsV1"))),
        )
        for entry in document["metadata"].get("managedFields") or ()
        if entry
    ]


def with_entries(document: Document, entries: list[Entry]) -> Document:
    """The document with these managers, but for those that own nothing."""
    metadata = {key: value for key, value in document["metadata"].items() if key != "managedFields"}
    kept = [_written(entry) for entry in entries if entry.fields]
    return {**document, "metadata": {**metadata, "managedFields": kept} if kept else metadata}


def _written(entry: Entry) -> Document:
    body = {"manager": entry.manager, "operation": entry.operation, "apiVersion": entry.api_version}
    body |= {"time": entry.time, "fieldsType": "FieldsV1"}
    written: Document = {**body, "fieldsV1": encode(entry.fields)}
    return {**written, "subresource": entry.subresource} if entry.subresource else written


def _own(entries: list[Entry], writer: Writer, operation: str) -> Entry:
    fresh = Entry(
        manager=writer.manager,
        operation=operation,
        api_version=writer.api_version,
        subresource=writer.subresource,
        time=writer.now,
        fields=NONE,
    )
    return next((entry for entry in entries if entry.identity == fresh.identity), fresh)


def after_update(old: Document | None, new: Document, schema: Schema, writer: Writer) -> Document:
    """The new document, with the writer as owner of what it changed."""
    sent = new["metadata"].get("managedFields")
    had = old["metadata"].get("managedFields") if old else None
    # A list with one empty entry forgets all managers; none at all, and an empty list, leave them as they are.
    entries = entries_of(new if sent and sent != had else (old or new))
    present = writer.written(new, schema)
    past = writer.written(old, schema) if old else {}
    gone = past.keys() - present.keys()
    changed = {path for path, value in present.items() if path not in past or past[path] != value}
    mine = _own(entries, writer, "Update")
    owned = (mine.fields - gone) | changed
    updated = replace(mine, fields=owned, time=writer.now) if owned != mine.fields else mine
    others = [
        replace(entry, fields=entry.fields - gone - changed) for entry in entries if entry.identity != mine.identity
    ]
    return with_entries(new, [*others, updated])


def applied(live: Document | None, config: Document, schema: Schema, writer: Writer, *, force: bool) -> Document:
    """What the apply of `config` makes of the live object; not yet defaulted."""
    _check_declared(config, schema, writer)
    base = live if live is not None else {"metadata": {}}
    entries = entries_of(base)
    mine = _own(entries, writer, "Apply")
    others = [entry for entry in entries if entry.identity != mine.identity]
    wanted = writer.owned(config, schema)
    result = merged(base, _settable(config, writer), schema)
    held = wanted.union(*(entry.fields for entry in others))
    result = _pruned(result, mine.fields, wanted, held, schema)
    disputed = [(entry, _disputed(entry.fields, base, result, schema)) for entry in others]
    conflicts = [(entry, found) for entry, found in disputed if found]
    if conflicts and not force and not _gives_way(conflicts, base, schema, writer):
        raise _conflict(conflicts)
    gone = {path for entry, _ in disputed for path in entry.fields if _vanished(path, base, result, schema)}
    others = [replace(entry, fields=entry.fields - found - gone) for entry, found in disputed]
    own = replace(mine, fields=wanted, api_version=writer.api_version)
    if own != mine:
        own = replace(own, time=writer.now)
    return with_entries({**result, "apiVersion": config["apiVersion"], "kind": config["kind"]}, [*others, own])


def _gives_way(conflicts: list[tuple[Entry, Fields]], live: Document, schema: Schema, writer: Writer) -> bool:
    """What `kubectl apply` said before, `kubectl apply --server-side` may say otherwise."""
    written = (live["metadata"].get("annotations") or {}).get(_LAST_APPLIED)
    if writer.manager != "kubectl" or not written:
        return False
    said = fields_of(orjson.loads(written), schema)
    return all(found <= said for _, found in conflicts)


def _settable(config: Document, writer: Writer) -> Document:
    metadata = {key: value for key, value in config["metadata"].items() if key != "managedFields"}
    if writer.subresource == "status":
        return {"metadata": {}, **({"status": config["status"]} if "status" in config else {})}
    return {key: value for key, value in config.items() if f"f:{key}" not in writer.ignored} | {"metadata": metadata}


def _pruned(result: Document, last: Fields, wanted: Fields, held: Fields, schema: Schema) -> Document:
    """Without what this manager had applied, applies no more, and nobody else holds."""
    if last <= wanted:
        return result
    everything = named(fields_of(result, schema), schema)
    less: Document = without(result, named(last, schema), schema)
    needed = named(fields_of(less, schema), schema) | named(held, schema)
    less = without(result, everything - needed, schema)
    # What others left without an owner inside is added back; what was ours and is unowned now goes for good.
    dangling = everything - named(fields_of(less, schema), schema)
    kept: Document = without(result, dangling & named(last, schema), schema)
    return kept


def _disputed(fields: Fields, before: Document, after: Document, schema: Schema) -> Fields:
    return frozenset(
        path
        for path in fields
        if not path[-1].startswith("k:")
        and not _vanished(path, before, after, schema)
        and value_at(before, path, schema) != value_at(after, path, schema)
    )


def _vanished(path: Path, before: Document, after: Document, schema: Schema) -> bool:
    missing = value_at({}, ("f:x",), {})
    return value_at(after, path, schema) is missing and value_at(before, path, schema) is not missing


def _conflict(conflicts: list[tuple[Entry, Fields]]) -> Refusal:
    causes = [
        Cause(show(path), f'conflict with "{entry.manager}"{_using(entry)}', "FieldManagerConflict")
        for entry, found in conflicts
        for path in sorted(found)
    ]
    if len(causes) == 1:
        text = f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}"
    else:
        parts = []
        for entry, found in conflicts:
            names = "".join(f"\n- {show(path)}" for path in sorted(found))
            parts.append(f'conflicts with "{entry.manager}"{_using(entry)}:{names}')
        text = f"Apply failed with {len(causes)} conflicts: " + "\n".join(parts)
    return Refusal(409, "Conflict", text, {"causes": [cause.as_json() for cause in causes]})


def _using(entry: Entry) -> str:
    through = f' with subresource "{entry.subresource}"' if entry.subresource else ""
    return f"{through} using {entry.api_version}" if entry.operation == "Update" else through


def _check_declared(config: Document, schema: Schema, writer: Writer) -> None:
    """An apply is read by the schema at once: what it does not declare, or lists twice, is an error of the server."""
    problems = list(_undeclared(config, schema, ""))
    if not problems:
        return
    namespace, name = config["metadata"].get("namespace", ""), config["metadata"].get("name", "")
    about = f"{namespace}/{name}" if namespace else f"/{name}"
    what = f"({about}; {writer.api_version}, Kind={config['kind']})"
    text = problems[0] if len(problems) == 1 else "errors:\n" + "".join(f"  {problem}\n" for problem in problems)
    raise Refusal(500, "", f"failed to create typed patch object {what}: {text}")


def _undeclared(value: Any, schema: Schema, path: str) -> list[str]:
    if isinstance(value, dict) and "properties" in schema:
        found = []
        for key, item in value.items():
            if key in schema["properties"] or is_open(schema):
                found += _undeclared(item, child(schema, key), f"{path}.{key}")
            elif path or key not in ("apiVersion", "kind", "metadata"):
                found.append(f"{path}.{key}: field not declared in schema")
        return found
    if isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
        inner = schema["additionalProperties"]
        return [text for key, item in value.items() for text in _undeclared(item, inner, f"{path}.{key}")]
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return _undeclared_items(value, schema, path)
    wrong = _wrong_type(value, schema)
    return [f"{path}: {wrong}"] if wrong else []


_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "integer": ((int, float), "numeric (int or float)"),
    "number": ((int, float), "numeric (int or float)"),
    "string": (str, "string"),
    "boolean": (bool, "boolean"),
    "object": (dict, "map"),
    "array": (list, "list"),
}


def _wrong_type(value: Any, schema: Schema) -> str:
    """A null is no value; what the schema leaves open may be anything."""
    expected = _TYPES.get(str(schema.get("type")))
    if expected is None or value is None:
        return ""
    is_number_for_text = isinstance(value, bool) and expected[0] == (int, float)
    return (
        ""
        if isinstance(value, expected[0]) and not is_number_for_text
        else f"expected {expected[1]}, got {_said(value)}"
    )


def _said(value: Any) -> str:
    names = {str: "string", bool: "boolean", dict: "map", list: "list"}
    return names.get(type(value), f"&value.valueUnstructured{{Value:{value}}}")


def _undeclared_items(value: list[Any], schema: Schema, path: str) -> list[str]:
    found: list[str] = []
    seen: set[str] = set()
    for place, item in enumerate(value):
        at = f"{path}[{place}]"
        if schema.get("x-kubernetes-list-type", "atomic") != "atomic":
            step = item_step(item, schema)
            missing = [key for key in schema.get("x-kubernetes-list-map-keys", ()) if f'"{key}"' not in step]
            if missing:
                found.append(f"{path}: element {place}: associative list with keys has an element that omits key field")
            if step in seen:
                found.append(f"{path}: duplicate entries for key {show((step,))}")
            seen.add(step)
            at = f"{path}{show((step,))}"
        found += _undeclared(item, schema["items"], at)
    return found
