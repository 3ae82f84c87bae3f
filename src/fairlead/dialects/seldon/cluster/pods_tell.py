"""Why a Deployment is not ready, as its pods tell: an image that cannot be had, a crash with its last words, no node
to run on. One sentence, of the newest pod that complains."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fairlead.dialects.base import Document
from fairlead.plan.layout import Workload

_LONGEST = 500
_QUIET = frozenset({"ContainerCreating", "PodInitializing", ""})


def complaint(workload: Workload, pods: Sequence[Document]) -> str:
    """What the newest of a workload's pods says that has something to say; empty when none has."""
    for pod in pods:
        labels = (pod.get("metadata") or {}).get("labels") or {}
        if all(labels.get(name) == value for name, value in workload.selector.items()):
            told = _of_pod(pod)
            if told:
                return told[:_LONGEST]
    return ""


def _of_pod(pod: Document) -> str:
    status = pod.get("status") or {}
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"no node takes its pod: {condition.get('message') or condition.get('reason')}"
    for container in _containers(status):
        told = _of_container(container)
        if told:
            return f"container {container.get('name')}: {told}"
    return str(status.get("message") or "")


def _containers(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from status.get("initContainerStatuses") or []
    yield from status.get("containerStatuses") or []


def _of_container(container: Mapping[str, Any]) -> str:
    """What holds it up now, with the last words of the time before."""
    state = container.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    before = (container.get("lastState") or {}).get("terminated") or {}
    reason = str(waiting.get("reason") or "")
    if reason not in _QUIET:
        words = _last_words(before) or str(waiting.get("message") or "")
        return f"{reason}: {words}" if words else reason
    if ended and ended.get("exitCode"):
        return f"ended with {ended['exitCode']}: {_last_words(ended) or ended.get('reason') or 'no message'}"
    return ""


def _last_words(ended: Mapping[str, Any]) -> str:
    """The last lines a container left, on one."""
    message = str(ended.get("message") or "").strip()
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return lines[-1] if lines else str(ended.get("reason") or "")
