"""Events: what happened to an object, for people. Repeats are counted, old ones go, and no object can flood the rest.

Decides only; the store writes. Kubernetes keeps events for an hour. Somebody who comes back to a laptop the next
morning wants to know what happened in the night, so here it is a day.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from fairlead.control.db import ObjectKey

EVENTS = ("", "events")
COMPONENT = "fairlead"


@dataclass(slots=True)
class _Known:
    key: ObjectKey
    involved_uid: str
    last: datetime


@dataclass(slots=True)
class EventBook:
    """Which events exist, oldest first, to know which to count up and which to drop."""

    keep_for: timedelta = timedelta(hours=24)
    per_object: int = 50
    limit: int = 5000
    _known: dict[ObjectKey, _Known] = field(default_factory=dict)
    _by_object: dict[str, dict[ObjectKey, None]] = field(default_factory=dict)

    def key_for(self, involved: Mapping[str, Any], *, reason: str, message: str, type_: str) -> ObjectKey:
        """Where an event goes: the same reason and message about the same object is the same event."""
        metadata = involved["metadata"]
        parts = "\0".join((metadata.get("uid", ""), reason, message, type_))
        digest = hashlib.sha256(parts.encode()).hexdigest()[:16]
        namespace = metadata.get("namespace") or "default"
        return ObjectKey(*EVENTS, namespace, f"{metadata['name'][:230]}.{digest}")

    def note(self, key: ObjectKey, document: Mapping[str, Any], now: datetime) -> None:
        """An event was written."""
        self.forget(key)
        uid = str(document.get("involvedObject", {}).get("uid", ""))
        self._known[key] = _Known(key, uid, _last_seen(document) or now)
        self._by_object.setdefault(uid, {})[key] = None

    def forget(self, key: ObjectKey) -> None:
        """An event is gone."""
        known = self._known.pop(key, None)
        if known is not None:
            keys = self._by_object[known.involved_uid]
            keys.pop(key, None)
            if not keys:
                del self._by_object[known.involved_uid]

    def to_drop(self, now: datetime, *, uid: str = "") -> Iterator[ObjectKey]:
        """Events over the bounds, given that `note` was called with what is being written now."""
        mine = list(self._by_object.get(uid, ()))
        dropped = set(mine[: max(0, len(mine) - self.per_object)])
        excess = len(self._known) - self.limit
        for index, known in enumerate(self._known.values()):
            if index >= excess and now - known.last <= self.keep_for:
                break
            dropped.add(known.key)
        yield from dropped


def event_document(
    key: ObjectKey, involved: Mapping[str, Any], *, reason: str, message: str, type_: str, now: str, component: str
) -> dict[str, Any]:
    """A first occurrence, as core/v1."""
    metadata = involved["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": key.name, "namespace": key.namespace},
        "involvedObject": {
            "apiVersion": involved.get("apiVersion", ""),
            "kind": involved.get("kind", ""),
            "namespace": metadata.get("namespace", ""),
            "name": metadata["name"],
            "uid": metadata.get("uid", ""),
            "resourceVersion": metadata.get("resourceVersion", ""),
        },
        "reason": reason,
        "message": message,
        "type": type_,
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": "",
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }


def counted_up(document: dict[str, Any], now: str) -> dict[str, Any]:
    """The same event once more."""
    return {**document, "count": int(document.get("count") or 1) + 1, "lastTimestamp": now}


def _last_seen(document: Mapping[str, Any]) -> datetime | None:
    text = document.get("lastTimestamp") or document["metadata"].get("creationTimestamp")
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
