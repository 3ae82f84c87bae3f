"""How the cluster's own controllers write: at once, each under its own manager's name, and only what changed."""

from typing import Any

from support.cluster import builtin, metadata
from support.cluster.applying import Writer, after_update
from support.cluster.kinds import Resource
from support.cluster.state import State
from support.cluster.structure import Shape, copied

Document = dict[str, Any]
CONTROLLER = "kube-controller-manager"


def create(state: State, resource: Resource, document: Document, *, manager: str = CONTROLLER) -> Document:
    """A new object, defaulted and stored."""
    meta = metadata.begun(
        document["metadata"], now=state.now(), random=state.random, has_generation=resource.has_generation
    )
    version = resource.versions[0]
    head = {"apiVersion": resource.api_version(version), "kind": resource.kind}
    shape = Shape(is_custom=resource.is_custom)
    new = shape.walk({**head, **copied(document), "metadata": meta}, resource.schemas[version])
    if shape.problems or shape.mismatches or shape.unknown:
        raise AssertionError(f"a controller of the double made a wrong object: {shape}")
    builtin.prepare(resource.key, new, None, state.allocator)
    return state.put(
        resource.key, after_update(None, new, resource.schemas[version], _writer(state, resource, manager))
    )


def change(state: State, resource: Resource, old: Document, new: Document, *, manager: str = CONTROLLER) -> bool:
    """A changed specification; whether anything differs."""
    if new == old:
        return False
    generation = old["metadata"].get("generation")
    if generation and old.get("spec") != new.get("spec"):
        new = {**new, "metadata": {**new["metadata"], "generation": generation + 1}}
    schema = resource.schemas[resource.versions[0]]
    state.put(resource.key, after_update(old, new, schema, _writer(state, resource, manager)))
    return True


def set_status(state: State, resource: Resource, old: Document, status: Document, *, manager: str = CONTROLLER) -> bool:
    """A new status; whether it differs."""
    if (old.get("status") or {}) == status:
        return False
    writer = _writer(state, resource, manager, subresource="status")
    schema = resource.schemas[resource.versions[0]]
    state.put(resource.key, after_update(old, {**old, "status": status}, schema, writer))
    return True


def _writer(state: State, resource: Resource, manager: str, subresource: str = "") -> Writer:
    return Writer(
        manager=manager,
        api_version=resource.api_version(resource.versions[0]),
        now=state.now(),
        subresource=subresource,
        ignored=("f:status",) if resource.has_status else (),
    )


def owner(resource: Resource, document: Document) -> Document:
    """A reference to the object as the controller of another."""
    return {
        "apiVersion": resource.api_version(resource.versions[0]),
        "kind": resource.kind,
        "name": document["metadata"]["name"],
        "uid": document["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(
    old: Document | None, kind: str, status: bool | None, reason: str, message: str, now: str, **more: Any
) -> Document:
    """A condition; the time stays while the status does."""
    word = "Unknown" if status is None else str(status)
    before = next((item for item in (old or {}).get("conditions") or () if item["type"] == kind), None)
    since = before["lastTransitionTime"] if before and before["status"] == word else now
    found = {"type": kind, "status": word, "reason": reason, "message": message, "lastTransitionTime": since}
    return {**{key: value for key, value in found.items() if value}, **more}


def is_controlled_by(document: Document, uid: str) -> bool:
    """Whether the object with this uid is its controller."""
    return any(
        item["uid"] == uid and item.get("controller") for item in document["metadata"].get("ownerReferences") or ()
    )


def is_going(document: Document) -> bool:
    """Whether it is being deleted."""
    return "deletionTimestamp" in document["metadata"]
