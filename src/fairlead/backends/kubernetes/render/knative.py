"""Workloads on demand as Services of Knative, which makes a revision of each version of their template.

Knative takes a part of what a pod may have and refuses the rest. What says no more than Kubernetes' defaults do is left
out silently; what says more is left out with a warning, since a service that runs without it helps more than none.
"""

from typing import Any

from fairlead.backends.kubernetes.render import pods
from fairlead.backends.kubernetes.render.place import Object, Place
from fairlead.backends.kubernetes.render.written import Written
from fairlead.plan.layout import OnDemandWorkload, Share

# Fields that Knative's webhook refuses (docs: Serving API, `RevisionSpec`), with the value that says nothing.
_REFUSED_OF_PODS: dict[str, Any] = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "activeDeadlineSeconds": None,
    "nodeName": None,
    "hostname": None,
    "subdomain": None,
    "readinessGates": None,
    "preemptionPolicy": None,
    "overhead": None,
    "ephemeralContainers": None,
    "setHostnameAsFQDN": None,
    "os": None,
}
# These Knative takes only where its operator has switched them on, so the default is better not said.
_ON_REQUEST = {"dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler"}
_REFUSED_OF_CONTAINERS = ("lifecycle", "stdin", "stdinOnce", "tty", "resizePolicy", "restartPolicy")


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
    lost = [key for key, silent in _REFUSED_OF_PODS.items() if key in spec and spec[key] != silent]
    kept = {key: value for key, value in spec.items() if key not in _REFUSED_OF_PODS and _ON_REQUEST.get(key) != value}
    for key in ("initContainers", "containers"):
        if key in kept:
            kept[key] = [_accepted_container(one) for one in kept[key]]
            lost += [f"{one['name']}.{field}" for one in spec[key] for field in _REFUSED_OF_CONTAINERS if field in one]
    return kept, [f"{name}: Knative does not take a pod's {field}; it is left out" for field in lost]


def _accepted_container(container: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in container.items() if key not in _REFUSED_OF_CONTAINERS}


def _target(share: Share) -> Object:
    target: Object = {"latestRevision": True}
    if share.revision:
        target = {"revisionName": share.revision, "latestRevision": False}
    return {**target, "percent": share.percent} | ({"tag": share.tag} if share.tag else {})
