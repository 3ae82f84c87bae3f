"""Network policies, for those who ask for them (`networkPolicy.enabled`): pods of ours answer on the ports that their
containers name, to callers in the cluster or to those that `networkPolicy.from` lists. What pods call themselves is not
limited, because models, logs and explainers are wherever a manifest says. A kubelet's probes always get through.
"""

from typing import Any

from fairlead.backends.kubernetes.render.own_gateway import LABEL
from fairlead.backends.kubernetes.render.place import Object, Place, plain
from fairlead.plan.layout import Labels, Layout, OnDemandWorkload, PodTemplate

_OF_KNATIVE = "serving.knative.dev/service"
_EVERYWHERE: list[dict[str, Any]] = [{"namespaceSelector": {}}]


def policies(layout: Layout, place: Place) -> list[Object]:
    """One for each workload, under its name; none where they are not asked for."""
    if not place.settings.value("networkPolicy.enabled", False):
        return []
    always = [_policy(one.name, one.selector, _ports(one.pod), one.labels, place) for one in layout.workloads]
    return [*always, *(_on_demand(one, place) for one in layout.on_demand)]


def _on_demand(workload: OnDemandWorkload, place: Place) -> Object:
    """Knative puts a proxy of its own into each pod, on ports that are its business."""
    if place.settings.has_knative:
        return _policy(workload.name, {_OF_KNATIVE: workload.name}, [], workload.labels, place)
    return _policy(workload.name, {LABEL: workload.name}, _ports(workload.pod), workload.labels, place)


def _ports(pod: PodTemplate) -> list[Object]:
    found = {
        (port["containerPort"], port.get("protocol") or "TCP"): None
        for container in pod.spec.get("containers") or ()
        for port in container.get("ports") or ()
    }
    return [{"port": number, "protocol": protocol} for number, protocol in found]


def _policy(name: str, selector: Labels, ports: list[Object], labels: Labels, place: Place) -> Object:
    callers = plain(place.settings.value("networkPolicy.from")) or _EVERYWHERE
    rule = {"from": callers, **({"ports": ports} if ports else {})}
    spec = {"podSelector": {"matchLabels": {**selector}}, "policyTypes": ["Ingress"], "ingress": [rule]}
    return place.made("networking.k8s.io/v1", "NetworkPolicy", name, labels=labels, spec=spec)
