"""Which fields users' own parts of an object may have.

A manifest's pod specs are kept as they were written, and a cluster refuses an object for one field that it does not
know. The upstream operators read pods into types that let such fields fall, so manifests in use have them (`imag: …`, a
field at the wrong depth, `null`). They fall here too, and are told. The table is of the newest Kubernetes that was out
when it was made (`make user-fields`).
"""

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

POD, STRATEGY, METRIC, BEHAVIOR = "PodSpec", "DeploymentStrategy", "MetricSpec", "HorizontalPodAutoscalerBehavior"


@cache
def _types() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads((files(__package__) / "user_fields.json").read_text())
    return found


def known(value: Any, kind: str) -> Any:
    """The value as mutable JSON, with the fields that its kind has; `null` means absent. Lists are of items of that
    kind. What is no object where one should be stays, for the cluster to refuse with its own words."""
    if isinstance(value, list | tuple):
        return [known(item, kind) for item in value]
    if not isinstance(value, Mapping):
        return value
    fields = _types().get(kind)
    given = {str(key): item for key, item in value.items() if item is not None}
    if fields is None:
        return {key: known(item, "") for key, item in given.items()}
    return {key: known(item, fields[key]) for key, item in given.items() if key in fields}


def unknown(value: Any, kind: str, path: str) -> Iterator[str]:
    """What is told of each field that falls."""
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from unknown(item, kind, f"{path}[{index}]")
    elif isinstance(value, Mapping) and kind in _types():
        for key, item in value.items():
            yield from _unknown_field(str(key), item, _types()[kind], path)


def _unknown_field(key: str, item: Any, fields: Mapping[str, str], path: str) -> Iterator[str]:
    if key in fields:
        yield from unknown(item, fields[key], f"{path}.{key}")
    elif item is not None:
        near = get_close_matches(key, fields, n=1, cutoff=0.7)
        hint = f"; did you mean {near[0]}?" if near else ""
        yield f"{path}.{key} is no field that Kubernetes has there and is left out{hint}"
