"""The status of an InferenceService in Standard mode: its Deployments judged by KServe's rules, canaries, and the
addresses of the whole."""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.clusters import Observed
from fairlead.dialects.kserve.deployments import deployment_condition
from fairlead.dialects.kserve.inference_service import told
from fairlead.dialects.kserve.inference_service.canaries import predictor_component, traffic_percents
from fairlead.dialects.kserve.inference_service.cluster.addresses import (
    Addresses,
    addresses_of,
    standard_address,
    standard_part_url,
    standard_url,
)
from fairlead.dialects.kserve.inference_service.cluster.model_states import Predicting, model_states
from fairlead.dialects.kserve.inference_service.cluster.multi_node import worker_name
from fairlead.dialects.kserve.inference_service.cluster.standard_ways import routing_of
from fairlead.dialects.kserve.inference_service.cluster.ways_status import standard_ingress_condition
from fairlead.dialects.kserve.inference_service.conditions import CANARY_READY, Condition, ready_type, write
from fairlead.dialects.kserve.inference_service.status_conditions import aggregate_all
from fairlead.dialects.kserve.inference_service.template import PREDICTOR
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import Layout, Workload

_KIND = "Deployment"


def standard_status(doc: Document, layout: Layout, observed: Observed, site: Site, *, now: str) -> dict[str, Any]:
    """The status without what it says of the model and its runtime."""
    addresses = addresses_of(doc, site)
    conditions = [_component(role, addresses, layout, observed) for role in addresses.roles]
    is_up = all(one.is_true for one in conditions)
    canaries = _canaries(doc, layout, observed, now=now)
    conditions += _canary_conditions(canaries)
    conditions.append(standard_ingress_condition(layout, observed, conditions, addresses.roles, routing_of(site)))
    written = {
        **(_addresses(addresses, layout) if is_up or told.status_of(doc).get("url") else {}),
        "components": _components(doc, addresses, conditions),
        "canaryStatuses": canaries,
        "conditions": write(aggregate_all(conditions), told.status_of(doc), now=now),
    }
    return {key: value for key, value in written.items() if value}


def pods_of(workload: Workload, observed: Observed) -> list[Document]:
    """The pods of a Deployment, newest first."""
    wanted = workload.selector.items()
    return [pod for pod in observed.pods if wanted <= (pod["metadata"].get("labels") or {}).items()]


def _component(role: str, addresses: Addresses, layout: Layout, observed: Observed) -> Condition:
    """Of a predictor of several nodes, both parts."""
    name = addresses.service(role)
    condition = deployment_condition(observed.get(_KIND, name), ready_type(role))
    below = worker_name(name)
    if not any(one.name == below for one in layout.workloads):
        return condition
    worker = deployment_condition(observed.get(_KIND, below), ready_type(role))
    parts = {f"{role}-container": condition, "worker-container": worker}
    first = next((one for one in parts.values() if one.is_true is not True), condition)
    messages = [f"{part}: {one.message}" for part, one in parts.items() if one.message]
    return Condition(type=first.type, is_true=first.is_true, reason=first.reason, message=", ".join(messages))


def _addresses(addresses: Addresses, layout: Layout) -> dict[str, Any]:
    return {
        "url": standard_url(addresses, layout.services),
        "address": {"url": standard_address(addresses, layout.services)},
    }


def _components(doc: Document, addresses: Addresses, conditions: Sequence[Condition]) -> dict[str, Any]:
    """The addresses of those that are, or have been, ready."""
    by_type = {one.type: one for one in conditions}
    return {
        role: {"url": standard_part_url(addresses, role)}
        for role in addresses.roles
        if by_type[ready_type(role)].is_true or told.has_url(doc, role)
    }


def _canaries(doc: Document, layout: Layout, observed: Observed, *, now: str) -> list[dict[str, Any]]:
    earlier = {one.get("name"): one for one in told.status_of(doc).get("canaryStatuses") or ()}
    workloads = {one.name: one for one in layout.workloads}
    found = []
    for name, percent in traffic_percents(doc).items():
        workload = workloads.get(f"{layout.owner.name}-{predictor_component(name)}")
        if workload is None:
            continue
        is_ready = _is_canary_ready(workload, observed)
        previous: Mapping[str, Any] = earlier.get(name, {}).get("modelStatus") or {}
        model = model_states(Predicting(pods=pods_of(workload, observed), is_ready=is_ready), previous, now=now)
        found.append({"name": name, "ready": is_ready, "trafficPercent": percent, "modelStatus": model})
    return found


def _is_canary_ready(workload: Workload, observed: Observed) -> bool:
    """A canary gets requests only while it answers; one that is meant to have no replica is as it should be."""
    deployment = observed.get(_KIND, workload.name)
    if deployment is None or deployment_condition(deployment, PREDICTOR).is_true is not True:
        return False
    return workload.replicas == 0 or bool((deployment.get("status") or {}).get("readyReplicas"))


def _canary_conditions(canaries: Sequence[Mapping[str, Any]]) -> list[Condition]:
    if not canaries:
        return []
    missing = [str(one["name"]) for one in canaries if not one["ready"]]
    if not missing:
        return [Condition(type=CANARY_READY, is_true=True, reason="AllCanariesReady")]
    message = f"not ready: {', '.join(missing)}"
    return [Condition(type=CANARY_READY, is_true=False, reason="CanariesNotReady", message=message)]
