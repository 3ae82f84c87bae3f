"""Models of Fairlead's registry in a cluster's pods: what a container that fetches one is told of where it answers.

The token is read from a Secret of the pod's own namespace, which is the reader's to make: an installation hands no
token of its own to every namespace.
"""

from collections.abc import Iterable
from typing import Any

from fairlead.dialects.clusters import ClusterSettings

SCHEME = "fairlead://"
SERVICE = "fairlead-registry"
TOKEN_SECRET = "fairlead-registry-token"  # noqa: S105 - the name of a Secret
_URL, _TOKEN = "FAIRLEAD_REGISTRY_URL", "FAIRLEAD_REGISTRY_TOKEN"


def registry_env(settings: ClusterSettings, uris: Iterable[str]) -> list[dict[str, Any]]:
    """Variables for whoever fetches these, if one of them is the registry's."""
    if not any(uri.startswith(SCHEME) for uri in uris):
        return []
    name = str(settings.value("registry.tokenSecret", TOKEN_SECRET))
    token = {"secretKeyRef": {"name": name, "key": _TOKEN, "optional": True}}
    return [{"name": _URL, "value": registry_url(settings)}, {"name": _TOKEN, "valueFrom": token}]


def registry_url(settings: ClusterSettings) -> str:
    """Where the registry answers: as the values say, else the installation's own."""
    own = f"http://{SERVICE}.{settings.namespace}.svc.{settings.cluster_domain}"
    return str(settings.value("registry.url", "") or own)
