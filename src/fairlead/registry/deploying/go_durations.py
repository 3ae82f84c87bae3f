"""Durations as clients of Go programs write them: `90s`, `1m30s`, `250ms`."""

import re

_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|h|m|s)")
_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def nanoseconds(text: str) -> int:
    """Raises `ValueError` for what Go does not read, and for durations before zero."""
    if text == "0":
        return 0
    parts = list(_PART.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        raise ValueError(f"{text!r} is not a duration; write 90s, 1m30s or 250ms")
    return round(sum(float(part[1]) * _NANOSECONDS[part[2]] for part in parts))


def seconds(text: str) -> float:
    """The same in seconds."""
    return nanoseconds(text) / 10**9


def written(nanoseconds: int) -> str:
    """As Go writes them: `1h0m0s`, `1m30s`, `250ms`, `1.5s`."""
    if not nanoseconds:
        return "0s"
    if nanoseconds < 10**9:
        unit = "ms" if nanoseconds >= 10**6 else "us" if nanoseconds >= 10**3 else "ns"
        return f"{_decimal(nanoseconds, _NANOSECONDS[unit])}{unit}"
    hours, rest = divmod(nanoseconds, _NANOSECONDS["h"])
    minutes, rest = divmod(rest, _NANOSECONDS["m"])
    parts = [f"{hours}h"] if hours else []
    if hours or minutes:
        parts.append(f"{minutes}m")
    return "".join(parts) + f"{_decimal(rest, 10**9)}s"


def _decimal(number: int, unit: int) -> str:
    whole, rest = divmod(number, unit)
    digits = f"{rest:0{len(str(unit)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)
