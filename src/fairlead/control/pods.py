"""Replicas shown as pods, so that kubectl and Kubernetes clients can list them. Read-only and pure.

A pod here is one worker process (and what it needs beside it). Times come in as seconds since the epoch and
leave as RFC 3339, as Kubernetes writes them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fairlead.plan.model import Component, Plan, Unit
from fairlead.plan.status import ComponentStatus, PlanStatus, ReplicaState, ReplicaStatus

_PHASES = {
    ReplicaState.NEW: "Pending",
    ReplicaState.STARTING: "Running",
    ReplicaState.READY: "Running",
    ReplicaState.DRAINING: "Running",
    ReplicaState.GONE: "Failed",
}


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC with whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pods_of(plan: Plan, status: PlanStatus, *, node: str) -> list[dict[str, Any]]:
    """One pod for each replica of a plan, in the order of its components."""
    components = {component.name: component for component in plan.components}
    return [
        _pod(plan, components.get(state.component), state, replica, node=node)
        for state in status.components
        for replica in state.replicas
    ]


def _pod(
    plan: Plan, component: Component | None, state: ComponentStatus, replica: ReplicaStatus, *, node: str
) -> dict[str, Any]:
    created = timestamp(replica.started_at)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": replica.name,
            "namespace": plan.owner.namespace,
            "uid": f"{plan.owner.uid}-{replica.name}",
            "creationTimestamp": created,
            "labels": _labels(plan, component, state, replica),
            "annotations": {"fairlead.dev/pid": str(replica.pid)} if replica.pid else {},
            "ownerReferences": [_owner_reference(plan)],
        },
        "spec": {
            "nodeName": node,
            "containers": [{"name": name, "image": unit.image} for name, unit in _containers(component)],
        },
        "status": {
            "phase": _PHASES[replica.state],
            "startTime": created,
            "conditions": _conditions(replica, created),
            "containerStatuses": [_container_status(name, unit, replica) for name, unit in _containers(component)],
            **_why(replica),
        },
    }


def _containers(component: Component | None) -> list[tuple[str, Unit]]:
    """The units with the names of their containers."""
    if component is None:
        return []
    names = dict(component.containers)
    return [(names.get(unit.name, unit.name), unit) for unit in component.revision.units]


def _labels(
    plan: Plan, component: Component | None, state: ComponentStatus, replica: ReplicaStatus
) -> Mapping[str, str]:
    labels = dict(plan.labels)
    if component is not None:
        labels |= dict(component.labels)
    return labels | {
        "fairlead.dev/service": plan.owner.name,
        "fairlead.dev/component": state.component,
        "fairlead.dev/revision": replica.revision,
    }


def _owner_reference(plan: Plan) -> dict[str, Any]:
    return {
        "apiVersion": plan.owner.api_version,
        "kind": plan.owner.kind,
        "name": plan.owner.name,
        "uid": plan.owner.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _conditions(replica: ReplicaStatus, created: str) -> list[dict[str, str]]:
    ready = "True" if replica.state is ReplicaState.READY else "False"
    return [{"type": kind, "status": ready, "lastTransitionTime": created} for kind in ("Ready", "ContainersReady")]


def _container_status(name: str, unit: Unit, replica: ReplicaStatus) -> dict[str, Any]:
    failed_here = replica.cause is not None and replica.cause.unit in ("", unit.name)
    return {
        "name": name,
        "image": unit.image,
        "imageID": "",
        "ready": replica.state is ReplicaState.READY,
        "restartCount": replica.restarts,
        "started": replica.state in (ReplicaState.READY, ReplicaState.DRAINING),
        "state": _container_state(replica, failed_here=failed_here),
    }


def _container_state(replica: ReplicaStatus, *, failed_here: bool) -> dict[str, Any]:
    if replica.state in (ReplicaState.READY, ReplicaState.DRAINING):
        return {"running": {"startedAt": timestamp(replica.started_at)}}
    if replica.cause is not None and failed_here:
        return {"waiting": {"reason": replica.cause.reason, "message": replica.cause.message}}
    return {"waiting": {"reason": "ContainerCreating"}}


def _why(replica: ReplicaStatus) -> dict[str, str]:
    if replica.cause is None:
        return {}
    return {"reason": replica.cause.reason, "message": replica.cause.message}
