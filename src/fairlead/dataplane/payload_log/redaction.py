"""Values that a log must not hold, by the path of their field.

A path is names joined by dots; lists are walked through without a word, and `*` stands for any name. What cannot be
read as JSON cannot be redacted, so nothing of it is logged.
"""

from collections.abc import Sequence
from typing import Any

from fairlead.protocols import jsontext

REDACTED = "[redacted]"
UNREADABLE = b'"[redacted: not JSON]"'

Path = tuple[str, ...]


def redacted(data: bytes, paths: Sequence[Path]) -> bytes:
    """The JSON with the values at these paths replaced."""
    try:
        value = jsontext.loads(data)
    except ValueError:
        return UNREADABLE
    for path in paths:
        _redact(value, path)
    return jsontext.dumps(value)


def _redact(value: Any, path: Path) -> None:
    if isinstance(value, list):
        for item in value:
            _redact(item, path)
    elif isinstance(value, dict):
        first, rest = path[0], path[1:]
        for name in list(value) if first == "*" else [first] if first in value else []:
            if rest:
                _redact(value[name], rest)
            else:
                value[name] = REDACTED
