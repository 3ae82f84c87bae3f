"""Sets of fields of an object, as `metadata.managedFields` writes them.

A path is a tuple of steps: `f:<name>` into an object, `k:{...}` to an item of a list with these keys, `v:...` to an
item of a set. Written from the documentation of server-side apply and of structured-merge-diff's format.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import orjson

from support.cluster.schemas import Schema, child

Path = tuple[str, ...]
Fields = frozenset[Path]
NONE: Fields = frozenset()

# Who sets these is no question of ownership: they identify the object or belong to the server.
_SERVERS = frozenset(
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
)
_HEAD = ((), ("f:apiVersion",), ("f:kind",))
_KEY_DEFAULTS = {"protocol": "TCP"}


def fields_of(document: Any, schema: Schema) -> Fields:
    """Every field that can have an owner: leaves, empty members, and items of lists that have keys."""
    return frozenset(values_of(document, schema))


def values_of(document: Any, schema: Schema) -> dict[Path, Any]:
    """These fields with what they hold, found in one walk; of items with the same keys the first counts."""
    found: dict[Path, Any] = {}
    _collect(document, schema, (), found)
    for path in [path for path in found if path[:2] in _SERVERS or path in _HEAD]:
        del found[path]
    return found


def _collect(value: Any, schema: Schema, path: Path, found: dict[Path, Any]) -> None:
    if isinstance(value, dict) and value and not is_atomic(value, schema):
        for key, item in value.items():
            _collect(item, child(schema, key), (*path, f"f:{key}"), found)
    elif isinstance(value, list) and value and not is_atomic(value, schema):
        items = schema.get("items", {})
        for item in value:
            at = (*path, item_step(item, schema))
            found.setdefault(at, item)
            if at[-1].startswith("k:"):
                _collect(item, items, at, found)
    else:
        found.setdefault(path, value)


def is_atomic(value: Any, schema: Schema) -> bool:
    """Whether a value is owned as a whole."""
    if isinstance(value, dict):
        return bool(schema.get("x-kubernetes-map-type") == "atomic")
    return bool(schema.get("x-kubernetes-list-type", "atomic") == "atomic")


def item_step(item: Any, schema: Schema) -> str:
    """The step to an item of a set or of a map; a protocol that is not said is TCP."""
    if schema.get("x-kubernetes-list-type") == "map" and isinstance(item, dict):
        names = sorted(schema.get("x-kubernetes-list-map-keys", ()))
        keys = {name: item.get(name, _key_default(name, schema)) for name in names}
        return "k:" + orjson.dumps({name: value for name, value in keys.items() if value is not None}).decode()
    return "v:" + orjson.dumps(item).decode()


def _key_default(name: str, schema: Schema) -> Any:
    declared = child(schema.get("items", {}), name).get("default")
    return declared if declared is not None else _KEY_DEFAULTS.get(name)


_MISSING = object()


def value_at(value: Any, path: Path, schema: Schema) -> Any:
    """What a field holds; something that equals only itself if it is not there."""
    for step in path:
        if step.startswith("f:"):
            name = step[2:]
            if not isinstance(value, dict) or name not in value:
                return _MISSING
            value, schema = value[name], child(schema, name)
        else:
            items = value if isinstance(value, list) else []
            found = [item for item in items if item_step(item, schema) == step]
            if not found:
                return _MISSING
            value, schema = found[0], schema.get("items", {})
    return value


def named(fields: Iterable[Path], schema: Schema) -> Fields:
    """With the structs that fields are in: who owned all that was said in a struct owned the struct."""
    return frozenset(fields) | frozenset(
        path[:end] for path in fields for end in range(1, len(path)) if _is_struct_member(path[:end], schema)
    )


def _is_struct_member(path: Path, schema: Schema) -> bool:
    for step in path[:-1]:
        schema = child(schema, step[2:]) if step.startswith("f:") else schema.get("items", {})
    return path[-1].startswith("f:") and path[-1][2:] in schema.get("properties", {})


def without(value: Any, gone: Iterable[Path], schema: Schema) -> Any:
    """The value less these fields, each with all that is in it; lists and objects stay, if empty."""
    here: set[str] = set()
    deeper: dict[str, list[Path]] = {}
    for path in gone:
        if len(path) == 1:
            here.add(path[0])
        else:
            deeper.setdefault(path[0], []).append(path[1:])
    if isinstance(value, dict):
        return {
            key: without(item, deeper[f"f:{key}"], child(schema, key)) if f"f:{key}" in deeper else item
            for key, item in value.items()
            if f"f:{key}" not in here
        }
    if isinstance(value, list):
        steps = [(item_step(item, schema), item) for item in value]
        items = schema.get("items", {})
        return [
            without(item, deeper[step], items) if step in deeper else item for step, item in steps if step not in here
        ]
    return value


def merged(live: Any, applied: Any, schema: Schema) -> Any:
    """The applied value over the live one; items of the applied list come in its order."""
    if isinstance(live, dict) and isinstance(applied, dict) and not is_atomic(applied, schema):
        both = {key: merged(live.get(key), item, child(schema, key)) for key, item in applied.items()}
        return {**live, **both}
    if isinstance(live, list) and isinstance(applied, list) and not is_atomic(applied, schema):
        return _merged_lists(live, applied, schema)
    return applied


def _merged_lists(live: list[Any], applied: list[Any], schema: Schema) -> list[Any]:
    items = schema.get("items", {})
    wanted = {item_step(item, schema): item for item in applied}
    there = {item_step(item, schema): item for item in live}
    order = _order(list(there), list(wanted))
    return [merged(there.get(step), wanted[step], items) if step in wanted else there[step] for step in order]


def _order(live: list[str], applied: list[str]) -> list[str]:
    """The applied order; what only the live list has keeps its place before what followed it there."""
    of_both, known = [step for step in applied if step in set(live)], set(applied)
    result: list[str] = []
    left, right = list(live), list(applied)
    while left or right:
        if left and left[0] not in known:
            result.append(left.pop(0))
        elif left and left[0] != next(iter(of_both), None):
            left.pop(0)
        else:
            if of_both and right[0] == of_both[0]:
                del of_both[0], left[:1]
            result.append(right.pop(0))
    return result


@lru_cache(maxsize=4096)
def encode(fields: Fields) -> dict[str, Any]:
    """As `fieldsV1` writes a set; not to be changed, since every write that leaves a manager's fields alone has it."""
    root: dict[str, Any] = {}
    for path in sorted(fields):
        node = root
        for step in path:
            node = node.setdefault(step, {})
        if path[-1].startswith("k:"):
            node["."] = {}
    return _dotted(root, fields, ())


def _dotted(node: dict[str, Any], fields: Fields, path: Path) -> dict[str, Any]:
    """Marks inner nodes that are members themselves."""
    result = {step: _dotted(inner, fields, (*path, step)) for step, inner in node.items() if step != "."}
    return {".": {}, **result} if result and (path in fields) else (result or dict(node))


def decode(written: Any, path: Path = ()) -> set[Path]:
    """Read `fieldsV1`. An inner node without `.` is only a way to its members."""
    found: set[Path] = set()
    for step, inner in (written or {}).items():
        if step == ".":
            found.add(path)
        elif not inner:
            found.add((*path, step))
        else:
            found |= decode(inner, (*path, step))
    return found


def show(path: Path) -> str:
    """A field as conflicts show it: `.spec.containers[name="a"].image`."""
    return "".join(map(_shown, path))


def _shown(step: str) -> str:
    if step.startswith("f:"):
        return f".{step[2:]}"
    if step.startswith("k:"):
        keys = orjson.loads(step[2:])
        return "[" + ",".join(f"{name}={orjson.dumps(value).decode()}" for name, value in keys.items()) + "]"
    return f"[={step[2:]}]"
