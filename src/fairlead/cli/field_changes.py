"""Which fields of an object differ from another's, as paths. No values: manifests and Secrets hold passwords."""

from collections.abc import Iterator, Mapping
from typing import Any

_OWN = ("status", "apiVersion", "kind")
_NOT_SAID = frozenset(("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"))


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The paths, sorted, of what two states of an object say differently by themselves, without what their server
    notes."""
    return sorted(_changed(_said(before), _said(after)))


def _said(document: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in document.items() if name not in _OWN}
    said["metadata"] = {name: value for name, value in document["metadata"].items() if name not in _NOT_SAID}
    return said


def _changed(old: Any, new: Any, path: str = "") -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in (*old, *(name for name in new if name not in old)):
            yield from _changed(old.get(name), new.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _changed(one, other, f"{path}[{index}]")
    elif old != new:
        yield path
