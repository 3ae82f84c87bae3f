"""The part of kubectl's JSONPath that waits and scripts use.

Steps: `.a.b`, `['a.b']`, `[0]`, `[*]` and `[?(@.type=="Ready")]`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fairlead.cli.exits import UsageError

_STEP = re.compile(
    r"""\.(?P<name>[\w\-/]+(?:\\\.[\w\-/]+)*)   # .a, .a\.b
      | \['(?P<quoted>[^']+)'\]                 # ['a.b']
      | \[(?P<index>-?\d+|\*)\]                 # [0], [*]
      | \[\?\(@\.(?P<key>\w+)\s*==\s*["'](?P<value>[^"']*)["']\)\]
    """,
    re.VERBOSE,
)


def lookup(value: Any, path: str) -> list[Any]:
    """Every value the path leads to; none when a part is missing. Raises `UsageError` for what cannot be read."""
    found = [value]
    position = 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise UsageError(f"cannot read the JSONPath {path!r} from {path[position:]!r} on")
        found = list(_follow(found, step))
        position = step.end()
    return found


def _follow(values: Iterable[Any], step: re.Match[str]) -> Iterator[Any]:
    name = step["quoted"] or (step["name"] or "").replace("\\.", ".")
    for value in values:
        if name and isinstance(value, Mapping) and name in value:
            yield value[name]
        elif isinstance(value, list) and not name:
            yield from _items(value, step)


def _items(value: list[Any], step: re.Match[str]) -> Iterator[Any]:
    if step["index"] == "*":
        yield from value
    elif step["index"]:
        index = int(step["index"])
        yield from value[index:][:1]
    else:
        yield from (item for item in value if isinstance(item, Mapping) and str(item.get(step["key"])) == step["value"])
