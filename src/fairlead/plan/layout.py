"""The layout: how one resource lies in a cluster, in words that belong to no dialect.

A plan says what to run; it does not say into how many pods a manifest cuts it, what the objects are called, which
labels scripts select by, or what else a user wrote into a pod. That is what a front-end adds here, for the back-end
whose place is a cluster: it decides how each of these values is written there (which kind of route, which kind of
scaler, how strictly a container is confined) and writes it. Pod specs, metrics of scalers and the like are kept as the
JSON that users wrote, because every field of them is theirs.

Values are frozen, comparable and printable; nothing here reads a file, a clock or the environment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fairlead.plan.model import Owner

Json = Mapping[str, Any]
"""Part of a Kubernetes object, as the API writes it."""
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTemplate:
    """What each pod of a workload is made from: `spec` is a complete PodSpec. `own` names the containers (init
    containers too) that run our image, which can be confined more strictly than those whose image is somebody else's.
    """

    spec: Json
    labels: Labels = field(default_factory=dict)
    annotations: Labels = field(default_factory=dict)
    own: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class HorizontalScaler:
    """Scale by the metrics API: `metrics` and `behavior` in the form of autoscaling/v2."""

    min_replicas: int | None
    max_replicas: int
    metrics: tuple[Json, ...] = ()
    behavior: Json | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventScaler:
    """Scale by KEDA: the spec of a ScaledObject without its `scaleTargetRef`."""

    spec: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many pods may be taken away at once; a number or a percentage as text."""

    min_available: int | str | None = None
    max_unavailable: int | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Pods that are always there: a Deployment, with what scales and protects it. Its scaler and budget have its name.
    `replicas` is `None` when something else decides."""

    name: str
    pod: PodTemplate
    selector: Labels
    labels: Labels = field(default_factory=dict)
    annotations: Labels = field(default_factory=dict)
    replicas: int | None = None
    strategy: Json | None = None
    progress_deadline_s: int | None = None
    history: int | None = None
    scaler: HorizontalScaler | EventScaler | None = None
    budget: Budget | None = None
    component: str = ""
    """The manifest's word for the part of the resource that it serves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Pods that run to their end: a Job. `spec` is a JobSpec without its template. What it does never changes: another
    task has another name."""

    name: str
    pod: PodTemplate
    spec: Json = field(default_factory=dict)
    labels: Labels = field(default_factory=dict)
    annotations: Labels = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Of the requests for an `OnDemandWorkload`: `revision` is empty for the latest one."""

    percent: int
    revision: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDemandWorkload:
    """Pods that come with requests and go without, in revisions: a Knative Service, or where there is no Knative a
    Deployment behind our own gateway. `annotations` are the service's, `pod.annotations` the revisions', which say how
    it scales in Knative's words. It needs no `Service`: it brings its own."""

    name: str
    pod: PodTemplate
    labels: Labels = field(default_factory=dict)
    annotations: Labels = field(default_factory=dict)
    concurrency: int | None = None
    timeout_s: int | None = None
    traffic: tuple[Share, ...] = ()
    component: str = ""
    kept: tuple[str, ...] = ()
    """Revisions that may be asked for again, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """A port of a Service and where it leads: a container port's number or name."""

    port: int
    target: int | str
    name: str = ""
    app_protocol: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A name inside the cluster. With `external_name` it stands for another, and has neither selector nor ports of its
    own pods. One that `has_unready` leads to pods that are not ready, too: to those that wait for each other."""

    name: str
    selector: Labels = field(default_factory=dict)
    ports: tuple[ServicePort, ...] = ()
    labels: Labels = field(default_factory=dict)
    annotations: Labels = field(default_factory=dict)
    is_headless: bool = False
    has_unready: bool = False
    external_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backing:
    """A share of a rule's requests: a Service (of the layout, or any other of the namespace; with dots, a host name
    elsewhere) and its port. `name` is the manifest's word for what stands behind it. `subset` are labels of the pods
    meant, for routers that select by them. `weight` is relative; zero gets none."""

    service: str
    port: int
    name: str = ""
    weight: int = 100
    subset: Labels = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderRule:
    """A header that must have this value, or match this regular expression."""

    name: str
    value: str
    is_regex: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Copying:
    """Requests are sent to this one too, and its answers dropped. `percent` of `None` means all of them."""

    to: Backing
    percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """Try again when the first answer is a failure of the way there (`on` in Envoy's words)."""

    attempts: int
    per_try_timeout_s: float | None = None
    on: str = "gateway-error,connect-failure,refused-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Requests that match (all of what is given) go to the backings by weight. `is_grpc` says that they are gRPC calls.
    `path_prefix` ends at a segment; `path_pattern` is a regular expression of the whole path. `rewrite` replaces the
    prefix. `name` tells the rules of an exposure apart (`rest`, `grpc`). `hosts` are those of the exposure's that the
    rule is for, where one object holds the rules of several (an Ingress); empty for all. A header `Host` among
    `set_headers` is the authority that the backing is asked by."""

    name: str
    backings: tuple[Backing, ...]
    path_prefix: str = ""
    path_pattern: str = ""
    headers: tuple[HeaderRule, ...] = ()
    rewrite: str | None = None
    set_headers: Labels = field(default_factory=dict)
    copying: Copying | None = None
    timeout_s: float | None = None
    retries: Retries | None = None
    is_grpc: bool = False
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AmbassadorTuning:
    """What Ambassador alone can do for an exposure: which of its installations takes it, headers to match, circuit
    breakers by their names there (`max_connections`), and a whole configuration that replaces ours."""

    id: str = ""
    header: tuple[str, str] | None = None
    regex_header: tuple[str, str] | None = None
    retries: int = 0
    circuit_breakers: Mapping[str, int] = field(default_factory=dict)
    config: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """A way in from outside the cluster. `hosts` empty means any. `gateways` are those asked for by the manifest, empty
    for the installation's. `family` is what names of routes start with where a router needs one object per backing. One
    that `is_after_ready` is written once every workload is. `ingress_class` is for plain Ingresses; empty for the
    installation's."""

    name: str
    rules: tuple[Rule, ...]
    hosts: tuple[str, ...] = ()
    labels: Labels = field(default_factory=dict)
    annotations: Labels = field(default_factory=dict)
    gateways: tuple[str, ...] = ()
    family: str = ""
    is_after_ready: bool = False
    ambassador: AmbassadorTuning | None = None
    tls_mode: str = ""
    tls_secret: str = ""
    ingress_class: str = ""
    certificate: str = ""
    """Secret with what clients are shown, for plain Ingresses; other routers have it at their gateway."""
    path_type: str = ""
    """How plain Ingresses match paths that nothing else says it of; by prefix when empty."""


class Routing(StrEnum):
    """Which objects an installation's ways in are written as."""

    GATEWAY_API = "gateway-api"
    ISTIO = "istio"
    AMBASSADOR = "ambassador"
    INGRESS = "ingress"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Everything one resource has in a cluster, but for what it only refers to. `configs` are ConfigMaps and other
    small objects, complete but for namespace and owner. `mentions` are the objects that it refers to and whose change
    may change it: (kind, name)."""

    owner: Owner
    workloads: tuple[Workload, ...] = ()
    on_demand: tuple[OnDemandWorkload, ...] = ()
    tasks: tuple[Task, ...] = ()
    services: tuple[Service, ...] = ()
    exposures: tuple[Exposure, ...] = ()
    configs: tuple[Json, ...] = ()
    routing: Routing | None = None
    """Where the dialect's own configuration says how; `None` leaves it to the installation."""
    warnings: tuple[str, ...] = ()
    mentions: tuple[tuple[str, str], ...] = ()
    is_frozen: bool = False
    """Objects that are there are left as they are: what is new is not the document, but what it refers to."""
