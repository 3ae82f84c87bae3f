"""Durations as people and kubectl write them: `90s`, `1m30s`, `10m`, or plain seconds."""

import re

from fairlead.cli.exits import UsageError

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """The duration in seconds. Raises `UsageError`."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = list(_PART.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        raise UsageError(f"{text!r} is no duration; write 90s, 1m30s or 10m")
    return sum(float(part[1]) * _SECONDS[part[2]] for part in parts)
