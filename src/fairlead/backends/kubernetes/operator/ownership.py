"""Whose an object is, and how one that the upstream operators left behind becomes ours without its pods noticing.

Everything is pure: judgements about a live object, and the document or patch that follows from them.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from fairlead.plan.model import Owner

MANAGER = "fairlead"
"""Our field manager: the one name under which everything is applied."""

UPSTREAM_MANAGERS: frozenset[str] = frozenset({"manager", "seldon-manager", "kserve-controller-manager"})
"""Field managers of the upstream operators: the API takes it from the name of the program, which is `/manager` in the
images of both."""

Json = dict[str, Any]


class Whose(Enum):
    """What an object that has the name we want is to us."""

    OURS = "ours"
    NOBODYS = "nobodys"
    ANOTHERS = "anothers"
    LEAVING = "leaving"
    """Of an owner of our owner's name that is no more: the garbage collector is about to take it."""


def whose(live: Mapping[str, Any], owner: Owner) -> Whose:
    """Judge by the controller reference."""
    reference = controller_of(live)
    if reference is None:
        return Whose.NOBODYS
    if reference.get("uid") == owner.uid:
        return Whose.OURS
    if reference.get("kind") == owner.kind and reference.get("name") == owner.name:
        return Whose.LEAVING
    return Whose.ANOTHERS


def controller_of(live: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The owner that controls an object."""
    references = live["metadata"].get("ownerReferences") or ()
    return next((one for one in references if one.get("controller")), None)


def takeover(live: Mapping[str, Any]) -> Sequence[Json]:
    """A JSON patch that makes the fields which an upstream operator wrote ours, so that the next apply removes those
    that we do not want; empty when there are none. Without it a container that only they had would stay beside ours
    for good. (What `kubectl` does when it moves from client-side to server-side apply.)"""
    managers = live["metadata"].get("managedFields") or []
    theirs = [one for one in managers if _is_upstreams(one)]
    if not theirs:
        return ()
    ours = next((one for one in managers if is_applied_by_us(one)), None)
    fields: Json = dict((ours or {}).get("fieldsV1") or {})
    for one in theirs:
        fields = _union(fields, one.get("fieldsV1") or {})
    entry = {
        "manager": MANAGER,
        "operation": "Apply",
        "apiVersion": live["apiVersion"],
        "time": max(str(one.get("time") or "") for one in theirs),
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    kept = [one for one in managers if one is not ours and not _is_upstreams(one)]
    return (
        {"op": "test", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
        {"op": "replace", "path": "/metadata/managedFields", "value": [*kept, entry]},
    )


def is_applied_by_us(entry: Mapping[str, Any]) -> bool:
    """Whether this entry of `managedFields` is that of our applies."""
    return entry.get("manager") == MANAGER and entry.get("operation") == "Apply" and not entry.get("subresource")


def replicas_to_hand_over(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> int | None:
    """How many replicas a workload has that is no longer ours to count: a field that its only manager gives up falls to
    its default, so one replica would be left until the autoscaler looks. Somebody else must own the number before."""
    if "replicas" not in (live.get("spec") or {}) or "replicas" in (wanted.get("spec") or {}):
        return None
    managers = live["metadata"].get("managedFields") or ()
    losing = [one for one in managers if is_applied_by_us(one) or _is_upstreams(one)]
    is_ours = any("f:replicas" in ((one.get("fieldsV1") or {}).get("f:spec") or {}) for one in losing)
    return int(live["spec"]["replicas"]) if is_ours else None


def selector_of(deployment: Mapping[str, Any]) -> Mapping[str, str]:
    """The labels by which a Deployment knows its pods."""
    return (deployment["spec"].get("selector") or {}).get("matchLabels") or {}


def with_selector_of(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """The wanted Deployment with the selector that the live one has, which nobody may change, if the new pods can
    have its labels too. If they cannot it is as it was, and the Deployment has to be replaced."""
    old, spec = selector_of(live), wanted["spec"]
    template = spec["template"]
    metadata = template.get("metadata") or {}
    labels = metadata.get("labels") or {}
    if old == selector_of(wanted) or not old or any(labels.get(name, value) != value for name, value in old.items()):
        return wanted
    pods = {**template, "metadata": {**metadata, "labels": {**labels, **old}}}
    return {**wanted, "spec": {**spec, "selector": {"matchLabels": dict(old)}, "template": pods}}


def _is_upstreams(entry: Mapping[str, Any]) -> bool:
    return (
        entry.get("manager") in UPSTREAM_MANAGERS
        and entry.get("operation") == "Update"
        and not entry.get("subresource")
    )


def _union(one: Json, other: Mapping[str, Any]) -> Json:
    merged = dict(one)
    for name, value in other.items():
        merged[name] = _union(merged[name], value) if name in merged else value
    return merged
