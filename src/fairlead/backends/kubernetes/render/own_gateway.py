"""Workloads on demand where there is no Knative: a Deployment that our own gateway scales, and a name in the cluster
that leads to the gateway, which holds requests until a pod is there.

The gateway finds its Deployments by a label and reads how they scale from an annotation. It, and nobody else, writes
their replicas.
"""

import json

from fairlead.backends.kubernetes.render import pods
from fairlead.backends.kubernetes.render.place import Object, Place
from fairlead.plan.layout import OnDemandWorkload

LABEL = "fairlead.dev/on-demand"
"""The name of the workload, on its Deployment and its pods."""
ANNOTATION = "fairlead.dev/scaling"
"""JSON: how the Deployment scales, who gets which share, and what limits its requests have."""
GATEWAY_SERVICE = "fairlead-gateway"
"""The gateway's Service, in the operator's namespace."""
PODS_SUFFIX = "-pods"
"""Of the Service by which the gateway reaches the pods."""
_SCALING_WORDS = "autoscaling.knative.dev/"


def objects(workload: OnDemandWorkload, place: Place) -> list[Object]:
    """The Deployment of a workload, the name that callers know, and the one that leads to the pods."""
    return [_pods_service(workload, place), _name(workload, place), _deployment(workload, place)]


def _deployment(workload: OnDemandWorkload, place: Place) -> Object:
    template = pods.template(workload.pod, place)
    template["metadata"]["labels"][LABEL] = workload.name
    spec = {"selector": {"matchLabels": {LABEL: workload.name}}, "template": template}
    return place.made(
        "apps/v1",
        "Deployment",
        workload.name,
        labels={**workload.labels, LABEL: workload.name},
        annotations={**workload.annotations, ANNOTATION: _scaling(workload)},
        spec=spec,
    )


def _scaling(workload: OnDemandWorkload) -> str:
    """Knative's words for scaling stand as they are: they are what manifests and their users know."""
    words = {key: value for key, value in workload.pod.annotations.items() if key.startswith(_SCALING_WORDS)}
    fields = {
        "annotations": words,
        "concurrency": workload.concurrency,
        "timeoutSeconds": workload.timeout_s,
        "traffic": [
            {"percent": share.percent, "revision": share.revision, "tag": share.tag} for share in workload.traffic
        ],
    }
    return json.dumps({key: value for key, value in fields.items() if value}, sort_keys=True)


def _name(workload: OnDemandWorkload, place: Place) -> Object:
    host = f"{GATEWAY_SERVICE}.{place.settings.namespace}.svc.{place.settings.cluster_domain}"
    spec = {"type": "ExternalName", "externalName": host}
    return place.made("v1", "Service", workload.name, labels=workload.labels, spec=spec)


def _pods_service(workload: OnDemandWorkload, place: Place) -> Object:
    listed = _ports(workload) or [{"port": 8080, "targetPort": 8080, "protocol": "TCP"}]
    spec = {"type": "ClusterIP", "clusterIP": "None", "selector": {LABEL: workload.name}, "ports": listed}
    return place.made("v1", "Service", f"{workload.name}{PODS_SUFFIX}", labels=workload.labels, spec=spec)


def _ports(workload: OnDemandWorkload) -> list[Object]:
    """Each TCP port once: a Service takes no second name of a number."""
    found: dict[int, Object] = {}
    for container in workload.pod.spec["containers"]:
        for port in container.get("ports") or ():
            if port.get("protocol", "TCP") == "TCP":
                found.setdefault(port["containerPort"], _port(port))
    return list(found.values())


def _port(port: Object) -> Object:
    number = port["containerPort"]
    return {"name": port.get("name") or f"port-{number}", "port": number, "targetPort": number, "protocol": "TCP"}
