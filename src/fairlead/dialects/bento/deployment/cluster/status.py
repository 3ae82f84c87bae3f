"""The status of a BentoDeployment, of what a cluster has of its layout. `Available` means that its pods answer."""

from collections.abc import Iterable, Mapping
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.bento.conditions import Condition, written
from fairlead.dialects.bento.deployment.bentos import BentoNotReady, find
from fairlead.dialects.bento.deployment.cluster.sleeping import newest
from fairlead.dialects.bento.deployment.cluster.ways import UNKNOWN_SUFFIX, host_of
from fairlead.dialects.bento.deployment.labels import SELECTOR
from fairlead.dialects.bento.deployment.lower import AVAILABLE
from fairlead.dialects.bento.deployment.schema import BentoDeployment
from fairlead.dialects.bento.deployment.status import selector_of, states
from fairlead.dialects.bento.deployment.to_shown import COUNTS
from fairlead.dialects.bento.network import MAGIC_DNS
from fairlead.dialects.bento.site import Site
from fairlead.dialects.clusters import Observed
from fairlead.plan.layout import Labels, Layout, OnDemandWorkload

_BAD = ("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError", "InvalidImageName")


def cluster_status(
    deployment: BentoDeployment, doc: Document, layout: Layout, observed: Observed, site: Site, *, now: str
) -> dict[str, Any]:
    """The new status; transition times of conditions that stay are those of the document's own."""
    found = find(deployment.spec.bento, deployment.metadata.namespace, site.world)
    state = _state(deployment, layout, observed)
    conditions = [*states(state), *found.conditions(deployment.spec.bento)]
    status: dict[str, Any] = {
        "conditions": written(conditions, doc.get("status") or {}, now=now),
        "podSelector": selector_of(deployment),
        **_counts(_server(deployment, layout, observed)),
        "observedGeneration": deployment.metadata.generation,
    }
    url = _url(deployment, doc, layout, observed, site)
    return {**status, "url": url} if url else status


def _state(deployment: BentoDeployment, layout: Layout, observed: Observed) -> Condition:
    if not layout.workloads and not layout.on_demand:
        error = BentoNotReady(deployment.spec.bento, "it has just been asked for")
        return Condition(type=AVAILABLE, is_true=False, reason=error.reason, message=str(error))
    told = [
        _missing(one.name, observed.get("Deployment", one.name), one.selector, observed) for one in layout.workloads
    ]
    told += [_missing(one.name, newest(one.name, observed), _selector(one), observed) for one in layout.on_demand]
    missing = [text for text in told if text]
    if not missing and _sleeps(layout, observed):
        message = f"{deployment.metadata.name} is at zero replicas; the next request starts one"
        return Condition(type=AVAILABLE, is_true=True, reason="ScaledToZero", message=message)
    if not missing:
        return Condition(type=AVAILABLE, is_true=True, reason="PodsReady", message="every Deployment's pods answer")
    return Condition(type=AVAILABLE, is_true=False, reason="PodsNotReady", message="; ".join(missing))


def _server(deployment: BentoDeployment, layout: Layout, observed: Observed) -> Document | None:
    """The Deployment of the API server."""
    name = deployment.metadata.name
    return newest(name, observed) if layout.on_demand else observed.get("Deployment", name)


def _sleeps(layout: Layout, observed: Observed) -> bool:
    found = [newest(one.name, observed) or {} for one in layout.on_demand]
    return any((one.get("spec") or {}).get("replicas") == 0 for one in found)


def _selector(workload: OnDemandWorkload) -> Labels:
    return {SELECTOR: workload.pod.labels[SELECTOR]}


def _missing(name: str, found: Document | None, selector: Labels, observed: Observed) -> str:
    """Why a Deployment is not what it is to be; empty when it is."""
    if found is None:
        return f"Deployment {name}: not created yet"
    status, wanted = found.get("status") or {}, int((found.get("spec") or {}).get("replicas", 1))
    seen, generation = int(status.get("observedGeneration") or 0), int(found["metadata"].get("generation") or 0)
    ready, updated = int(status.get("readyReplicas") or 0), int(status.get("updatedReplicas") or 0)
    if seen >= generation and ready >= wanted and updated >= wanted and (ready or not wanted):
        return ""
    told = _complaint(selector, observed.pods)
    counted = (
        f"{ready} of {wanted} replicas ready" if ready < wanted else f"rolling out, {updated} of {wanted} replicas"
    )
    return f"Deployment {name}: {counted}{f': {told}' if told else ''}"


def _complaint(selector: Labels, pods: Iterable[Document]) -> str:
    """What the newest of its pods waits for."""
    for pod in pods:
        labels = pod["metadata"].get("labels") or {}
        if any(labels.get(name) != value for name, value in selector.items()):
            continue
        status = pod.get("status") or {}
        for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
            if text := _container(container):
                return text
        for condition in status.get("conditions") or ():
            if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
                return str(condition.get("message") or "not scheduled")
    return ""


def _container(container: Mapping[str, Any]) -> str:
    waiting = (container.get("state") or {}).get("waiting") or {}
    if waiting.get("reason") not in _BAD:
        return ""
    last = (container.get("lastState") or {}).get("terminated") or {}
    said = str(last.get("message") or waiting.get("message") or "").strip()
    return f"container {container.get('name')}: {waiting['reason']}{f', {said}' if said else ''}"


def _counts(found: Document | None) -> dict[str, int]:
    status = (found or {}).get("status") or {}
    return {name: int(status.get(name) or 0) for name in COUNTS} if found is not None else {}


def _url(deployment: BentoDeployment, doc: Document, layout: Layout, observed: Observed, site: Site) -> str:
    """By its host. One whose suffix is unknown gets it as soon as its Ingress tells an address."""
    if not layout.exposures:
        return ""
    host = host_of(deployment, doc, site.network, site)
    if host.endswith(UNKNOWN_SUFFIX):
        suffix = _found_suffix(observed.get("Ingress", deployment.metadata.name))
        host = f"{deployment.metadata.name}-{deployment.metadata.namespace}.{suffix}" if suffix else ""
    scheme = "https" if layout.exposures[0].certificate else "http"
    return f"{scheme}://{host}" if host else ""


def _found_suffix(ingress: Document | None) -> str:
    balancer = ((ingress or {}).get("status") or {}).get("loadBalancer") or {}
    address = next((str(one["ip"]) for one in balancer.get("ingress") or () if one.get("ip")), "")
    return f"{address.replace(':', '-')}.{MAGIC_DNS}" if address else ""
