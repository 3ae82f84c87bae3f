"""Which kinds the double serves: the built-in ones of this table, and those that CustomResourceDefinitions add."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fairlead.dialects.base import Column
from support.cluster.schemas import OBJECT_META, BuiltIns, Schema

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Where the scale subresource reads and writes, as JSON paths."""

    replicas: str = ".spec.replicas"
    status_replicas: str = ".status.replicas"
    selector: str = ".status.labelSelector"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind as it is served."""

    group: str
    kind: str
    plural: str
    singular: str
    schemas: dict[str, Schema] = field(repr=False)
    is_namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    is_custom: bool = False
    has_status: bool = True
    scale: Scale | None = None
    columns: dict[str, tuple[Column, ...]] = field(default_factory=dict)
    list_kind: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.group, self.plural

    @property
    def versions(self) -> tuple[str, ...]:
        """Those that are served; the first is preferred."""
        return tuple(self.schemas)

    @property
    def has_generation(self) -> bool:
        """Whether the kind counts changes of its specification."""
        return self.is_custom or self.kind in _COUNTED

    def api_version(self, version: str) -> str:
        return f"{self.group}/{version}" if self.group else version


_COUNTED = frozenset(
    (
        "Deployment",
        "ReplicaSet",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "CronJob",
        "Ingress",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "CustomResourceDefinition",
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
        "Pod",
    )
)

_ADMISSION, _RBAC, _COORDINATION = "admissionregistration.k8s.io", "rbac.authorization.k8s.io", "coordination.k8s.io"
_APIEXTENSIONS = "apiextensions.k8s.io"

# Group, versions, kind, plural, short names and flags: c = of the cluster, s = with a status, r = can be scaled,
# a = of `kubectl get all`.
_TABLE: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("", "v1", "Namespace", "namespaces", "ns", "cs"),
    ("", "v1", "Node", "nodes", "no", "cs"),
    ("", "v1", "Pod", "pods", "po", "sa"),
    ("", "v1", "Service", "services", "svc", "sa"),
    ("", "v1", "ConfigMap", "configmaps", "cm", ""),
    ("", "v1", "Secret", "secrets", "", ""),
    ("", "v1", "ServiceAccount", "serviceaccounts", "sa", ""),
    ("", "v1", "Event", "events", "ev", ""),
    ("", "v1", "PersistentVolume", "persistentvolumes", "pv", "cs"),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", "s"),
    ("", "v1", "ResourceQuota", "resourcequotas", "quota", "s"),
    ("", "v1", "LimitRange", "limitranges", "limits", ""),
    ("", "v1", "Endpoints", "endpoints", "ep", ""),
    ("apps", "v1", "Deployment", "deployments", "deploy", "sra"),
    ("apps", "v1", "ReplicaSet", "replicasets", "rs", "sra"),
    ("apps", "v1", "StatefulSet", "statefulsets", "sts", "sra"),
    ("apps", "v1", "DaemonSet", "daemonsets", "ds", "sa"),
    ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", "sa"),
    ("batch", "v1", "Job", "jobs", "", "sa"),
    ("batch", "v1", "CronJob", "cronjobs", "cj", "sa"),
    ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb", "s"),
    ("networking.k8s.io", "v1", "Ingress", "ingresses", "ing", "s"),
    ("networking.k8s.io", "v1", "IngressClass", "ingressclasses", "", "c"),
    ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", "netpol", ""),
    ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "", ""),
    ("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", "pc", "c"),
    ("storage.k8s.io", "v1", "StorageClass", "storageclasses", "sc", "c"),
    ("events.k8s.io", "v1", "Event", "events", "ev", ""),
    (_COORDINATION, "v1", "Lease", "leases", "", ""),
    (_RBAC, "v1", "Role", "roles", "", ""),
    (_RBAC, "v1", "RoleBinding", "rolebindings", "", ""),
    (_RBAC, "v1", "ClusterRole", "clusterroles", "", "c"),
    (_RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", "", "c"),
    (_ADMISSION, "v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", "", "c"),
    (_ADMISSION, "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "", "c"),
    (_APIEXTENSIONS, "v1", "CustomResourceDefinition", "customresourcedefinitions", "crd crds", "cs"),
)
CRD = (_APIEXTENSIONS, "customresourcedefinitions")


def _built_in(schemas: BuiltIns, row: tuple[str, str, str, str, str, str]) -> Resource:
    group, versions, kind, plural, short, flags = row
    found = {version: schemas.find(group, version, kind) or {} for version in versions.split()}
    return Resource(
        group=group,
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        schemas=found,
        is_namespaced="c" not in flags,
        short_names=tuple(short.split()),
        categories=("all",) if "a" in flags else (),
        has_status="s" in flags,
        scale=Scale(selector="") if "r" in flags else None,
        list_kind=f"{kind}List",
    )


class Kinds:
    """The kinds served now."""

    def __init__(self, schemas: BuiltIns) -> None:
        self._schemas = schemas
        self._known: dict[tuple[str, str], Resource] = {}
        for row in _TABLE:
            self.add(_built_in(schemas, row))

    def __iter__(self) -> Iterator[Resource]:
        return iter(list(self._known.values()))

    def add(self, resource: Resource) -> None:
        """Serve a kind, or serve it differently."""
        self._known[resource.key] = resource

    def remove(self, key: tuple[str, str]) -> None:
        """Serve a kind no more."""
        self._known.pop(key, None)

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """By the words of a path."""
        found = self._known.get((group, plural))
        return found if found is not None and version in found.schemas else None

    def by_key(self, key: tuple[str, str]) -> Resource | None:
        """By group and plural."""
        return self._known.get(key)

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """By what a document says about itself."""
        group, _, version = api_version.rpartition("/")
        return next(
            (item for item in self if (item.group, item.kind) == (group, kind) and version in item.schemas), None
        )

    def groups(self) -> dict[str, list[str]]:
        """Every group with its versions, the core group first."""
        found: dict[str, list[str]] = {}
        for resource in self:
            versions = found.setdefault(resource.group, [])
            versions += [version for version in resource.versions if version not in versions]
        return {group: sorted(versions, key=_priority, reverse=True) for group, versions in found.items()}

    def custom(self, crd: Document) -> Resource:
        """What a CustomResourceDefinition asks to serve."""
        spec, names = crd["spec"], crd["spec"]["names"]
        served = sorted((item for item in spec["versions"] if item.get("served")), key=_version_priority, reverse=True)
        stored = next(item for item in spec["versions"] if item.get("storage"))
        below = stored.get("subresources") or {}
        return Resource(
            group=spec["group"],
            kind=names["kind"],
            plural=names["plural"],
            singular=names.get("singular") or names["kind"].lower(),
            schemas={item["name"]: self._root(item) for item in served},
            is_namespaced=spec["scope"] == "Namespaced",
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            is_custom=True,
            has_status="status" in below,
            scale=_scale(below["scale"]) if "scale" in below else None,
            columns={item["name"]: tuple(_columns(item)) for item in served},
            list_kind=names.get("listKind") or f"{names['kind']}List",
        )

    def _root(self, version: Document) -> Schema:
        declared = (version.get("schema") or {}).get("openAPIV3Schema") or {}
        meta = self._schemas.definition(OBJECT_META)
        text = {"type": "string"}
        return {
            **declared,
            "properties": {**declared.get("properties", {}), "apiVersion": text, "kind": text, "metadata": meta},
        }


def _scale(written: Document) -> Scale:
    return Scale(
        replicas=written["specReplicasPath"],
        status_replicas=written["statusReplicasPath"],
        selector=written.get("labelSelectorPath", ""),
    )


def _columns(version: Document) -> Iterable[Column]:
    for item in version.get("additionalPrinterColumns") or ():
        yield Column(
            name=item["name"],
            type=item["type"],
            path=item["jsonPath"],
            priority=item.get("priority", 0),
            description=item.get("description", ""),
        )


def _version_priority(version: Document) -> tuple[int, int, int]:
    return _priority(version["name"])


def _priority(name: str) -> tuple[int, int, int]:
    """v2 before v1 before v1beta2 before v1beta1 before v1alpha1, as Kubernetes sorts versions."""
    head, _, minor = name.removeprefix("v").replace("beta", "~b~").replace("alpha", "~a~").partition("~")
    if not head.isdigit():
        return (0, 0, 0)
    stage, _, number = minor.partition("~")
    return ({"": 3, "b": 2, "a": 1}.get(stage, 0), int(head), int(number or 0))
