"""The status of a local model cache, in KServe's words for its nodes. There is one node, this machine."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.caches.matching import holds
from fairlead.dialects.kserve.inference_service.schema import KIND as INFERENCE_SERVICE
from fairlead.plan.status import ModelState, ModelStatus, PlanStatus

NODE_NAME = "localhost"
READY = "Ready"
_STATES = {
    ModelState.PENDING: "NodeDownloadPending",
    ModelState.DOWNLOADING: "NodeDownloading",
    ModelState.LOADING: "NodeDownloading",
    ModelState.READY: "NodeDownloaded",
    ModelState.FAILED: "NodeDownloadError",
}
_TRUTH = {ModelState.READY: "True", ModelState.FAILED: "False"}


def status_of(doc: Document, observed: PlanStatus, world: World, now: str) -> dict[str, Any]:
    """The new status of a cache whose model is being fetched."""
    waiting = ModelStatus(name=doc["metadata"]["name"], state=ModelState.PENDING)
    return _status(doc, observed.prefetched[0] if observed.prefetched else waiting, world, now)


def failed(doc: Document, reason: str, message: str, world: World, now: str) -> dict[str, Any]:
    """The new status of a cache whose model nothing here fetches."""
    name = doc["metadata"]["name"]
    return _status(doc, ModelStatus(name=name, state=ModelState.FAILED, reason=reason, message=message), world, now)


def is_ready(status: Mapping[str, Any]) -> bool:
    """Whether the model is here."""
    return any(one["type"] == READY and one["status"] == "True" for one in status.get("conditions") or ())


def _status(doc: Document, model: ModelStatus, world: World, now: str) -> dict[str, Any]:
    status: dict[str, Any] = {
        "nodeStatus": {NODE_NAME: _STATES[model.state]},
        "copies": {
            "available": int(model.state is ModelState.READY),
            "total": 1,
            "failed": int(model.state is ModelState.FAILED),
        },
        "conditions": [_condition(doc.get("status") or {}, model, now)],
        "observedGeneration": doc["metadata"].get("generation", 0),
    }
    users = _users(doc, world)
    return {**status, "inferenceServices": users} if users else status


def _condition(previous: Mapping[str, Any], model: ModelStatus, now: str) -> dict[str, str]:
    truth = _TRUTH.get(model.state, "Unknown")
    before: Mapping[str, Any] = next((one for one in previous.get("conditions") or () if one.get("type") == READY), {})
    changed = before.get("lastTransitionTime", now) if before.get("status") == truth else now
    condition = {"type": READY, "status": truth, "lastTransitionTime": changed}
    told = {"reason": model.reason or _STATES[model.state], "message": model.message}
    return condition | {key: text for key, text in told.items() if text}


def _users(doc: Document, world: World) -> list[dict[str, str]]:
    """The services that use the model."""
    namespace = doc["metadata"].get("namespace") or None
    return [
        {"name": service["metadata"]["name"], "namespace": service["metadata"].get("namespace", "")}
        for service in world.list(INFERENCE_SERVICE, namespace)
        if holds(doc, str(_uri(service)))
    ]


def _uri(service: Document) -> str:
    return ((service.get("spec") or {}).get("predictor", {}).get("model") or {}).get("storageUri") or ""
