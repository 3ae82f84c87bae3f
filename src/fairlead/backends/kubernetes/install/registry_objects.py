"""The registry in a cluster (`registry.enabled`): a Deployment, its Service, and a claim for what it keeps.

With `registry.existingSecret` its database and store are elsewhere: the Secret's keys are its settings and credentials
as environment variables, and `secret_key` is a file, so that several of it sign alike. Without one it is a single
process on a claim. With `registry.deploys` its clients deploy to the cluster, and it has an account with the rights
that this takes and no others; without, it asks the cluster for nothing and has none.
"""

from typing import Any

from fairlead.backends.kubernetes.install.installation import Installation
from fairlead.backends.kubernetes.install.rbac import READ, granted, rule
from fairlead.dialects.registered import SERVICE

Json = dict[str, Any]
_PORT, _SERVICE_PORT = 8090, 80
_IMAGE_USER = 8888
_FOLDER = "/data"
_KEY = "secret_key"
_COMPONENT = {"app.kubernetes.io/component": "registry"}
_KEPT = (*READ, "create", "update", "delete")


def objects(installation: Installation) -> list[Json]:
    """All of it, where it is asked for."""
    if not installation.value("registry.enabled"):
        return []
    made = [*claim(installation), service(installation), deployment(installation)]
    return [*account(installation), *rights(installation), *made]


def account(installation: Installation) -> list[Json]:
    """The identity that it deploys with."""
    if not installation.value("registry.deploys"):
        return []
    return [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(installation)}]


def work_rules() -> list[Json]:
    """What deployments take: their objects, and a look at what becomes of them."""
    return [
        rule(["serving.yatai.ai"], ["bentodeployments"], _KEPT),
        rule(["resources.yatai.ai"], ["bentorequests"], _KEPT),
        rule(["resources.yatai.ai"], ["bentoes"], ("get",)),
        rule([""], ["pods", "events"], READ),
        rule([""], ["pods/log"], ("get",)),
        # Models that they fetch from the registry are not removed from it.
        rule(["machinelearning.seldon.io"], ["seldondeployments"], ("list",)),
        rule(["serving.kserve.io"], ["inferenceservices", "trainedmodels"], ("list",)),
    ]


def secret_rule() -> Json:
    """Secrets of its clients. Rights cannot tell these from others, so they are asked for on their own."""
    return rule([""], ["secrets"], ("get", "list", "create", "update", "delete"))


def rights(installation: Installation) -> list[Json]:
    """Its role and binding: of the cluster, where it also makes the namespaces that are deployed to, or of its own
    namespace."""
    if not (installation.value("registry.deploys") and installation.value("rbac.create")):
        return []
    rules = [*work_rules(), *([secret_rule()] if installation.value("registry.deploySecrets") else [])]
    namespace = installation.namespace
    if installation.value("singleNamespace"):
        return granted("Role", _metadata(installation), rules, account=SERVICE, namespace=namespace)
    metadata = {"name": f"{installation.cluster_name}.registry", "labels": _labels(installation)}
    rules.append(rule([""], ["namespaces"], ("create",)))
    return granted("ClusterRole", metadata, rules, account=SERVICE, namespace=namespace)


def claim(installation: Installation) -> list[Json]:
    """What it keeps, when that is not elsewhere."""
    if installation.value("registry.existingSecret"):
        return []
    spec: Json = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": installation.value("registry.storage.size")}},
    }
    if name := installation.value("registry.storage.className"):
        spec["storageClassName"] = name
    # Helm would delete it with the release, as `uninstall` does not.
    metadata = {**_metadata(installation), "annotations": {"helm.sh/resource-policy": "keep"}}
    return [{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}]


def service(installation: Installation) -> Json:
    """Where clients and workloads reach it."""
    port = {"name": "http", "port": _SERVICE_PORT, "targetPort": "http", "protocol": "TCP"}
    spec = {"selector": _selector(installation), "ports": [port]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(installation), "spec": spec}


def deployment(installation: Installation) -> Json:
    """The registry. One on a claim ends before the next begins, since both would write the same files."""
    is_elsewhere = bool(installation.value("registry.existingSecret"))
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(installation),
        "spec": {
            "replicas": installation.value("registry.replicas") if is_elsewhere else 1,
            "selector": {"matchLabels": _selector(installation)},
            "strategy": {"type": "RollingUpdate" if is_elsewhere else "Recreate"},
            "template": {"metadata": {"labels": _labels(installation)}, "spec": pod(installation)},
        },
    }


def pod(installation: Installation) -> Json:
    """Its pods."""
    identity: Json = {"automountServiceAccountToken": False}
    if installation.value("registry.deploys"):
        identity = {"serviceAccountName": SERVICE}
    spec: Json = {
        **identity,
        "containers": [_container(installation)],
        "volumes": [{"name": "data", **_data(installation)}, {"name": "tmp", "emptyDir": {}}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _IMAGE_USER,
            "fsGroup": _IMAGE_USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if secret := installation.value("registry.existingSecret"):
        items = [{"key": _KEY, "path": _KEY}]
        spec["volumes"].append({"name": "key", "secret": {"secretName": secret, "items": items}})
    if secrets := installation.value("image.pullSecrets"):
        spec["imagePullSecrets"] = [one if isinstance(one, dict) else {"name": one} for one in secrets]
    return spec


def _data(installation: Installation) -> Json:
    if installation.value("registry.existingSecret"):
        return {"emptyDir": {}}
    return {"persistentVolumeClaim": {"claimName": SERVICE}}


def _arguments(installation: Installation) -> list[str]:
    arguments = ["registry", "serve", "--host=0.0.0.0", f"--port={_PORT}", f"--home={_FOLDER}"]
    if not installation.value("registry.deploys"):
        return arguments
    is_single = installation.value("singleNamespace")
    return [*arguments, "--deploys", *([f"--namespace={installation.namespace}"] if is_single else [])]


def _container(installation: Installation) -> Json:
    container: Json = {
        "name": "registry",
        "image": installation.settings.image,
        "imagePullPolicy": installation.value("image.pullPolicy"),
        "args": _arguments(installation),
        "ports": [{"name": "http", "containerPort": _PORT, "protocol": "TCP"}],
        "livenessProbe": _probe(failures=6),
        "readinessProbe": _probe(failures=1),
        "resources": installation.value("registry.resources"),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "data", "mountPath": _FOLDER},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 (the pod's own)
        ],
    }
    if secret := installation.value("registry.existingSecret"):
        container["envFrom"] = [{"secretRef": {"name": secret}}]
        path = f"{_FOLDER}/registry/{_KEY}"
        container["volumeMounts"].append({"name": "key", "mountPath": path, "subPath": _KEY, "readOnly": True})
    return container


def _probe(*, failures: int) -> Json:
    return {
        "httpGet": {"path": "/healthz", "port": "http"},
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
    return installation.metadata(SERVICE, labels=_labels(installation))
