"""What Knative Serving must be told to allow before it takes a pod.

Its webhook refuses most fields of a pod unless the ConfigMap `config-features` of namespace `knative-serving` switches
them on. A service that was refused would only say so in the words of that webhook; here the switch is named beforehand.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fairlead.dialects.base import World

NAMESPACE, NAME = "knative-serving", "config-features"
_PREFIX = "kubernetes.podspec-"
_FIELDS = {
    "initContainers": "init-containers",
    "nodeSelector": "nodeselector",
    "affinity": "affinity",
    "tolerations": "tolerations",
    "topologySpreadConstraints": "topologyspreadconstraints",
    "hostAliases": "hostaliases",
    "runtimeClassName": "runtimeclassname",
    "priorityClassName": "priorityclassname",
    "schedulerName": "schedulername",
    "dnsPolicy": "dnspolicy",
    "dnsConfig": "dnsconfig",
    "hostNetwork": "hostnetwork",
    "hostPID": "hostpid",
    "hostIPC": "hostipc",
    "shareProcessNamespace": "shareprocessnamespace",
}
_VOLUMES = {
    "emptyDir": "volumes-emptydir",
    "persistentVolumeClaim": "persistent-volume-claim",
    "hostPath": "volumes-hostpath",
    "csi": "volumes-csi",
    "image": "volumes-image",
}
_ON_BY_DEFAULT = frozenset(("volumes-emptydir",))


def warnings_of(pod: Mapping[str, Any], what: str, world: World) -> Iterator[str]:
    """A sentence for each switch that this pod needs and that is not on, as far as is known."""
    stored = world.get("ConfigMap", NAMESPACE, NAME)
    said = (stored or {}).get("data") or {}
    missing = []
    for feature in dict.fromkeys(_needed(pod)):
        default = "enabled" if feature in _ON_BY_DEFAULT else "disabled"
        if str(said.get(f"{_PREFIX}{feature}", default)).lower() not in ("enabled", "allowed"):
            missing.append(f"{_PREFIX}{feature}: enabled")
    if missing:
        names = ", ".join(missing)
        yield f"{what}: Knative refuses its pods unless the ConfigMap {NAMESPACE}/{NAME} has {names}"


def _needed(pod: Mapping[str, Any]) -> Iterator[str]:
    for field, feature in _FIELDS.items():
        if pod.get(field):
            yield feature
    for volume in pod.get("volumes") or ():
        for kind, feature in _VOLUMES.items():
            if volume.get(kind) is not None:
                yield feature
                if kind == "persistentVolumeClaim" and not volume[kind].get("readOnly"):
                    yield "persistent-volume-write"
