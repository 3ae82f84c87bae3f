"""Whether the cluster has what we want: comparing a document that we would send with the object that is there.

A live object has more than we ever sent: defaults, other writers' fields, and spellings of its own (`1000m` is stored
as `1`). So an object is compared at the places that we write, and nowhere else. Everything is pure.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from fairlead.plan import quantity

APPLIED = "fairlead.dev/applied"
"""Annotation with the fingerprint of what was sent last: a field that we no longer want is seen by it after a
restart."""

_KEYED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "containers": (("name",),),
    "initContainers": (("name",),),
    "volumes": (("name",),),
    "env": (("name",),),
    "volumeMounts": (("mountPath",),),
    "volumeDevices": (("devicePath",),),
    "ports": (("containerPort", "protocol"), ("port", "protocol")),
    "imagePullSecrets": (("name",),),
    "ownerReferences": (("uid",),),
    "hostAliases": (("ip",),),
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"),),
    "resourceClaims": (("name",),),
    "claims": (("name",),),
}
"""Lists that the API merges by these keys (Kubernetes API, `x-kubernetes-list-map-keys`): others may have items of
their own in them."""

_WHOLE = frozenset({"selector", "podSelector", "namespaceSelector", "matchLabels", "nodeSelector"})
"""Maps that the API keeps as one value (`x-kubernetes-map-type: atomic`): one label more selects something else."""

_QUANTITIES = frozenset({"limits", "requests", "overhead"})
_QUANTITY_FIELDS = frozenset({"sizeLimit", "averageValue", "divisor"})
_DEFAULTS = {"protocol": "TCP"}


def fingerprint(wanted: Mapping[str, Any]) -> str:
    """A short digest of a document; equal documents have the same, whatever the order of their fields."""
    return hashlib.sha256(orjson.dumps(wanted, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def marked(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The document as it is sent: with its own fingerprint."""
    metadata = wanted["metadata"]
    annotations = {**(metadata.get("annotations") or {}), APPLIED: fingerprint(wanted)}
    return {**wanted, "metadata": {**metadata, "annotations": annotations}}


def mark_of(live: Mapping[str, Any]) -> str:
    """The fingerprint of what this object was made from; empty when not by us."""
    return str((live["metadata"].get("annotations") or {}).get(APPLIED, ""))


def contains(live: Any, wanted: Any, *, field: str = "") -> bool:
    """Whether everything that is wanted is there."""
    if isinstance(wanted, Mapping):
        if not isinstance(live, Mapping):
            return not wanted and live is None
        if field in _WHOLE and live.keys() - wanted.keys():
            return False
        inner = field if field in _QUANTITIES else ""
        return all(contains(live.get(name), value, field=inner or name) for name, value in wanted.items())
    if isinstance(wanted, list | tuple):
        return _contains_items(live, wanted, field)
    return _is_same(live, wanted, field)


def project(live: Any, wanted: Any, *, field: str = "") -> Any:
    """What the live object has at the places that the wanted one writes."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        return {name: project(live.get(name), value, field=name) for name, value in wanted.items()}
    if isinstance(wanted, list | tuple) and isinstance(live, list | tuple):
        pairs = _paired(live, wanted, field)
        return [project(there, item) for there, item in pairs] if pairs is not None else list(live)
    return live


def _contains_items(live: Any, wanted: Sequence[Any], field: str) -> bool:
    if not isinstance(live, list | tuple):
        return not wanted and live is None
    if field == "finalizers":
        return set(wanted) <= set(live)
    pairs = _paired(live, wanted, field)
    return pairs is not None and all(contains(there, item) for there, item in pairs)


def _paired(live: Sequence[Any], wanted: Sequence[Any], field: str) -> list[tuple[Any, Any]] | None:
    """Each wanted item with the live one that is its own; `None` when the lists cannot be the same."""
    for names in _KEYED.get(field, ()):
        mine, theirs = _by_key(wanted, names), _by_key(live, names)
        if mine is not None and theirs is not None:
            return [(theirs.get(key), item) for key, item in mine.items()]
    return list(zip(live, wanted, strict=True)) if len(live) == len(wanted) else None


def _by_key(items: Sequence[Any], names: tuple[str, ...]) -> dict[tuple[Any, ...], Any] | None:
    """The items by their keys, if each has one and no two the same."""
    found: dict[tuple[Any, ...], Any] = {}
    for item in items:
        if not isinstance(item, Mapping):
            return None
        key = tuple(item.get(name, _DEFAULTS.get(name)) for name in names)
        if None in key or key in found:
            return None
        found[key] = item
    return found


def _is_same(live: Any, wanted: Any, field: str) -> bool:
    if live is None:
        # The API does not store what is empty; `0` and `false` are left out of many kinds too.
        return not wanted
    if isinstance(live, bool) != isinstance(wanted, bool):
        return False
    if live == wanted:
        return True
    return (field in _QUANTITIES or field in _QUANTITY_FIELDS) and _is_same_quantity(live, wanted)


def _is_same_quantity(live: Any, wanted: Any) -> bool:
    try:
        return quantity.parse(live) == quantity.parse(wanted)
    except ValueError:
        return False
