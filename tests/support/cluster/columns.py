"""What `kubectl get` shows of each kind."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from fairlead.control.api import tables
from fairlead.control.api.tables import Layout
from fairlead.dialects.base import Column
from support.cluster.kinds import Resource

Document = dict[str, Any]


def layout(resource: Resource, version: str) -> Layout:
    """The columns of a kind: its own table, those of its definition, or just an age."""
    if resource.key in _OWN:
        return _OWN[resource.key]
    return tables.layout_of(resource.columns.get(version) or _SIMPLE.get(resource.key, ()))


def _column(name: str, path: str, kind: str = "string") -> Column:
    return Column(name=name, type=kind, path=path)


_SIMPLE: dict[tuple[str, str], tuple[Column, ...]] = {
    ("", "namespaces"): (_column("Status", ".status.phase"),),
    ("", "services"): (
        _column("Type", ".spec.type"),
        _column("Cluster-IP", ".spec.clusterIP"),
        _column("Port(s)", ".spec.ports[*].port"),
    ),
    ("", "secrets"): (_column("Type", ".type"),),
    ("apps", "replicasets"): (
        _column("Desired", ".spec.replicas", "integer"),
        _column("Current", ".status.replicas", "integer"),
        _column("Ready", ".status.readyReplicas", "integer"),
    ),
    ("autoscaling", "horizontalpodautoscalers"): (
        _column("Reference", ".spec.scaleTargetRef.name"),
        _column("MinPods", ".spec.minReplicas", "integer"),
        _column("MaxPods", ".spec.maxReplicas", "integer"),
        _column("Replicas", ".status.currentReplicas", "integer"),
    ),
    ("apiextensions.k8s.io", "customresourcedefinitions"): (_column("Created At", ".metadata.creationTimestamp"),),
}


def _age(document: Document, now: datetime) -> str:
    return tables.age(document["metadata"].get("creationTimestamp"), now)


def _deployment(document: Document, now: datetime) -> list[Any]:
    status = document.get("status") or {}
    ready = f"{status.get('readyReplicas', 0)}/{document['spec'].get('replicas', 1)}"
    return [ready, status.get("updatedReplicas", 0), status.get("availableReplicas", 0), _age(document, now)]


def _pod(document: Document, now: datetime) -> list[Any]:
    states = (document.get("status") or {}).get("containerStatuses") or ()
    ready = f"{sum(bool(state.get('ready')) for state in states)}/{len(document['spec']['containers'])}"
    waiting = [state["state"]["waiting"]["reason"] for state in states if "waiting" in (state.get("state") or {})]
    phase = waiting[0] if waiting else (document.get("status") or {}).get("phase", "Unknown")
    restarts = sum(state.get("restartCount", 0) for state in states)
    return [ready, phase, restarts, _age(document, now)]


def _own(cells: Callable[[Document, datetime], list[Any]], *names: str) -> Layout:
    return Layout(tuple(_column(name, "") for name in (*names, "Age")), cells)


_OWN: dict[tuple[str, str], Layout] = {
    ("apps", "deployments"): _own(_deployment, "Ready", "Up-to-date", "Available"),
    ("", "pods"): _own(_pod, "Ready", "Status", "Restarts"),
}
