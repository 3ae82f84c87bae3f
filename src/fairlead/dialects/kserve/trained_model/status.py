"""The status of a TrainedModel, which follows from its InferenceService: is that ready, does it hold models at all, has
it room, and has it loaded this one."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.trained_model.hosting import RUNTIMES, fitting, framework_of
from fairlead.dialects.kserve.trained_model.parents import holds_models
from fairlead.plan.status import ModelState, ModelStatus

INFERENCE_SERVICE = "InferenceService"
_NOT_MULTI_MODEL = "Inference Service predictor is not configured for multi-model serving"
_NO_MEMORY = "Inference Service predictor has no memory left for this model"

_Condition = tuple[str, bool | None, str, str]
"""Type, whether it is true (`None`: not known yet), reason and message."""


def status_of(doc: Document, world: World, now: str) -> dict[str, Any]:
    """The new status."""
    metadata = doc["metadata"]
    namespace = metadata.get("namespace", "")
    name = (doc.get("spec") or {}).get("inferenceService", "")
    parent = world.get(INFERENCE_SERVICE, namespace, name)
    found = [*conditions_of(doc, name, parent, world), *(_framework(doc) if parent is not None else ())]
    is_ready = all_true([truth for _, truth, _, _ in found])
    first = next(((reason, message) for _, truth, reason, message in found if truth is not True), ("", ""))
    model = _hosted(doc, name, world)
    if is_ready:
        is_ready, *why = _loaded(model)
        first = why[0], why[1]
    return status_with(doc, parent, [*found, ("Ready", is_ready, *first)], now)


def status_with(doc: Document, parent: Document | None, conditions: list[_Condition], now: str) -> dict[str, Any]:
    """A status of these conditions, with the model's addresses."""
    metadata = doc["metadata"]
    status = {
        "conditions": _written(conditions, doc.get("status") or {}, now),
        "observedGeneration": metadata.get("generation", 0),
    }
    return status | (_addresses(parent, metadata["name"]) if parent is not None else {})


def conditions_of(doc: Document, name: str, parent: Document | None, world: World) -> list[_Condition]:
    """What is said of a model's server: whether it is ready, is one for models of others, and has room for this one."""
    if parent is None:
        missing = f"InferenceService {name} does not exist"
        return [
            ("InferenceServiceReady", False, "InferenceServiceNotReady", missing),
            ("IsMMSPredictor", None, "", missing),
            ("MemoryResourceAvailable", None, "", missing),
        ]
    is_ready = _is_ready(parent)
    is_mms = holds_models(parent)
    has_room = any(one["metadata"]["name"] == doc["metadata"]["name"] for one in fitting(parent, world))
    waiting = f"InferenceService {name} is not ready"
    return [
        ("InferenceServiceReady", is_ready, *(("", "") if is_ready else ("InferenceServiceNotReady", waiting))),
        ("IsMMSPredictor", is_mms, *(("", "") if is_mms else ("IsNotMMSPredictor", _NOT_MULTI_MODEL))),
        (
            "MemoryResourceAvailable",
            has_room,
            *(("", "") if has_room else ("MemoryResourceNotAvailable", _NO_MEMORY)),
        ),
    ]


def _framework(doc: Document) -> list[_Condition]:
    framework = framework_of(doc)
    if framework in RUNTIMES:
        return []
    accepted = ", ".join(sorted(RUNTIMES))
    message = f"spec.model.framework: {framework!r} is not a framework that runs here; accepted: {accepted}"
    return [("FrameworkSupported", False, "FrameworkNotSupported", message)]


def _hosted(doc: Document, parent: str, world: World) -> ModelStatus | None:
    observed = world.observed(INFERENCE_SERVICE, doc["metadata"].get("namespace", ""), parent)
    components = observed.components if observed is not None else ()
    models = [one for component in components for one in component.models if one.name == doc["metadata"]["name"]]
    # Several revisions may be there; what one of them serves is served.
    return next((one for one in models if one.state is ModelState.READY), models[0] if models else None)


def _loaded(model: ModelStatus | None) -> tuple[bool | None, str, str]:
    if model is None:
        return None, "", "waiting for the predictor to take it in"
    if model.state is ModelState.READY:
        return True, "", ""
    if model.state is ModelState.FAILED:
        return False, model.reason, model.message
    return None, model.state.value, f"the model is {model.state.value.lower()}"


def _is_ready(parent: Document) -> bool:
    conditions = (parent.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def all_true(truths: list[bool | None]) -> bool | None:
    """Whether all are; `None` while that is not known."""
    if any(truth is False for truth in truths):
        return False
    return None if any(truth is None for truth in truths) else True


def _addresses(parent: Document, name: str) -> dict[str, Any]:
    status = parent.get("status") or {}
    protocol = ((parent.get("spec") or {}).get("predictor", {}).get("model") or {}).get("protocolVersion", "v1")
    path = f"/v2/models/{name}/infer" if str(protocol).endswith("v2") else f"/v1/models/{name}:predict"
    found: dict[str, Any] = {}
    if status.get("url"):
        found["url"] = f"{status['url'].rstrip('/')}{path}"
    if (status.get("address") or {}).get("url"):
        found["address"] = {"url": f"{status['address']['url'].rstrip('/')}{path}"}
    return found


def _written(conditions: list[_Condition], previous: Mapping[str, Any], now: str) -> list[dict[str, str]]:
    """The conditions as they are stored: one keeps its time for as long as its status stays the same."""
    before = {one.get("type"): one for one in previous.get("conditions") or ()}
    written = []
    for kind, truth, reason, message in conditions:
        status = {True: "True", False: "False", None: "Unknown"}[truth]
        old = before.get(kind, {})
        changed = old.get("lastTransitionTime", now) if old.get("status") == status else now
        one = {"type": kind, "status": status, "lastTransitionTime": changed}
        written.append(one | ({"reason": reason} if reason else {}) | ({"message": message} if message else {}))
    return sorted(written, key=lambda one: one["type"])
