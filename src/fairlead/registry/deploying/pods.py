"""Pods and events as clients see them on sockets. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fairlead.registry.deploying.place import Document
from fairlead.registry.deploying.statuses import pod_state

Json = dict[str, Any]
_RUNNER = "yatai.ai/bento-deployment-component-name"


def shown(pods: Iterable[Document], events: Sequence[Document]) -> list[Json]:
    """Pods by name, each with the warnings that there are about it."""
    return [_pod(pod, events) for pod in sorted(pods, key=lambda each: str(each["metadata"]["name"]))]


def _pod(pod: Document, events: Sequence[Document]) -> Json:
    meta, status = pod["metadata"], pod.get("status") or {}
    state, reason = pod_state(pod)
    return {
        "name": meta["name"],
        "namespace": meta.get("namespace", ""),
        "annotations": dict(meta.get("annotations") or {}),
        "labels": dict(meta.get("labels") or {}),
        "node_name": (pod.get("spec") or {}).get("nodeName") or "",
        "runner_name": (meta.get("labels") or {}).get(_RUNNER, ""),
        "deployment_target": None,
        "commit_id": "",
        "status": {
            "phase": status.get("phase") or "Unknown",
            "ready": _is_ready(status),
            "start_time": status.get("startTime"),
            "is_old": False,
            "is_canary": False,
            "host_ip": status.get("hostIP") or "",
        },
        "raw_status": dict(status),
        "pod_status": {
            "status": state.value,
            "phase": status.get("phase") or "Unknown",
            "reason": reason,
            "container_states": [each.get("state") or {} for each in status.get("containerStatuses") or ()],
        },
        "warnings": [event for event in events if event.get("type") == "Warning" and _is_about(event, [meta["name"]])],
    }


def _is_ready(status: Mapping[str, Any]) -> bool:
    conditions = status.get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def events_about(events: Iterable[Document], names: Sequence[str]) -> list[Json]:
    """Events of objects with these names, the oldest first; of all objects when there are no names."""
    found = [dict(event) for event in events if not names or _is_about(event, names)]
    return sorted(found, key=lambda event: str(event.get("lastTimestamp") or ""))


def _is_about(event: Document, names: Sequence[str]) -> bool:
    return (event.get("involvedObject") or {}).get("name") in names


def selectors(text: str) -> list[dict[str, str]]:
    """Label selectors with `;` between, of which a pod must match one. Raises `ValueError`: only equality is known."""
    return [_selector(part) for part in text.split(";") if part.strip()]


def _selector(text: str) -> dict[str, str]:
    found = {}
    for term in text.split(","):
        key, equals, value = term.partition("=")
        if not equals or not key.strip() or "!" in key:
            raise ValueError(f"selector {text!r}: expected key=value, with commas between")
        found[key.strip()] = value.strip().removeprefix("=")
    return found
