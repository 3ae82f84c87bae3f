"""What an API server writes into built-in objects where a manifest is silent.

An operator meets these when it reads back what it applied: a comparison that ignores them sees drift for ever.
From the field descriptions of the Kubernetes API reference ("Defaults to ..."), by definition.
"""

from collections.abc import Callable
from typing import Any

Document = dict[str, Any]
Default = Callable[[Document], None]

_CORE = "io.k8s.api.core.v1."


def _values(**defaults: Any) -> Default:
    def fill(value: Document) -> None:
        for name, default in defaults.items():
            if name not in value:
                value[name] = dict(default) if isinstance(default, dict) else default

    return fill


def _container(value: Document) -> None:
    _values(terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File", resources={})(value)
    if "imagePullPolicy" not in value:
        last = str(value.get("image", "")).rpartition("/")[2]
        is_latest = "@" not in last and last.partition(":")[2] in ("", "latest")
        value["imagePullPolicy"] = "Always" if is_latest else "IfNotPresent"


def _requests_from_limits(value: Document) -> None:
    for name, limit in (value.get("limits") or {}).items():
        value.setdefault("requests", {}).setdefault(name, limit)


def _probe(value: Document) -> None:
    _values(timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)(value)


def _volume(value: Document) -> None:
    if not set(value) - {"name"}:
        value["emptyDir"] = {}


def _pod_spec(value: Document) -> None:
    _values(
        restartPolicy="Always",
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
        terminationGracePeriodSeconds=30,
        securityContext={},
    )(value)
    if value.get("serviceAccountName") and not value.get("serviceAccount"):
        value["serviceAccount"] = value["serviceAccountName"]
    elif value.get("serviceAccount") and not value.get("serviceAccountName"):
        value["serviceAccountName"] = value["serviceAccount"]


def _deployment(value: Document) -> None:
    _values(replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)(value)
    strategy = value.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")


def _service(value: Document) -> None:
    kind = value.setdefault("type", "ClusterIP")
    value.setdefault("sessionAffinity", "None")
    if kind != "ExternalName":
        value.setdefault("internalTrafficPolicy", "Cluster")
        value.setdefault("ipFamilyPolicy", "SingleStack")
        value.setdefault("ipFamilies", ["IPv4"])
    if kind in ("NodePort", "LoadBalancer"):
        value.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        value.setdefault("allocateLoadBalancerNodePorts", True)


def _service_port(value: Document) -> None:
    value.setdefault("protocol", "TCP")
    value.setdefault("targetPort", value.get("port"))


def _autoscaler(value: Document) -> None:
    value.setdefault("minReplicas", 1)
    if not value.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        value["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _webhook(value: Document) -> None:
    _values(failurePolicy="Fail", matchPolicy="Equivalent", timeoutSeconds=10, namespaceSelector={}, objectSelector={})(
        value
    )


def _mutating_webhook(value: Document) -> None:
    _webhook(value)
    value.setdefault("reinvocationPolicy", "Never")


def _job(value: Document) -> None:
    _values(backoffLimit=6, completionMode="NonIndexed", suspend=False, podReplacementPolicy="TerminatingOrFailed")(
        value
    )
    if "completions" not in value and "parallelism" not in value:
        value["completions"] = 1
    value.setdefault("parallelism", 1)


DEFAULTS: dict[str, Default] = {
    _CORE + "Container": _container,
    _CORE + "ContainerPort": _values(protocol="TCP"),
    _CORE + "ResourceRequirements": _requests_from_limits,
    _CORE + "Probe": _probe,
    _CORE + "HTTPGetAction": _values(path="/", scheme="HTTP"),
    _CORE + "GRPCAction": _values(service=""),
    _CORE + "ObjectFieldSelector": _values(apiVersion="v1"),
    _CORE + "Volume": _volume,
    _CORE + "ConfigMapVolumeSource": _values(defaultMode=420),
    _CORE + "SecretVolumeSource": _values(defaultMode=420),
    _CORE + "ProjectedVolumeSource": _values(defaultMode=420),
    _CORE + "DownwardAPIVolumeSource": _values(defaultMode=420),
    _CORE + "ServiceAccountTokenProjection": _values(expirationSeconds=3600),
    _CORE + "HostPathVolumeSource": _values(type=""),
    _CORE + "PodSpec": _pod_spec,
    _CORE + "ServiceSpec": _service,
    _CORE + "ServicePort": _service_port,
    _CORE + "Secret": _values(type="Opaque"),
    _CORE + "PersistentVolumeClaimSpec": _values(volumeMode="Filesystem"),
    _CORE + "PersistentVolumeSpec": _values(persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem"),
    "io.k8s.api.apps.v1.DeploymentSpec": _deployment,
    "io.k8s.api.apps.v1.ReplicaSetSpec": _values(replicas=1),
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec": _autoscaler,
    "io.k8s.api.batch.v1.JobSpec": _job,
    "io.k8s.api.networking.v1.NetworkPolicyPort": _values(protocol="TCP"),
    "io.k8s.api.rbac.v1.RoleRef": _values(apiGroup="rbac.authorization.k8s.io"),
    "io.k8s.api.admissionregistration.v1.ValidatingWebhook": _webhook,
    "io.k8s.api.admissionregistration.v1.MutatingWebhook": _mutating_webhook,
    "io.k8s.api.admissionregistration.v1.RuleWithOperations": _values(scope="*"),
    "io.k8s.api.admissionregistration.v1.ServiceReference": _values(port=443),
}
