"""Sets of fields of an object, as `managedFields` writes them, and what can be done with them.

A field is a tuple of steps: `f:<name>` into an object, `k:{...}` to the item of a list with these keys, `v:...` to an
item of a set. What a list is (atomic, a set, a map by keys) is in the schema; where the schema is silent lists are
atomic and objects are not, which is how an API server reads custom resources.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from fairlead.control.ledger import Document

Field = tuple[str, ...]
Schema = dict[str, Any]

# Who sets these is not a question of ownership (they identify the object, or belong to the server).
_UNOWNED = frozenset(
    [
        ("f:apiVersion",),
        ("f:kind",),
        *(
            ("f:metadata", f"f:{name}")
            for name in (
                "name",
                "namespace",
                "uid",
                "resourceVersion",
                "creationTimestamp",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
                "generation",
                "generateName",
                "selfLink",
                "managedFields",
            )
        ),
    ]
)


def owned_fields(document: Document, schema: Schema, *, subresource: str, has_status: bool) -> set[Field]:
    """Every field of a document that somebody can own through this part of the API."""
    found = set(_fields(document, schema, ()))
    return {field for field in found if _is_ownable(field, subresource, has_status)}


def _is_ownable(field: Field, subresource: str, has_status: bool) -> bool:
    if field[:2] in _UNOWNED or field[:1] in _UNOWNED:
        return False
    in_status = field[0] == "f:status"
    if subresource == "status":
        return in_status
    return not (in_status and has_status)


def _fields(value: Any, schema: Schema, path: Field) -> Iterator[Field]:
    if isinstance(value, dict) and schema.get("x-kubernetes-map-type") != "atomic":
        if not value:
            yield path
        for key, child in value.items():
            yield from _fields(child, child_schema(schema, key), (*path, f"f:{key}"))
    elif isinstance(value, list) and list_type(schema) != "atomic":
        if not value:
            yield path
        for item in value:
            step = item_step(item, schema)
            yield (*path, step)
            if step.startswith("k:"):
                yield from _fields(item, schema.get("items", {}), (*path, step))
    else:
        yield path


def child_schema(schema: Schema, key: str) -> Schema:
    """The schema of a member of an object; empty where nothing is said."""
    child = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
    return child if isinstance(child, dict) else {}


def list_type(schema: Schema) -> str:
    """`atomic`, `set` or `map`."""
    return str(schema.get("x-kubernetes-list-type", "atomic"))


def item_step(item: Any, schema: Schema) -> str:
    """The step to an item of a set or of a map."""
    if list_type(schema) == "map" and isinstance(item, dict):
        keys = {name: item.get(name) for name in sorted(schema.get("x-kubernetes-list-map-keys", ()))}
        return "k:" + orjson.dumps(keys).decode()
    return "v:" + orjson.dumps(item).decode()


_MISSING = object()


def value_at(value: Any, field: Field, schema: Schema) -> Any:
    """What a field holds; a value equal to nothing else if it is not there."""
    for step in field:
        if step.startswith("f:"):
            name = step[2:]
            if not isinstance(value, dict) or name not in value:
                return _MISSING
            value, schema = value[name], child_schema(schema, name)
        else:
            items = value if isinstance(value, list) else []
            value = next((item for item in items if item_step(item, schema) == step), _MISSING)
            if value is _MISSING:
                return _MISSING
            schema = schema.get("items", {})
    return value


def is_set(value: Any) -> bool:
    """Whether `value_at` found something."""
    return value is not _MISSING


def without(document: Document, fields: Iterable[Field], schema: Schema) -> Document:
    """The document less these fields; objects and lists that this empties go too, keys of list items never do."""
    result = document
    for field in sorted(fields, key=len):
        result = _removed(result, field, schema)
    return result


def _removed(value: Any, field: Field, schema: Schema) -> Any:
    step, rest = field[0], field[1:]
    if step.startswith("f:"):
        name = step[2:]
        if not isinstance(value, dict) or name not in value:
            return value
        kept = {key: child for key, child in value.items() if key != name}
        child = _removed(value[name], rest, child_schema(schema, name)) if rest else None
        if rest and (child or child == value[name]):
            return {**value, name: child}
        return kept
    if not isinstance(value, list):
        return value
    items = schema.get("items", {})
    if len(rest) == 1 and rest[0][2:] in schema.get("x-kubernetes-list-map-keys", ()):
        return value
    changed = [
        (_removed(item, rest, items) if rest else None) if item_step(item, schema) == step else item for item in value
    ]
    return [item for item in changed if item is not None]


def merged(live: Any, applied: Any, schema: Schema) -> Any:
    """What a server-side apply makes of a live value: the applied one, with what it does not mention kept."""
    if isinstance(live, dict) and isinstance(applied, dict) and schema.get("x-kubernetes-map-type") != "atomic":
        both = {key: merged(live.get(key), value, child_schema(schema, key)) for key, value in applied.items()}
        return {**live, **both}
    if isinstance(live, list) and isinstance(applied, list) and list_type(schema) != "atomic":
        return _merged_list(live, applied, schema)
    return applied


def _merged_list(live: list[Any], applied: list[Any], schema: Schema) -> list[Any]:
    wanted = {item_step(item, schema): item for item in applied}
    items = schema.get("items", {})
    result = [
        merged(item, wanted.pop(step), items) if (step := item_step(item, schema)) in wanted else item for item in live
    ]
    return [*result, *wanted.values()]


def encode(fields: Iterable[Field]) -> dict[str, Any]:
    """As `fieldsV1` writes a set."""
    root: dict[str, Any] = {}
    for field in sorted(fields):
        node = root
        for step in field:
            node = node.setdefault(step, {})
        if field[-1].startswith("k:"):
            node["."] = {}
    return root


def decode(written: Any, path: Field = ()) -> set[Field]:
    """Read `fieldsV1`. An inner node without `.` is only a way to its children."""
    if not isinstance(written, dict):
        return set()
    found: set[Field] = set()
    for step, child in written.items():
        if step == ".":
            found.add(path)
        elif not child:
            found.add((*path, step))
        else:
            found |= decode(child, (*path, step))
    return found


def show(field: Field) -> str:
    """A field as conflicts show it: `.spec.predictors[name="a"].replicas`."""
    text = ""
    for step in field:
        if step.startswith("f:"):
            text += f".{step[2:]}"
        elif step.startswith("k:"):
            keys = orjson.loads(step[2:])
            text += "[" + ",".join(f"{name}={orjson.dumps(value).decode()}" for name, value in keys.items()) + "]"
        else:
            text += f"[={step[2:]}]"
    return text
