"""Custom metrics as units report them: what counts as one, and nothing about how they are exposed."""

import json
from numbers import Real
from typing import Any

from fairlead.runtimes.failures import BadMetric

_TYPES = ("COUNTER", "GAUGE", "TIMER")


def checked(metrics: Any) -> list[dict[str, Any]]:
    """The metrics as plain JSON values; `BadMetric` shows what was given when one of them is none."""
    if metrics is None:
        return []
    if not isinstance(metrics, list) or not all(_is_metric(metric) for metric in metrics):
        raise BadMetric(f"Bad metric created during request: {json.dumps(metrics, default=str)}")
    return [{**metric, "value": _plain(metric["value"])} for metric in metrics]


def _is_metric(metric: Any) -> bool:
    return (
        isinstance(metric, dict)
        and isinstance(metric.get("key"), str)
        and isinstance(metric.get("value"), Real)
        and metric.get("type") in _TYPES
        and isinstance(metric.get("tags", {}), dict)
    )


def _plain(value: Any) -> int | float:
    """numpy's numbers as Python's."""
    return value if isinstance(value, int | float) else float(value)
