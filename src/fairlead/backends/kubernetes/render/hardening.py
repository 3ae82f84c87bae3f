"""Safer defaults for pods than the upstream operators write, where nothing can break by them.

Containers that run our image are confined as the Pod Security Standard `restricted` asks, on a read-only root with a
scratch folder at /tmp. Of images that are somebody else's we know that they run under `docker run`, whose seccomp
profile is the runtime's default, so they get that and no more; the profile `restricted` asks for the standard there
too, and `none` for nothing anywhere. What a user wrote is never changed, and what would contradict it is not added.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

SCRATCH = "fairlead-tmp"
"""The volume under /tmp of containers whose root is read-only."""
_LISTS = ("initContainers", "containers")


class Profile(StrEnum):
    """How strictly pods are confined where their manifest says nothing."""

    COMPATIBLE = "compatible"
    RESTRICTED = "restricted"
    NONE = "none"


def hardened(spec: dict[str, Any], own: frozenset[str], profile: Profile) -> dict[str, Any]:
    """The pod spec with its containers confined; `own` are the names of those that run our image."""
    if profile is Profile.NONE or (spec.get("os") or {}).get("name") == "windows":
        return spec
    pod = spec.get("securityContext") or {}
    written = {**spec}
    for name in _LISTS:
        if spec.get(name):
            written[name] = [_confined(one, pod, is_own=one.get("name") in own, profile=profile) for one in spec[name]]
    if any(_uses_scratch(one) for name in _LISTS for one in written.get(name) or ()):
        written["volumes"] = [*(spec.get("volumes") or ()), {"name": SCRATCH, "emptyDir": {}}]
    return written


def _confined(
    container: Mapping[str, Any], pod: Mapping[str, Any], *, is_own: bool, profile: Profile
) -> dict[str, Any]:
    given = _without_contradiction(container.get("securityContext") or {})
    is_strict = is_own or profile is Profile.RESTRICTED
    context = {**given, **_additions(given, pod, is_own=is_own, is_strict=is_strict)}
    confined = {**container, "securityContext": context} if context else {**container}
    if is_own and context.get("readOnlyRootFilesystem") and "readOnlyRootFilesystem" not in given:
        confined["volumeMounts"] = _with_scratch(container)
    return confined


def _without_contradiction(given: Mapping[str, Any]) -> dict[str, Any]:
    """A user's `privileged` over a runtime's `allowPrivilegeEscalation: false` is what the API server refuses."""
    if not given.get("privileged"):
        return {**given}
    return {key: value for key, value in given.items() if (key, value) != ("allowPrivilegeEscalation", False)}


def _additions(given: Mapping[str, Any], pod: Mapping[str, Any], *, is_own: bool, is_strict: bool) -> dict[str, Any]:
    """What is missing, in the order that it reads best."""
    if given.get("privileged"):
        return {}
    wanted: dict[str, Any] = {}
    if is_strict:
        wanted |= _unprivileged(given, pod)
    if is_own:
        wanted["readOnlyRootFilesystem"] = True
    if is_strict:
        wanted["capabilities"] = {"drop": ["ALL"]}
    if "seccompProfile" not in pod:
        wanted["seccompProfile"] = {"type": "RuntimeDefault"}
    return {key: value for key, value in wanted.items() if key not in given}


def _unprivileged(given: Mapping[str, Any], pod: Mapping[str, Any]) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    if "runAsNonRoot" not in pod and given.get("runAsUser", pod.get("runAsUser")) != 0:
        wanted["runAsNonRoot"] = True
    # The API server refuses this one beside the capability that contains all others.
    if "SYS_ADMIN" not in ((given.get("capabilities") or {}).get("add") or ()):
        wanted["allowPrivilegeEscalation"] = False
    return wanted


def _with_scratch(container: Mapping[str, Any]) -> list[Any]:
    mounts = list(container.get("volumeMounts") or ())
    is_there = any(str(mount.get("mountPath", "")).rstrip("/") == "/tmp" for mount in mounts)  # noqa: S108
    return mounts if is_there else [*mounts, {"name": SCRATCH, "mountPath": "/tmp"}]  # noqa: S108


def _uses_scratch(container: Mapping[str, Any]) -> bool:
    return any(mount.get("name") == SCRATCH for mount in container.get("volumeMounts") or ())
