"""The gateway of a cluster without Knative (`ownGateway.enabled`): a Deployment, its Service, and what it may do.

It reads what it routes to, writes how many replicas there are, and writes its own addresses behind Services. Nothing
lets it change what runs.
"""

from typing import Any

from fairlead.backends.kubernetes.install.installation import Installation
from fairlead.backends.kubernetes.install.rbac import READ, granted, rule
from fairlead.backends.kubernetes.render.own_gateway import GATEWAY, PORT

Json = dict[str, Any]
LEASE = "gateway.fairlead.dev"
_PORT, _HEALTH_PORT, _DEMAND_PORT = 8080, 8081, 8082
_IMAGE_USER = 8888
_LINGER_S, _GRACE_S = 5, 30
_COMPONENT = {"app.kubernetes.io/component": "gateway"}


def objects(installation: Installation) -> list[Json]:
    """All of it, where it is asked for."""
    if not installation.value("ownGateway.enabled"):
        return []
    return [*account(installation), *rights(installation), service(installation), deployment(installation)]


def account(installation: Installation) -> list[Json]:
    """The identity that the gateway has."""
    return [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(installation)}]


def work_rules() -> list[Json]:
    """What the work needs, wherever the workloads are."""
    return [
        rule([""], ["services", "pods"], READ),
        rule(["apps"], ["deployments"], READ),
        rule(["apps"], ["deployments/scale"], ("update",)),
        rule([""], ["endpoints"], (*READ, "create", "patch")),
    ]


def cluster_rules() -> list[Json]:
    """Knative's settings of its autoscaler, in their own namespace."""
    return [rule([""], ["configmaps"], READ, "config-autoscaler")]


def own_rules() -> list[Json]:
    """Its lease, and the other gateways."""
    return [
        rule(["coordination.k8s.io"], ["leases"], ("create",)),
        rule(["coordination.k8s.io"], ["leases"], ("get", "update"), LEASE),
        rule([""], ["pods"], READ),
    ]


def rights(installation: Installation) -> list[Json]:
    """Roles and bindings. In an installation of one namespace its work is in that one alone."""
    if not installation.value("rbac.create"):
        return []
    is_single = installation.value("singleNamespace")
    of_cluster = [*([] if is_single else work_rules()), *cluster_rules()]
    own = [*(work_rules() if is_single else []), *own_rules()]
    metadata = {"name": f"{installation.cluster_name}.gateway", "labels": _labels(installation)}
    namespace = installation.namespace
    return [
        *granted("ClusterRole", metadata, of_cluster, account=GATEWAY, namespace=namespace),
        *granted("Role", _metadata(installation), own, account=GATEWAY, namespace=namespace),
    ]


def service(installation: Installation) -> Json:
    """Where requests for any workload may come in, and metrics are."""
    port = {"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}
    spec = {"selector": _selector(installation), "ports": [port]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(installation), "spec": spec}


def deployment(installation: Installation) -> Json:
    """The gateway. A new one is ready before the old one goes, so requests are taken through an upgrade."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(installation),
        "spec": {
            "replicas": installation.value("ownGateway.replicas"),
            "selector": {"matchLabels": _selector(installation)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {"metadata": {"labels": _labels(installation)}, "spec": _pod(installation)},
        },
    }


def _pod(installation: Installation) -> Json:
    spec: Json = {
        "serviceAccountName": GATEWAY,
        "containers": [_container(installation)],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _IMAGE_USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": _LINGER_S + _GRACE_S + 10,
    }
    if secrets := installation.value("image.pullSecrets"):
        spec["imagePullSecrets"] = [one if isinstance(one, dict) else {"name": one} for one in secrets]
    return spec


def _container(installation: Installation) -> Json:
    arguments = ["gateway", f"--cluster-domain={installation.settings.cluster_domain}"]
    arguments += [f"--linger={_LINGER_S}", f"--grace={_GRACE_S}"]
    if installation.value("singleNamespace"):
        arguments.append(f"--namespace={installation.namespace}")
    return {
        "name": "gateway",
        "image": installation.settings.image,
        "imagePullPolicy": installation.value("image.pullPolicy"),
        "args": arguments,
        "env": [_field("POD_NAME", "metadata.name"), _field("POD_NAMESPACE", "metadata.namespace")],
        "ports": [_named("http", _PORT), _named("health", _HEALTH_PORT), _named("demand", _DEMAND_PORT)],
        "livenessProbe": _probe("/healthz", failures=6),
        "readinessProbe": _probe("/readyz", failures=1),
        "resources": installation.value("ownGateway.resources"),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 (the pod's own)
    }


def _field(name: str, path: str) -> Json:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _named(name: str, number: int) -> Json:
    return {"name": name, "containerPort": number, "protocol": "TCP"}


def _probe(path: str, *, failures: int) -> Json:
    return {
        "httpGet": {"path": path, "port": "health"},
        "initialDelaySeconds": 1,
        "periodSeconds": 3,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


def _labels(installation: Installation) -> dict[str, str]:
    return {**installation.labels, **_COMPONENT}


def _selector(installation: Installation) -> dict[str, str]:
    return {**installation.selector, **_COMPONENT}


def _metadata(installation: Installation) -> Json:
    return installation.metadata(GATEWAY, labels=_labels(installation))
