"""Items of a pod that say the same thing twice.

Kubernetes takes a variable or a port that a container lists twice, and manifests in use have them; a server-side apply
refuses them, because there an item is found by its key. Of variables the last one counts, as in the container; of ports
the first, since a name that is looked up is mostly that one's.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Any

_Key = Callable[[dict[str, Any]], Hashable]


def without_repeats(spec: dict[str, Any]) -> dict[str, Any]:
    """The pod spec with each variable, port and pull secret once."""
    written = {**spec}
    for name in ("initContainers", "containers"):
        if name in spec:
            written[name] = [_container(one) for one in spec[name]]
    if "imagePullSecrets" in spec:
        written["imagePullSecrets"] = _firsts(spec["imagePullSecrets"], _name)
    return written


def _container(container: dict[str, Any]) -> dict[str, Any]:
    written = {**container}
    if "env" in container:
        written["env"] = _firsts(reversed(container["env"]), _name)[::-1]
    if "ports" in container:
        written["ports"] = _firsts(container["ports"], _port)
    return written


def _firsts(items: Iterable[dict[str, Any]], key: _Key) -> list[dict[str, Any]]:
    found: dict[Hashable, dict[str, Any]] = {}
    for item in items:
        found.setdefault(key(item), item)
    return list(found.values())


def _name(item: dict[str, Any]) -> Hashable:
    return str(item.get("name"))


def _port(item: dict[str, Any]) -> Hashable:
    return str(item.get("containerPort")), str(item.get("protocol") or "TCP")
