"""A runtime's container under the one that a manifest writes, as Kubernetes' strategic merge puts them together.

Objects are merged field by field and lists replaced, but for lists whose entries have a name: those are merged entry by
entry. Arguments are the exception that KServe makes: the runtime's come first and the manifest's after them, so that
the last of two equal flags is the manifest's.
"""

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

_KEYS: Mapping[str, str] = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "volumes": "name",
    "imagePullSecrets": "name",
    "resourceClaims": "name",
}
"""Lists whose entries are merged, and what tells one entry from another."""


def merged_containers(runtime: Json, own: Json) -> dict[str, Any]:
    """The container that runs. `own` wins."""
    merged = _merged(runtime, own)
    args = [*(runtime.get("args") or ()), *(own.get("args") or ())]
    return merged | ({"args": args} if args else {})


def merged_pods(runtime: Json, own: Json) -> dict[str, Any]:
    """The pod's own fields; its containers are put together one by one."""
    return _merged(runtime, own)


def merged_specs(below: Json, above: Json) -> dict[str, Any]:
    """A whole spec over another; containers of pods in them are put together by their names. `above` wins."""
    return _merged(below, above)


def _merged(below: Json, above: Json) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        if value is not None:
            merged[name] = _value(name, merged.get(name), value)
    return merged


def _value(name: str, below: Any, above: Any) -> Any:
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        return _merged(below, above)
    key = _KEYS.get(name)
    if key is not None and isinstance(below, list) and isinstance(above, list):
        return _entries(key, below, above)
    return above


def _entries(key: str, below: list[Any], above: list[Any]) -> list[Any]:
    """A variable that had a value and gets a source, or the other way round, is a new one."""
    merged = {entry.get(key): entry for entry in below}
    for entry in above:
        known = merged.get(entry.get(key))
        is_source = known is not None and ("valueFrom" in entry) != ("valueFrom" in known)
        merged[entry.get(key)] = entry if known is None or is_source else _merged(known, entry)
    return list(merged.values())
