"""Workloads on demand as Services of Knative, which makes a revision of each version of their template.

Knative takes a part of what a pod may have and refuses the rest. What says no more than Kubernetes' defaults do is left
out silently; what says more is left out with a warning, since a service that runs without it helps more than none.
"""

from typing import Any

from fairlead.backends.kubernetes.render import pods
from fairlead.backends.kubernetes.render.place import Object, Place
from fairlead.backends.kubernetes.render.written import Written
from fairlead.plan.layout import OnDemandWorkload, Share

# What Knative's webhook takes of a pod (docs: Serving API, `RevisionSpec`), some of it only where its operator has
# switched it on.
_TAKEN_OF_PODS = frozenset((
    "containers", "initContainers", "volumes", "serviceAccountName", "imagePullSecrets", "enableServiceLinks",
    "automountServiceAccountToken", "affinity", "nodeSelector", "tolerations", "topologySpreadConstraints",
    "runtimeClassName", "priorityClassName", "schedulerName", "securityContext", "hostAliases", "dnsPolicy",
    "dnsConfig", "shareProcessNamespace", "hostIPC", "hostPID", "hostNetwork",
))  # fmt: skip
_DEFAULTS = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
}
_REFUSED_OF_CONTAINERS = frozenset(("lifecycle", "stdin", "stdinOnce", "tty", "resizePolicy", "restartPolicy"))
_PORT_NAMES = frozenset(("", "http1", "h2c"))


def service(workload: OnDemandWorkload, place: Place) -> Written:
    """The Service of a workload."""
    spec, warnings = _accepted(pods.spec(workload.pod, place), workload.name)
    metadata = {"labels": {**workload.pod.labels}, "annotations": {**workload.pod.annotations}}
    limits = {
        "containerConcurrency": workload.concurrency,
        "timeoutSeconds": workload.timeout_s,
        # Its default is longer than a short limit for the whole, which Knative refuses.
        "responseStartTimeoutSeconds": workload.timeout_s,
    }
    template = {
        "metadata": {key: value for key, value in metadata.items() if value},
        "spec": {key: value for key, value in (limits | spec).items() if value is not None},
    }
    written: Object = {"template": template}
    if workload.traffic:
        written["traffic"] = [_target(share) for share in workload.traffic]
    made = place.made(
        "serving.knative.dev/v1",
        "Service",
        workload.name,
        labels=workload.labels,
        annotations=workload.annotations,
        spec=written,
    )
    return Written(objects=(made,), warnings=tuple(warnings))


def _accepted(spec: dict[str, Any], name: str) -> tuple[dict[str, Any], list[str]]:
    """The part of a pod's spec that Knative takes, and a warning for each field beyond."""
    said = {key: value for key, value in spec.items() if _DEFAULTS.get(key) != value}
    kept = {key: value for key, value in said.items() if key in _TAKEN_OF_PODS}
    lost = [key for key in said if key not in _TAKEN_OF_PODS]
    for key in ("initContainers", "containers"):
        if key in kept:
            lost += [field for container in kept[key] for field in _refused(container)]
            kept[key] = [_accepted_container(container) for container in kept[key]]
    return kept, [f"{name}: Knative does not take a pod's {field}; it is left out" for field in lost]


def _refused(container: dict[str, Any]) -> list[str]:
    further = [f"port {port['containerPort']}" for port in container.get("ports", [])[1:]]
    return [f"{container['name']}.{field}" for field in (*sorted(_REFUSED_OF_CONTAINERS & container.keys()), *further)]


def _accepted_container(container: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in container.items() if key not in _REFUSED_OF_CONTAINERS}
    return {**kept, "ports": [_port(kept["ports"][0])]} if kept.get("ports") else kept


def _port(port: dict[str, Any]) -> dict[str, Any]:
    """To Knative a port's name says its protocol, so it knows two of them."""
    name = str(port.get("name", ""))
    if name in _PORT_NAMES:
        return port
    return {**port, "name": "h2c" if "grpc" in name or "h2c" in name else "http1"}


def _target(share: Share) -> Object:
    target: Object = {"latestRevision": True}
    if share.revision:
        target = {"revisionName": share.revision, "latestRevision": False}
    return {**target, "percent": share.percent} | ({"tag": share.tag} if share.tag else {})
