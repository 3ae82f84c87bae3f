"""The kinds of objects that the operator reads and writes, as the API names and places them.

A kind goes by group and kind; its version is whatever the cluster serves. The table holds what our own objects can be:
an object of a kind that is not here is refused, because nobody would ever see or remove it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class TypeKey(NamedTuple):
    """A kind, whatever its version."""

    group: str
    kind: str


class ObjectKey(NamedTuple):
    """One object. The namespace of a cluster-wide one is empty."""

    group: str
    kind: str
    namespace: str
    name: str

    @property
    def type(self) -> TypeKey:
        """Its kind."""
        return TypeKey(self.group, self.kind)

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceType:
    """A kind as the cluster serves it. `versions` are those that do for us, the best first."""

    group: str
    versions: tuple[str, ...]
    kind: str
    plural: str
    is_namespaced: bool = True

    @property
    def key(self) -> TypeKey:
        """How it goes in our tables."""
        return TypeKey(self.group, self.kind)

    @property
    def api_version(self) -> str:
        """The best version, as objects write it."""
        return f"{self.group}/{self.versions[0]}" if self.group else self.versions[0]

    def path(self, namespace: str = "", name: str = "", *, subresource: str = "") -> str:
        """Where its objects are; without a namespace those of all."""
        parts = [f"/apis/{self.group}" if self.group else "/api", self.versions[0]]
        if self.is_namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        return "/".join([*parts, *(part for part in (name, subresource) if part)])


def _type(group: str, versions: str, kind: str, plural: str) -> ResourceType:
    return ResourceType(group=group, versions=tuple(versions.split()), kind=kind, plural=plural)


DEPLOYMENT = _type("apps", "v1", "Deployment", "deployments")
REPLICA_SET = _type("apps", "v1", "ReplicaSet", "replicasets")
SERVICE = _type("", "v1", "Service", "services")
CONFIG_MAP = _type("", "v1", "ConfigMap", "configmaps")
SECRET = _type("", "v1", "Secret", "secrets")
SERVICE_ACCOUNT = _type("", "v1", "ServiceAccount", "serviceaccounts")
JOB = _type("batch", "v1", "Job", "jobs")
POD = _type("", "v1", "Pod", "pods")
EVENT = _type("", "v1", "Event", "events")
LEASE = _type("coordination.k8s.io", "v1", "Lease", "leases")
NAMESPACE = ResourceType(group="", versions=("v1",), kind="Namespace", plural="namespaces", is_namespaced=False)
DEFINITION = ResourceType(
    group="apiextensions.k8s.io",
    versions=("v1",),
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    is_namespaced=False,
)
KNATIVE_SERVICE = _type("serving.knative.dev", "v1", "Service", "services")

OWNED: tuple[ResourceType, ...] = (
    CONFIG_MAP,
    SERVICE,
    DEPLOYMENT,
    JOB,
    _type("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    _type("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    _type("networking.k8s.io", "v1", "Ingress", "ingresses"),
    _type("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    _type("gateway.networking.k8s.io", "v1 v1beta1", "HTTPRoute", "httproutes"),
    _type("gateway.networking.k8s.io", "v1 v1alpha2", "GRPCRoute", "grpcroutes"),
    _type("gateway.networking.k8s.io", "v1 v1alpha3", "BackendTLSPolicy", "backendtlspolicies"),
    _type("networking.istio.io", "v1 v1beta1 v1alpha3", "VirtualService", "virtualservices"),
    _type("networking.istio.io", "v1 v1beta1 v1alpha3", "DestinationRule", "destinationrules"),
    _type("getambassador.io", "v2 v3alpha1", "Mapping", "mappings"),
    _type("getambassador.io", "v2 v3alpha1", "TLSContext", "tlscontexts"),
    _type("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects"),
    _type("opentelemetry.io", "v1beta1", "OpenTelemetryCollector", "opentelemetrycollectors"),
    KNATIVE_SERVICE,
)
"""What a resource of ours can own."""

REFERENCES: tuple[ResourceType, ...] = (CONFIG_MAP, SECRET, SERVICE_ACCOUNT)
"""What manifests refer to by name."""


def key_of(doc: Mapping[str, Any]) -> ObjectKey:
    """The key of a complete document."""
    metadata = doc["metadata"]
    group, _, version = str(doc.get("apiVersion", "")).rpartition("/")
    del version
    return ObjectKey(group, str(doc.get("kind", "")), metadata.get("namespace") or "", metadata["name"])
