"""Quantities as text. YAML reads `nvidia.com/gpu: 1` as a number, which `kubectl create` takes for a quantity and
server-side apply of API servers before 1.23 refuses ("expected string").
"""

from collections.abc import Mapping
from typing import Any

_LISTS = ("initContainers", "containers")
_AMOUNTS = ("requests", "limits")


def with_written_amounts(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The pod spec with every amount of its containers' resources, and of its overhead, as text."""
    written = {**spec}
    for name in _LISTS:
        if isinstance(spec.get(name), list):
            written[name] = [_container(one) for one in spec[name]]
    if isinstance(spec.get("overhead"), Mapping):
        written["overhead"] = _texts(spec["overhead"])
    return written


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    resources = container.get("resources")
    if not isinstance(resources, Mapping):
        return {**container}
    amounts = {name: _texts(resources[name]) for name in _AMOUNTS if isinstance(resources.get(name), Mapping)}
    return {**container, "resources": {**resources, **amounts}}


def _texts(amounts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: amount if isinstance(amount, bool) else _text(amount) for name, amount in amounts.items()}


def _text(amount: Any) -> Any:
    if isinstance(amount, float):
        return str(int(amount)) if amount.is_integer() else repr(amount)
    return str(amount) if isinstance(amount, int) else amount
