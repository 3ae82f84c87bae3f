"""The resources that are measured, and what the cluster must know of them."""

from collections.abc import Callable
from typing import Any

Document = dict[str, Any]


def _sdep(name: str) -> Document:
    graph = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "gs://models/iris"}
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"predictors": [{"name": "default", "replicas": 1, "graph": graph}]},
    }


def _isvc(name: str) -> Document:
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://models/iris"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"predictor": {"minReplicas": 1, "model": model}},
    }


MANIFESTS: dict[str, Callable[[str], Document]] = {"SeldonDeployment": _sdep, "InferenceService": _isvc}


def other_model(kind: str) -> Document:
    """A patch that gives a resource another model."""
    if kind == "InferenceService":
        return {"spec": {"predictor": {"model": {"storageUri": "gs://models/other"}}}}
    predictor = _sdep("")["spec"]["predictors"][0]
    return {"spec": {"predictors": [{**predictor, "graph": {**predictor["graph"], "modelUri": "gs://models/other"}}]}}
