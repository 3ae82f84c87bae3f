"""From a cluster's objects to what the gateway is told: plans, who serves them, and the table. Pure.

A workload is a Service with an annotation and the Deployments of its revisions, as `render.own_gateway` writes them.
Requests are for the workload's name inside the cluster, for that with a tag before it, and for hosts outside that lead
here. What is for the latest revision goes to the newest one that was ready, so a new one gets requests when it can
answer them, and not before.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.backends.kubernetes.render.own_gateway import ANNOTATION, LABEL, REVISION, ROUTING
from fairlead.backends.local.scaling.watching import Key, Seen
from fairlead.backends.local.tables import Serving, service_of
from fairlead.dialects.kserve.annotations import Autoscaling, read_autoscaling
from fairlead.dialects.kserve.autoscaler_config import AutoscalerConfig
from fairlead.errors import InvalidManifest
from fairlead.plan.model import (
    Call,
    Component,
    ComponentName,
    Graph,
    Limits,
    Method,
    Owner,
    Plan,
    Protocol,
    Revision,
    Route,
    Target,
    UnitName,
)
from fairlead.plan.routing import Endpoint, RouteTable
from fairlead.plan.scaling import ScalePolicy
from fairlead.plan.status import ComponentStatus, Phase, PlanStatus
from fairlead.pods.gateway.addresses import address_of

Json = Mapping[str, Any]
TIMEOUT_S = 300.0
"""What a request may take when its workload does not say, as with Knative."""
KIND = "Workload"
_WAITING = 1000
_ALL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What holds for every workload."""

    config: AutoscalerConfig
    cluster_domain: str = "cluster.local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One workload as the gateway has it. `plan` lists all of its revisions, `pods` the ready ones of each."""

    plan: Plan
    status: PlanStatus
    pods: Mapping[str, tuple[Endpoint, ...]]
    fixed: frozenset[str] = frozenset()
    """Revisions whose replicas are somebody else's business."""

    def seen(self) -> Iterator[tuple[Key, Component, Seen]]:
        """Each revision with the replicas it has."""
        key = f"{KIND}/{self.plan.owner.namespace}/{self.plan.owner.name}"
        for component, state in zip(self.plan.components, self.status.components, strict=True):
            if component.name not in self.fixed:
                yield (key, component.name), component, Seen(desired=state.desired, ready=state.ready)


def workload_of(service: Json, deployments: Iterable[Json], pods: Iterable[Json], settings: Settings) -> Workload:
    """One workload, from its Service, its Deployments and its pods."""
    metadata = service["metadata"]
    routing = _read(service, ROUTING)
    revisions = {str(one["metadata"]["name"]): one for one in sorted(deployments, key=_number) if _is_wanted(one)}
    ready = _ready_pods(pods)
    latest = _latest(revisions, ready)
    shares = _shares(routing, latest, revisions)
    reachable = {str(share["revision"]) for share in shares}
    components, fixed = [], set()
    for name, deployment in revisions.items():
        component, is_ours = _component(name, deployment, settings, routing, is_reachable=name in reachable)
        components.append(component)
        if not is_ours:
            fixed.add(name)
    owner = Owner(api_version="v1", kind=KIND, namespace=str(metadata["namespace"]), name=str(metadata["name"]))
    plan = Plan(owner=owner, components=tuple(components), routes=tuple(_routes(owner, routing, shares, settings)))
    states = tuple(_state(one, revisions[one.name], ready.get(one.name, ())) for one in components)
    status = PlanStatus(owner=owner, components=states, routed=True)
    return Workload(plan=plan, status=status, pods=ready, fixed=frozenset(fixed))


def table_of(workloads: Iterable[Workload]) -> RouteTable:
    """The gateway's table."""
    services = [
        service_of(one.plan, one.status, {name: Serving(endpoints=pods) for name, pods in one.pods.items()})
        for one in workloads
    ]
    return RouteTable(services=tuple(sorted(services, key=lambda service: service.identity)))


def _ready_pods(pods: Iterable[Json]) -> dict[str, tuple[Endpoint, ...]]:
    found: dict[str, list[Endpoint]] = {}
    for pod in pods:
        address = address_of(pod) if _is_ready(pod) else None
        if address is not None:
            name, revision = str(pod["metadata"]["name"]), str(pod["metadata"]["labels"].get(REVISION, ""))
            found.setdefault(revision, []).append(Endpoint(replica=name, frames=str(address)))
    return {name: tuple(sorted(each, key=lambda one: one.replica)) for name, each in found.items()}


def _is_ready(pod: Json) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _is_wanted(deployment: Json) -> bool:
    return not deployment["metadata"].get("deletionTimestamp")


def _number(deployment: Json) -> tuple[int, str]:
    name = str(deployment["metadata"]["name"])
    found = re.search(r"-(\d+)$", name)
    return int(found[1]) if found else 0, name


def _latest(revisions: Mapping[str, Json], ready: Mapping[str, object]) -> str:
    """The newest revision that was ready; the newest while none was, so that requests wait for it."""
    names = list(revisions)
    was_ready = [name for name in names if name in ready or _is_available(revisions[name])]
    return (was_ready or names or [""])[-1]


def _is_available(deployment: Json) -> bool:
    conditions = (deployment.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Available" and one.get("status") == "True" for one in conditions)


def _shares(routing: Json, latest: str, revisions: Mapping[str, Json]) -> list[dict[str, Any]]:
    """Shares by revisions that there are. What is gone leaves its share to the latest one."""
    asked = routing.get("traffic") or [{"percent": _ALL}]
    shares = []
    for one in asked:
        named = str(one.get("revision") or latest)
        shares.append({**one, "revision": named if named in revisions else latest})
    return [one for one in shares if one["revision"]]


def _component(
    name: str, deployment: Json, settings: Settings, routing: Json, *, is_reachable: bool
) -> tuple[Component, bool]:
    """A revision, and whether its replicas are ours to write."""
    said = _read(deployment, ANNOTATION)
    concurrency, config = int(said.get("concurrency") or 0), settings.config
    try:
        asked = read_autoscaling(said.get("annotations") or {}, config, container_concurrency=concurrency)
    except InvalidManifest:
        asked = read_autoscaling({}, config, container_concurrency=concurrency)
    revision = Revision(
        hash=name,
        units=(),
        graph=Graph(root=Call(unit=UnitName(name), method=Method.PREDICT)),
        protocol=Protocol.RAW,
        limits=Limits(concurrency=concurrency, waiting=_WAITING),
    )
    spec = deployment.get("spec") or {}
    component = Component(
        name=ComponentName(name),
        full_name=name,
        revision=revision,
        scale=_scale(asked, config, is_reachable=is_reachable),
        progress_deadline_s=float(spec.get("progressDeadlineSeconds") or 600),
        patience_s=float(routing.get("timeoutSeconds") or TIMEOUT_S),
    )
    return component, not asked.is_horizontal


def _scale(asked: Autoscaling, config: AutoscalerConfig, *, is_reachable: bool) -> ScalePolicy:
    most = config.max_scale if asked.max_replicas is None else asked.max_replicas
    if config.max_scale_limit:
        most = min(most or config.max_scale_limit, config.max_scale_limit)
    return ScalePolicy(
        min_replicas=config.min_scale if asked.min_replicas is None else asked.min_replicas,
        max_replicas=most,
        initial_replicas=config.initial_scale if asked.initial_replicas is None else asked.initial_replicas,
        auto=asked.scaling,
        is_reachable=is_reachable,
    )


def _state(component: Component, deployment: Json, ready: Sequence[Endpoint]) -> ComponentStatus:
    replicas = (deployment.get("spec") or {}).get("replicas")
    return ComponentStatus(
        component=component.name,
        full_name=component.full_name,
        revision=component.revision.hash,
        phase=Phase.READY if ready else Phase.PENDING,
        desired=1 if replicas is None else int(replicas),
        ready=len(ready),
    )


def _routes(owner: Owner, routing: Json, shares: Sequence[Json], settings: Settings) -> Iterator[Route]:
    timeout_s = float(routing.get("timeoutSeconds") or TIMEOUT_S)
    by_host: dict[str, tuple[Target, ...]] = {}
    everybody = _targets(shares)
    for name in _names(owner.name, owner.namespace, settings.cluster_domain):
        by_host[name] = everybody
    for share in shares:
        tag = str(share.get("tag") or "")
        for name in _names(f"{tag}-{owner.name}", owner.namespace, settings.cluster_domain) if tag else ():
            by_host[name] = _targets([{**share, "percent": _ALL}])
    for host, targets in by_host.items():
        yield _route(host, "", targets, timeout_s)
    for one in routing.get("hosts") or ():
        targets = by_host.get(str(one.get("as") or ""), everybody)
        yield _route(str(one["host"]), str(one.get("path") or ""), targets, timeout_s)


def _route(host: str, pattern: str, targets: tuple[Target, ...], timeout_s: float) -> Route:
    return Route(host=host, path_pattern=pattern, targets=targets, timeout_s=timeout_s, grpc_timeout_s=timeout_s)


def _targets(shares: Iterable[Json]) -> tuple[Target, ...]:
    weights: dict[str, int] = {}
    for share in shares:
        name = str(share["revision"])
        weights[name] = weights.get(name, 0) + int(share.get("percent") or 0)
    return tuple(Target(component=ComponentName(name), weight=weight) for name, weight in weights.items())


def _names(name: str, namespace: str, domain: str) -> tuple[str, ...]:
    return f"{name}.{namespace}.svc.{domain}", f"{name}.{namespace}.svc", f"{name}.{namespace}"


def _read(doc: Json, annotation: str) -> Json:
    try:
        found = json.loads((doc["metadata"].get("annotations") or {}).get(annotation) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def workload_name(doc: Json) -> tuple[str, str]:
    """The workload that an object belongs to: namespace and name."""
    metadata = doc["metadata"]
    return str(metadata.get("namespace") or ""), str((metadata.get("labels") or {}).get(LABEL, ""))
