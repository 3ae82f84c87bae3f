"""The operator as a Deployment, and what stands around it: account, values, certificate, Services, budget."""

import hashlib
from typing import Any

from fairlead.backends.kubernetes.install.installation import (
    CERTIFICATE_SECRET,
    HEALTH_PORT,
    METRICS_SERVICE,
    OPERATOR,
    VALUES_CONFIG_MAP,
    VALUES_FILE,
    WEBHOOK_SERVICE,
    Installation,
)

Json = dict[str, Any]
_VALUES_FOLDER = "/etc/fairlead"
_IMAGE_USER = 8888


def account(installation: Installation) -> list[Json]:
    """The identity that the operator has."""
    if not installation.value("serviceAccount.create"):
        return []
    metadata = installation.metadata(installation.account)
    if annotations := installation.value("serviceAccount.annotations"):
        metadata["annotations"] = annotations
    return [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}]


def belongings(installation: Installation) -> list[Json]:
    """The values; and the Secret for the certificate, empty, so that the operator needs no right to create Secrets.
    cert-manager makes its own."""
    values = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": installation.metadata(VALUES_CONFIG_MAP),
        "data": {VALUES_FILE: installation.values_text()},
    }
    if not installation.value("webhook.enabled") or installation.value("certManager.enabled"):
        return [values]
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": installation.metadata(CERTIFICATE_SECRET)}
    return [values, {**secret, "type": "Opaque"}]


def services(installation: Installation) -> list[Json]:
    """Where the API server asks and where Prometheus does."""
    webhook = _service(installation, WEBHOOK_SERVICE, {"name": "https", "port": 443, "targetPort": "webhook"})
    metrics_port = installation.value("metrics.port")
    metrics = _service(
        installation, METRICS_SERVICE, {"name": "metrics", "port": metrics_port, "targetPort": "metrics"}
    )
    return [webhook, metrics] if installation.value("webhook.enabled") else [metrics]


def _service(installation: Installation, name: str, port: Json) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": installation.metadata(name),
        "spec": {"selector": installation.selector, "ports": [{**port, "protocol": "TCP"}]},
    }


def deployment(installation: Installation) -> Json:
    """The operator. A new one is ready before the old one goes, so webhooks answer through an upgrade."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": installation.metadata(OPERATOR),
        "spec": {
            "replicas": installation.value("operator.replicas"),
            "selector": {"matchLabels": installation.selector},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": _pod(installation),
        },
    }


def _pod(installation: Installation) -> Json:
    digest = hashlib.sha256(installation.values_text().encode()).hexdigest()
    annotations = {"checksum/values": digest, **(installation.value("operator.podAnnotations") or {})}
    spec: Json = {
        "serviceAccountName": installation.account,
        "containers": [_container(installation)],
        "volumes": [
            {"name": "values", "configMap": {"name": VALUES_CONFIG_MAP}},
            {"name": "tmp", "emptyDir": {}},
        ],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _IMAGE_USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # As long as it may take to finish what is under way, and no longer: a successor waits for the lease.
        "terminationGracePeriodSeconds": 30,
    }
    if secrets := installation.value("image.pullSecrets"):
        spec["imagePullSecrets"] = [one if isinstance(one, dict) else {"name": one} for one in secrets]
    if installation.value("hostNetwork"):
        spec |= {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}
    for name in ("nodeSelector", "tolerations", "affinity", "priorityClassName"):
        if given := installation.value(f"operator.{name}"):
            spec[name] = given
    labels = {**installation.labels, **(installation.value("operator.podLabels") or {})}
    return {"metadata": {"labels": labels, "annotations": annotations}, "spec": spec}


def _container(installation: Installation) -> Json:
    arguments = ["operator", f"--values={_VALUES_FOLDER}/{VALUES_FILE}"]
    arguments += [f"--metrics-port={installation.value('metrics.port')}", f"--health-port={HEALTH_PORT}"]
    if installation.value("singleNamespace"):
        arguments.append(f"--namespace={installation.namespace}")
    ports = [_port("metrics", installation.value("metrics.port")), _port("health", HEALTH_PORT)]
    if installation.value("webhook.enabled"):
        arguments.append(f"--webhook-port={installation.value('webhook.port')}")
        ports.append(_port("webhook", installation.value("webhook.port")))
    return {
        "name": "operator",
        "image": installation.settings.image,
        "imagePullPolicy": installation.value("image.pullPolicy"),
        "args": arguments,
        # Where a library keeps things that it could do without; the user has no other home.
        "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108 (the pod's own)
        "ports": ports,
        "livenessProbe": _probe("/healthz", failures=6),
        "readinessProbe": _probe("/readyz", failures=3),
        "resources": installation.value("operator.resources"),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "values", "mountPath": _VALUES_FOLDER, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 (the pod's own)
        ],
    }


def _port(name: str, number: int) -> Json:
    return {"name": name, "containerPort": number, "protocol": "TCP"}


def _probe(path: str, *, failures: int) -> Json:
    return {
        "httpGet": {"path": path, "port": "health"},
        "initialDelaySeconds": 2,
        "periodSeconds": 5,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def budget(installation: Installation) -> list[Json]:
    """Nodes are drained one operator at a time. With a single replica that would keep a node from being drained."""
    if not installation.value("operator.podDisruptionBudget.enabled"):
        return []
    return [
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": installation.metadata(OPERATOR),
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": installation.selector}},
        }
    ]
