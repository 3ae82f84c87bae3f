"""TrainedModels in a cluster: entries of a ConfigMap that the agent beside their server reads, and statuses.

The agent fetches what is listed and has the server load it; whether that went well only the agent's log tells. So a
model is Ready when its server is, holds models at all, and has room for it, as upstream.
"""

import json
from typing import Any

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.inference_service.cluster.agent import model_config_name
from fairlead.dialects.kserve.inference_service.schema import KIND as INFERENCE_SERVICE
from fairlead.dialects.kserve.trained_model.hosting import fitting
from fairlead.dialects.kserve.trained_model.parents import holds_models
from fairlead.dialects.kserve.trained_model.status import all_true, conditions_of, status_with

MODELS_KEY = "models.json"
_FIELDS = ("storageUri", "framework", "memory")


def model_configs(isvc: Document, world: World) -> tuple[dict[str, Any], ...]:
    """The ConfigMap with the models of a server of others': those that there is room for, the oldest first. None for a
    service with a model of its own."""
    if not holds_models(isvc):
        return ()
    entries = [_entry(model) for model in fitting(isvc, world) if not model["metadata"].get("deletionTimestamp")]
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": model_config_name(isvc["metadata"]["name"])},
        "data": {MODELS_KEY: json.dumps(entries, separators=(",", ":"), ensure_ascii=False)},
    }
    return (config,)


def cluster_status(doc: Document, world: World, now: str) -> dict[str, Any]:
    """The status of a TrainedModel."""
    name = str((doc.get("spec") or {}).get("inferenceService") or "")
    parent = world.get(INFERENCE_SERVICE, doc["metadata"].get("namespace", ""), name)
    found = conditions_of(doc, name, parent, world)
    first = next(((reason, message) for _, truth, reason, message in found if truth is not True), ("", ""))
    ready = ("Ready", all_true([truth for _, truth, _, _ in found]), *first)
    return status_with(doc, parent, [*found, ready], now)


def _entry(model: Document) -> dict[str, Any]:
    said = (model.get("spec") or {}).get("model") or {}
    spec = {key: said[key] if key != "memory" else str(said[key]) for key in _FIELDS if said.get(key) is not None}
    return {"modelName": model["metadata"]["name"], "modelSpec": spec}
