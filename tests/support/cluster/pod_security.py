"""The admission of pods by the Pod Security Standards, where a namespace asks for `restricted`.

From the page "Pod Security Standards" of Kubernetes' documentation. A Deployment is taken with a warning; it is its
pods that are refused.
"""

from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]

ENFORCE, WARN = "pod-security.kubernetes.io/enforce", "pod-security.kubernetes.io/warn"
_VOLUMES = frozenset(
    (
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    )
)
_PROFILES = ("RuntimeDefault", "Localhost")
_GROUPS = ("initContainers", "containers", "ephemeralContainers")


def refusal_of(namespace: Document | None, label: str, spec: Document) -> str:
    """What a namespace with this label has against a pod; empty if nothing."""
    level = ((namespace or {}).get("metadata", {}).get("labels") or {}).get(label)
    problems = list(violations(spec)) if level == "restricted" else []
    return f'violates PodSecurity "restricted:latest": {", ".join(problems)}' if problems else ""


def violations(spec: Document) -> Iterator[str]:
    """What of a pod is not `restricted`."""
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield f"host namespaces ({name}=true)"
    for volume in spec.get("volumes") or ():
        kinds = set(volume) - {"name"}
        if kinds - _VOLUMES:
            yield f'restricted volume types (volume "{volume["name"]}" uses restricted volume type "{min(kinds)}")'
    containers = [item for group in _GROUPS for item in spec.get(group) or ()]
    for container in containers:
        yield from _container(container, spec.get("securityContext") or {})


def _container(container: Document, of_pod: Document) -> Iterator[str]:
    name, own = container["name"], container.get("securityContext") or {}
    if own.get("privileged"):
        yield f'privileged (container "{name}" must not set securityContext.privileged=true)'
    if any(port.get("hostPort") for port in container.get("ports") or ()):
        yield f'hostPort (container "{name}" uses hostPort)'
    if own.get("allowPrivilegeEscalation") is not False:
        must = "must set securityContext.allowPrivilegeEscalation=false"
        yield f'allowPrivilegeEscalation != false (container "{name}" {must})'
    capabilities = own.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()) or set(capabilities.get("add") or ()) - {"NET_BIND_SERVICE"}:
        yield f'unrestricted capabilities (container "{name}" must set securityContext.capabilities.drop=["ALL"])'
    both = {**of_pod, **own}
    if both.get("runAsNonRoot") is not True:
        yield f'runAsNonRoot != true (pod or container "{name}" must set securityContext.runAsNonRoot=true)'
    if both.get("runAsUser") == 0:
        yield f'runAsUser=0 (pod or container "{name}" must not set runAsUser=0)'
    if (both.get("seccompProfile") or {}).get("type") not in _PROFILES:
        must = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
        yield f'seccompProfile (pod or container "{name}" {must})'
