"""The pod of a graph: one container that asks the graph's services, each at its URL."""

from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.graph.cluster.resolving import resolved
from fairlead.dialects.kserve.graph.lower import PROPAGATED
from fairlead.dialects.kserve.graph.options import FUSE, RETRIES, read_options
from fairlead.dialects.kserve.graph.schema import KIND, InferenceGraph
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import PodTemplate

PORT = 8080
_READY = {
    "httpGet": {"path": "/readyz", "port": PORT, "scheme": "HTTP"},
    "initialDelaySeconds": 5,
    "timeoutSeconds": 2,
    "periodSeconds": 5,
    "failureThreshold": 3,
    "successThreshold": 1,
}
_NOT_COPIED = frozenset(("kubectl.kubernetes.io/last-applied-configuration", "serving.kserve.io/stop"))


def labels_of(graph: InferenceGraph) -> dict[str, str]:
    """The labels of everything that a graph has."""
    fixed = {"serving.kserve.io/inferencegraph": graph.metadata.name, "serving.kserve.io/kind": KIND}
    return {**graph.metadata.labels, **fixed}


def annotations_of(graph: InferenceGraph) -> dict[str, str]:
    """The annotations of its pods."""
    return {key: value for key, value in graph.metadata.annotations.items() if key not in _NOT_COPIED}


def router_pod(graph: InferenceGraph, doc: Document, site: Site, findings: Findings) -> PodTemplate:
    """The pod. Raises `ServiceMissing` and `NoProtocol`."""
    container, config = _container(graph, doc, site, findings), site.config.router
    secrets = [{"name": name} for name in (*config.image_pull_secrets, *_own_secrets(container["image"], site))]
    fields = {
        "containers": [container],
        **{key: doc["spec"][key] for key in ("affinity", "tolerations", "nodeSelector") if doc["spec"].get(key)},
        **({"nodeName": graph.spec.node_name} if graph.spec.node_name else {}),
        **({"serviceAccountName": graph.spec.service_account_name} if graph.spec.service_account_name else {}),
        **({"imagePullSecrets": secrets} if secrets else {}),
    }
    own = frozenset((container["name"],)) if site.is_ours(container["image"]) else frozenset()
    return PodTemplate(spec=fields, labels=labels_of(graph), annotations=annotations_of(graph), own=own)


def _container(graph: InferenceGraph, doc: Document, site: Site, findings: Findings) -> dict[str, Any]:
    config = site.config.router
    image = config.image or site.settings.image_of("router")
    options = read_options(graph.metadata.annotations, findings)
    if options.retries:
        findings.warn(f"annotation {RETRIES} is not used in a cluster: its network has rules for that")
    if options.is_fused:
        findings.warn(f"annotation {FUSE} is not used in a cluster: services are asked where they are")
    headers = (*config.headers.propagate, *options.headers)
    return {
        "name": graph.metadata.name,
        "image": image,
        # An image of somebody else's is a router; ours is one when it is told so.
        **({"command": ["fairlead", "router"]} if site.is_ours(image) else {}),
        "args": ["--graph-json", resolved(graph, doc, site)],
        **({"env": [{"name": PROPAGATED, "value": ",".join(headers)}]} if headers else {}),
        "imagePullPolicy": config.image_pull_policy or site.settings.image_pull_policy,
        "readinessProbe": _READY,
        "resources": doc["spec"].get("resources") or _resources(site),
    }


def _own_secrets(image: str, site: Site) -> tuple[str, ...]:
    known = site.config.router.image_pull_secrets
    return tuple(name for name in site.settings.image_pull_secrets if name not in known) if site.is_ours(image) else ()


def _resources(site: Site) -> dict[str, Any]:
    config = site.config.router
    return {
        "requests": {"cpu": config.cpu_request, "memory": config.memory_request},
        "limits": {"cpu": config.cpu_limit, "memory": config.memory_limit},
    }
