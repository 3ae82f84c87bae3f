"""Parts of Kubernetes objects as users wrote them. A layout keeps every field of a pod, so what is decided for one is
merged into its JSON and never goes through a schema that would drop what it does not know."""

from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]


def copied(value: Any) -> Any:
    """A copy that can be changed, without what is `null`: an API server takes that for absent."""
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [copied(item) for item in value]
    return value


def named(items: Iterable[Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    """The first of that name."""
    return next((item for item in items if item.get("name") == name), None)


def add_missing(holder: Json, field: str, items: Iterable[Mapping[str, Any]], *, key: str = "name") -> None:
    """Append the items whose key no item of the list has yet."""
    listed = holder.setdefault(field, [])
    for item in items:
        if all(other.get(key) != item.get(key) for other in listed):
            listed.append(dict(item))
    if not listed:
        del holder[field]


def fill(holder: Json, values: Mapping[str, Any]) -> None:
    """Set the fields that are absent."""
    for key, value in values.items():
        if key not in holder:
            holder[key] = copied(value)


def env(values: Mapping[str, str]) -> list[Json]:
    """Variables with literal values."""
    return [{"name": name, "value": value} for name, value in values.items()]
