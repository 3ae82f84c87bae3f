"""Workloads on demand where there is no Knative: revisions that our own gateway scales and shares requests among.

A workload is a Service and its revisions, each a Deployment of a number (`iris-predictor-00001`), as Knative's are. The
Service selects no pods: the gateway writes its own addresses behind it, so that whatever leads to a Service (a name in
the cluster, an Ingress, a route) leads to the gateway, in whichever namespace that is. What the gateway has to know of
a workload stands in an annotation of its Service, how a revision scales in one of its Deployment. It, and nobody else,
writes replicas.

What is rendered has the number one; `operator.revisions` says which one it is in a cluster that has some already.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from fairlead.backends.kubernetes.render import pods
from fairlead.backends.kubernetes.render.place import Object, Place
from fairlead.plan.layout import Exposure, OnDemandWorkload, Rule

LABEL = "fairlead.dev/on-demand"
"""The name of the workload, on its Service, its Deployments and their pods."""
REVISION = "fairlead.dev/revision"
"""The name of the revision, on its Deployment and its pods."""
ANNOTATION = "fairlead.dev/scaling"
"""JSON, on a Deployment: how the revision scales, and how much a pod takes at once."""
ROUTING = "fairlead.dev/routing"
"""JSON, on the Service: which revision gets which share, and what else is asked by which hosts."""
GATEWAY = "fairlead-gateway"
"""What the gateway's own objects are called, in the operator's namespace."""
PORT = 80
FIRST = "-00001"
KNATIVE_SERVICE, KNATIVE_REVISION = "serving.knative.dev/service", "serving.knative.dev/revision"
"""Knative's own labels for the same, which scripts select by."""
TEMPLATE = "fairlead.dev/template"
"""On a Deployment in a cluster: what the revision was made of."""
_SCALING_WORDS = "autoscaling.knative.dev/"
_DEFAULT_PORT = 8080
_LEAVE_S = 3
"""How long a pod that is to go still takes requests: longer than it takes until nobody sends it any."""


def objects(workload: OnDemandWorkload, place: Place, exposures: Iterable[Exposure] = ()) -> list[Object]:
    """The name that callers know, and the revision that is wanted now."""
    return [_name(workload, place, exposures), _revision(workload, place)]


def _revision(workload: OnDemandWorkload, place: Place) -> Object:
    name = f"{workload.name}{FIRST}"
    template = pods.template(workload.pod, place)
    template["metadata"]["labels"] |= {
        LABEL: workload.name,
        REVISION: name,
        KNATIVE_SERVICE: workload.name,
        KNATIVE_REVISION: name,
    }
    _let_go_slowly(template["spec"], workload.pod.own)
    _probe(template["spec"]["containers"])
    return place.made(
        "apps/v1",
        "Deployment",
        name,
        labels={**workload.labels, LABEL: workload.name, REVISION: name},
        annotations={**workload.annotations, ANNOTATION: _scaling(workload)},
        spec={"selector": {"matchLabels": {LABEL: workload.name, REVISION: name}}, "template": template},
    )


def _let_go_slowly(spec: Object, own: frozenset[str]) -> None:
    """A gateway hears of a pod's end when the pod does, and what is on its way there then has to be answered. Images of
    users may not have the program for it."""
    for container in spec["containers"]:
        if container["name"] in own and "lifecycle" not in container:
            container["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", str(_LEAVE_S)]}}}


def _probe(containers: list[Object]) -> None:
    """A pod that says nothing of its readiness is ready when somebody listens, as with Knative. Otherwise a revision
    would be the latest, and get the requests, before it can answer any."""
    asked = next((one for one in containers if one.get("ports")), containers[0])
    if "readinessProbe" not in asked:
        ports = asked.get("ports") or [{"containerPort": _DEFAULT_PORT}]
        asked["readinessProbe"] = {"tcpSocket": {"port": ports[0]["containerPort"]}, "periodSeconds": 1}


def _scaling(workload: OnDemandWorkload) -> str:
    """Knative's words for scaling stand as they are: they are what manifests and their users know."""
    words = {key: value for key, value in workload.pod.annotations.items() if key.startswith(_SCALING_WORDS)}
    return _json({"annotations": words, "concurrency": workload.concurrency})


def _name(workload: OnDemandWorkload, place: Place, exposures: Iterable[Exposure]) -> Object:
    port = {"name": "http", "port": PORT, "targetPort": PORT, "protocol": "TCP"}
    return place.made(
        "v1",
        "Service",
        workload.name,
        labels={**workload.labels, LABEL: workload.name},
        annotations={ROUTING: _routing(workload, exposures)},
        spec={"type": "ClusterIP", "ports": [port]},
    )


def _routing(workload: OnDemandWorkload, exposures: Iterable[Exposure]) -> str:
    shares = [{"percent": one.percent, "revision": one.revision, "tag": one.tag} for one in workload.traffic]
    fields = {
        "timeoutSeconds": workload.timeout_s,
        "traffic": [{key: value for key, value in share.items() if value != ""} for share in shares],
        "hosts": list(_hosts(workload.name, exposures)),
    }
    return _json(fields)


def _hosts(name: str, exposures: Iterable[Exposure]) -> Iterator[dict[str, Any]]:
    """Hosts outside that lead here, for ways in that cannot say in the request which workload they mean."""
    for exposure in exposures:
        for rule in exposure.rules:
            if rule.path_prefix.strip("/") or name not in (backing.service for backing in rule.backings):
                continue
            for host in rule.hosts or exposure.hosts:
                yield {key: value for key, value in _host(host, rule).items() if value}


def _host(host: str, rule: Rule) -> dict[str, str]:
    asked = next((value for name, value in rule.set_headers.items() if name.lower() == "host"), "")
    return {"host": host, "path": rule.path_pattern, "as": asked}


def _json(fields: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in fields.items() if value}, sort_keys=True)
