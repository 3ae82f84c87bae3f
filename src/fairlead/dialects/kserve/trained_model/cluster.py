"""The status of a TrainedModel in a cluster.

The agent beside its server fetches what a ConfigMap lists and has the server load it; whether that went well only the
agent's log tells. So a model is Ready when its server is, holds models at all, and has room for it, as upstream.
"""

from typing import Any

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.trained_model.status import INFERENCE_SERVICE, all_true, conditions_of, status_with


def cluster_status(doc: Document, world: World, now: str) -> dict[str, Any]:
    """The new status."""
    name = str((doc.get("spec") or {}).get("inferenceService") or "")
    parent = world.get(INFERENCE_SERVICE, doc["metadata"].get("namespace", ""), name)
    found = conditions_of(doc, name, parent, world)
    first = next(((reason, message) for _, truth, reason, message in found if truth is not True), ("", ""))
    ready = ("Ready", all_true([truth for _, truth, _, _ in found]), *first)
    return status_with(doc, parent, [*found, ready], now)
