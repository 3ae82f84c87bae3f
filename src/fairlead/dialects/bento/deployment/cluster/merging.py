"""A user's `extraPodSpec` over the pod that would be there: containers, volumes and variables by name, everything else
as the user wrote it."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.bento.deployment.schema import ExtraPodSpec

_NAMED = ("containers", "initContainers", "volumes", "imagePullSecrets", "env")
_BY_PATH = ("volumeMounts",)


def merged_pod(base: Mapping[str, Any], extra: ExtraPodSpec) -> dict[str, Any]:
    """The pod's spec."""
    return _merged(base, extra.model_dump(by_alias=True, exclude_unset=True))


def _merged(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(base)
    for key, value in given.items():
        if key in _NAMED and isinstance(value, list):
            made[key] = _by(made.get(key) or [], value, "name")
        elif key in _BY_PATH and isinstance(value, list):
            made[key] = _by(made.get(key) or [], value, "mountPath")
        elif value is not None:
            made[key] = value
    return made


def _by(base: list[dict[str, Any]], given: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Items of the same name are one; others follow in the order in which they were written."""
    found = {one.get(key): one for one in base}
    for one in given:
        name = one.get(key)
        known = found.get(name)
        # A variable is replaced whole: with `value` and `valueFrom` both, it would be none.
        is_container = "image" in (known or {})
        found[name] = _merged(known, one) if known is not None and is_container else dict(one)
    return list(found.values())
