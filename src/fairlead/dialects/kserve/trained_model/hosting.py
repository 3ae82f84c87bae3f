"""The TrainedModels of an InferenceService as models that its predictor hosts."""

from collections.abc import Iterator

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.trained_model.parents import evicts_models, memory_limit_bytes, service_account
from fairlead.plan import quantity
from fairlead.plan.model import Artifact, HostedModel

TRAINED_MODEL = "TrainedModel"
RUNTIMES = {
    "catboost": "catboost",
    "lightgbm": "lightgbm",
    "mlflow": "mlflow",
    "onnx": "onnx",
    "pytorch": "pytorch",
    "sklearn": "sklearn",
    "tensorflow": "tensorflow",
    "triton": "triton",
    "xgboost": "xgboost",
}
"""What runs a model, by `spec.model.framework`."""


def hosted_models(isvc: Document, world: World) -> tuple[HostedModel, ...]:
    """The models to host: those of a framework that runs here and, unless they make room for each other, those that fit
    into the predictor's memory together, the older ones first."""
    account = service_account(isvc)
    return tuple(
        HostedModel(
            name=model["metadata"]["name"],
            runtime=RUNTIMES[framework_of(model)],
            artifact=Artifact(uri=_model(model)["storageUri"], service_account=account, unpacks=True),
            memory_bytes=memory_of(model),
        )
        for model in fitting(isvc, world)
        if framework_of(model) in RUNTIMES
    )


def fitting(isvc: Document, world: World) -> list[Document]:
    """The TrainedModels whose memory there is room for."""
    limit, used = memory_limit_bytes(isvc), 0
    found = []
    for model in models_of(isvc, world):
        needed = memory_of(model)
        if limit is not None and (needed > limit or (used + needed > limit and not evicts_models(isvc))):
            continue
        used += needed
        found.append(model)
    return found


def models_of(isvc: Document, world: World) -> list[Document]:
    """The TrainedModels that name an InferenceService, the oldest first."""
    metadata = isvc["metadata"]
    mine = _naming(metadata["name"], metadata.get("namespace", ""), world)
    return sorted(mine, key=lambda one: (one["metadata"].get("creationTimestamp", ""), one["metadata"]["name"]))


def framework_of(model: Document) -> str:
    """`spec.model.framework`, in lower case."""
    return str(_model(model).get("framework", "")).lower()


def memory_of(model: Document) -> int:
    """`spec.model.memory` in bytes."""
    try:
        return quantity.size_bytes(_model(model).get("memory", 0))
    except ValueError:
        return 0


def _naming(name: str, namespace: str, world: World) -> Iterator[Document]:
    for model in world.list(TRAINED_MODEL, namespace):
        if (model.get("spec") or {}).get("inferenceService") == name:
            yield model


def _model(model: Document) -> Document:
    found: Document = (model.get("spec") or {}).get("model") or {}
    return found
