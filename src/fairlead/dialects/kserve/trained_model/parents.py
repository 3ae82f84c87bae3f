"""Whether an InferenceService's predictor is a server for the models of others, and how much memory they may use."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.base import Document
from fairlead.plan import quantity

EVICT_ANNOTATION = "fairlead.dev/evict-models"
"""On the InferenceService: models make room for each other rather than be refused when they need more memory together
than the predictor may use."""
_MULTI_MODEL = "MULTI_MODEL_SERVER"
_WHERE_MODELS_ARE = ("storageUri", "storage")
_LEGACY = (
    "sklearn",
    "xgboost",
    "tensorflow",
    "pytorch",
    "triton",
    "onnx",
    "pmml",
    "lightgbm",
    "paddle",
)


def holds_models(isvc: Document) -> bool:
    """Whether the predictor has no model of its own: a format without a place of its model (Hugging Face's server finds
    its models itself), or containers that say so."""
    predictor = _predictor(isvc)
    if predictor.get("storageUris"):
        return False
    model = _model(predictor)
    if model is not None:
        name = (model.get("modelFormat") or {}).get("name", "")
        return name != "huggingface" and not any(model.get(key) for key in _WHERE_MODELS_ARE)
    return any(
        variable.get("name") == _MULTI_MODEL and str(variable.get("value", "")).lower() == "true"
        for container in predictor.get("containers") or ()
        for variable in container.get("env") or ()
    )


def evicts_models(isvc: Document) -> bool:
    """Whether its models make room for each other."""
    return str((isvc["metadata"].get("annotations") or {}).get(EVICT_ANNOTATION, "")).lower() == "true"


def memory_limit_bytes(isvc: Document) -> int | None:
    """What the predictor may use; `None` when its manifest sets no limit."""
    predictor = _predictor(isvc)
    model = _model(predictor)
    holders = [model] if model is not None else list(predictor.get("containers") or ())
    for holder in holders:
        limits = (holder.get("resources") or {}).get("limits") or {}
        if "memory" in limits:
            try:
                return quantity.size_bytes(limits["memory"])
            except ValueError:
                return None
    return None


def service_account(isvc: Document) -> str:
    """Whose credentials fetch the models."""
    return str(_predictor(isvc).get("serviceAccountName") or "default")


def _predictor(isvc: Document) -> Mapping[str, Any]:
    spec = isvc.get("spec")
    predictor = spec.get("predictor") if isinstance(spec, Mapping) else None
    return predictor if isinstance(predictor, Mapping) else {}


def _model(predictor: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = predictor.get("model")
    if isinstance(found, Mapping):
        return found
    legacy = next((predictor[name] for name in _LEGACY if isinstance(predictor.get(name), Mapping)), None)
    return {**legacy, "modelFormat": {"name": "legacy"}} if legacy is not None else None
