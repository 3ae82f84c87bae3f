"""From one JSON object to another as a JSON Patch (RFC 6902), which is how a mutating webhook says what it changed.

Objects are compared field by field. A list that differs is replaced whole unless it is as long as before: short patches
are for people who read audit logs, and position by position is all that can be said of a list without keys.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Operation = dict[str, Any]


def difference(old: Any, new: Any, path: str = "") -> list[Operation]:
    """What turns `old` into `new`, in an order in which it can be applied."""
    return list(_changes(old, new, path))


def _changes(old: Any, new: Any, path: str) -> Iterator[Operation]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _of_objects(old, new, path)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _changes(before, after, f"{path}/{index}")
    elif not _is_same(old, new):
        yield {"op": "replace", "path": path, "value": new}


def _of_objects(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[Operation]:
    for key in old.keys() - new.keys():
        yield {"op": "remove", "path": f"{path}/{_escaped(key)}"}
    for key, value in new.items():
        place = f"{path}/{_escaped(key)}"
        if key not in old:
            yield {"op": "add", "path": place, "value": value}
        else:
            yield from _changes(old[key], value, place)


def _is_same(old: Any, new: Any) -> bool:
    """To Python `True == 1` and `1 == 1.0`; to JSON a boolean is no number."""
    return bool(old == new) and isinstance(old, bool) == isinstance(new, bool)


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
