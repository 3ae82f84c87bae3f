"""Durations as Go programs read them: `90s`, `1m30s`, `250ms`, `-5s`."""

import re

_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|h|m|s)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """The duration in seconds. Raises `ValueError`."""
    if text in ("0", "+0", "-0"):
        return 0.0
    bare = text.removeprefix("-").removeprefix("+")
    parts = list(_PART.finditer(bare))
    if not parts or "".join(part[0] for part in parts) != bare:
        raise ValueError(f"{text!r} is not a duration; write 90s, 1m30s or 250ms")
    total = sum(float(part[1]) * _SECONDS[part[2]] for part in parts)
    return -total if text.startswith("-") else total


def written(duration_s: float) -> str:
    """Whole seconds as Go writes them: `6s`, `1h0m0s`."""
    hours, rest = divmod(round(duration_s), 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
