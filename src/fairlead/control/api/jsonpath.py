"""The part of JSONPath that printer columns use: fields, indexes, `[*]` and filters by equality."""

import json
import re
from collections.abc import Iterator
from typing import Any

_STEP = re.compile(
    r"""\.(?P<field>[^.\[\]]+)
      | \[(?P<index>-?\d+)\]
      | \[(?P<every>\*)\]
      | \[['"](?P<quoted>[^'"]+)['"]\]
      | \[\?\(@(?P<left>(?:\.[A-Za-z0-9_-]+)+)\s*==\s*
            (?:["'](?P<right>[^"']*)["']|(?P<literal>true|false|-?\d+))\)\]""",
    re.VERBOSE,
)


def find(document: Any, path: str) -> list[Any]:
    """Every value at a path; an empty list if there is none, or if the path is not one we read."""
    values = [document]
    position = 0
    path = path if path.startswith((".", "[")) else f".{path}"
    path = path.replace("\\.", "\0")
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            return []
        values = [found for value in values for found in _take(value, step)]
        position = step.end()
    return values


def _take(value: Any, step: re.Match[str]) -> Iterator[Any]:
    name = step["field"] or step["quoted"]
    if name is not None:
        key = name.replace("\0", ".")
        if isinstance(value, dict) and key in value:
            yield value[key]
    elif step["index"] is not None:
        if isinstance(value, list) and -len(value) <= int(step["index"]) < len(value):
            yield value[int(step["index"])]
    elif step["every"] is not None:
        yield from value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    elif isinstance(value, list):
        yield from (item for item in value if _is_equal(find(item, step["left"]), step))


def _is_equal(found: list[Any], step: re.Match[str]) -> bool:
    """Whether a value is the text in quotes, or the literal without."""
    if step["literal"] is not None:
        return step["literal"] in (json.dumps(item) for item in found)
    return step["right"] in map(str, found)
