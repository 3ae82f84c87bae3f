"""SeldonDeployments that end-to-end tests write often."""

from pathlib import Path
from typing import Any


def sdep(name: str, *predictors: dict[str, Any], namespace: str = "default", **spec: Any) -> dict[str, Any]:
    """A SeldonDeployment with these predictors."""
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"predictors": list(predictors), **spec},
    }


def sklearn(folder: Path, *, name: str = "default", **predictor: Any) -> dict[str, Any]:
    """A predictor with one scikit-learn model."""
    graph = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": str(folder)}
    return {"name": name, "graph": graph, "replicas": 1, **predictor}


def images(name: str, graph: dict[str, Any], units: dict[str, str], **predictor: Any) -> dict[str, Any]:
    """A predictor whose graph nodes are containers: `units` maps a node's name to its image."""
    containers = [{"name": unit, "image": image} for unit, image in units.items()]
    return {"name": name, "graph": graph, "componentSpecs": [{"spec": {"containers": containers}}], **predictor}
