"""Functions that make metrics for `metrics()` to return."""

from typing import Any

COUNTER = "COUNTER"
GAUGE = "GAUGE"
TIMER = "TIMER"


def create_counter(key: str, value: float, tags: dict[str, str] | None = None) -> dict[str, Any]:
    """A number that is added."""
    return _metric(COUNTER, key, value, tags)


def create_gauge(key: str, value: float, tags: dict[str, str] | None = None) -> dict[str, Any]:
    """A number that is set."""
    return _metric(GAUGE, key, value, tags)


def create_timer(key: str, value: float, tags: dict[str, str] | None = None) -> dict[str, Any]:
    """A duration in milliseconds."""
    return _metric(TIMER, key, value, tags)


def _metric(type_: str, key: str, value: float, tags: dict[str, str] | None) -> dict[str, Any]:
    float(value)  # what is no number fails here, where the caller's line is in the traceback
    metric: dict[str, Any] = {"key": key, "type": type_, "value": value}
    return {**metric, "tags": tags} if tags else metric
