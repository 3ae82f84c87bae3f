"""What an installation is without a values file: the `values.yaml` of the chart, and what a values file is laid over,
in Helm's way. Only what the objects of an installation are made from stands here; what manifests become has its
defaults where it is read.
"""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.clusters import DEFAULT_IMAGE, ClusterSettings
from fairlead.dialects.registered import TOKEN_SECRET

DEFAULTS: Mapping[str, Any] = {
    "image": {
        "repository": DEFAULT_IMAGE,
        "tag": "latest",
        "pullPolicy": ClusterSettings().image_pull_policy,
        "pullSecrets": [],
    },
    "operator": {
        "replicas": 1,
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "nodeSelector": {},
        "tolerations": [],
        "affinity": {},
        "priorityClassName": "",
        "podAnnotations": {},
        "podLabels": {},
        "podDisruptionBudget": {"enabled": False},
    },
    "serviceAccount": {"create": True, "name": "fairlead-operator", "annotations": {}},
    "rbac": {"create": True},
    "crd": {"create": True},
    "runtimes": {"create": True},
    "webhook": {"enabled": True, "port": 4443, "failurePolicy": "Fail", "timeoutSeconds": 10},
    "certManager": {"enabled": False},
    "metrics": {"port": 8080},
    "ownGateway": {
        "enabled": False,
        "replicas": 1,
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
    },
    "registry": {
        "enabled": False,
        "deploys": True,
        "deploySecrets": False,
        "url": "",
        "tokenSecret": TOKEN_SECRET,
        "existingSecret": "",
        "replicas": 1,
        "storage": {"size": "20Gi", "className": ""},
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
    },
    "hostNetwork": False,
    "singleNamespace": False,
    "controllerId": "",
}


def completed(given: Mapping[str, Any], defaults: Mapping[str, Any] = DEFAULTS) -> dict[str, Any]:
    """Values over the defaults: sections are merged, everything else is replaced, and null takes a default away."""
    merged = dict(defaults)
    for key, value in given.items():
        base = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            merged[key] = completed(value, base if isinstance(base, Mapping) else {})
        else:
            merged[key] = value
    return merged
