"""What the soak serves: one deployment for each way that requests take through a worker."""

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from bench.installation import DEPLOYMENTS, Client, Installation
from bench.model import train

_UNITS = Path(__file__).parent.parent / "units"
_CLASSES = ("Echo", "Twice", "Shift", "Times", "Join", "Nap")
_SAVE_TENSORFLOW = """
import sys, tensorflow as tf
class Model(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def twice(self, x):
        return {"y": x * 2}
model = Model()
tf.saved_model.save(model, sys.argv[1], signatures={"serving_default": model.twice})
"""


@dataclass(slots=True, kw_only=True)
class Scene:
    """The models, known to the clients as well, so that they can tell a right answer."""

    classifier: Any
    model: Path
    sink: Path
    saved_model: Path | None
    replicas: dict[str, int] = field(default_factory=dict)

    def probabilities(self, rows: Any) -> Any:
        """What the classifier answers."""
        return self.classifier.predict_proba(np.asarray(rows, dtype=float))

    def deployments(self) -> list[dict[str, Any]]:
        """The manifests."""
        sklearn = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": self.model.as_uri()}
        logged = {**_node("echo"), "logger": {"mode": "all", "url": f"file://{self.sink}?max_bytes=1000000&keep=2"}}
        gather = {"fairlead.dev/batch-size": "8", "fairlead.dev/batch-latency-ms": "20"}
        few = {"fairlead.dev/max-concurrency": "2", "fairlead.dev/max-queue": "4"}
        found = [
            _deployment("iris", sklearn, replicas=2),
            _deployment("oip", {**sklearn, "name": "flowers"}, replicas=2, protocol="v2"),
            _deployment("graph", _graph()),
            _deployment("echo", _node("echo")),
            _deployment("logged", logged),
            _deployment("limited", _node("nap"), annotations=few),
            _deployment("gathered", sklearn, annotations=gather),
            _deployment("slow", _node("nap"), annotations={"seldon.io/rest-timeout": "500"}),
            _deployment("late", _node("nap")),
            _deployment("tf", self._tensorflow(), protocol="tensorflow"),
        ]
        self.replicas = {one["metadata"]["name"]: one["spec"]["replicas"] for one in found}
        return found

    def _tensorflow(self) -> dict[str, Any]:
        if self.saved_model is None:
            return _node("twice")
        return {"name": "twice", "implementation": "TENSORFLOW_SERVER", "modelUri": self.saved_model.as_uri()}


def prepare(folder: Path, *, with_tensorflow: bool) -> Scene:
    """Train the models."""
    for name in ("model", "sink"):
        (folder / name).mkdir(parents=True)
    model = train(folder / "model")
    saved = folder / "saved" if with_tensorflow and importlib.util.find_spec("tensorflow") is not None else None
    if saved is not None:
        command = [sys.executable, "-c", _SAVE_TENSORFLOW, str(saved / "1")]
        subprocess.run(command, check=True, capture_output=True)
    classifier = joblib.load(model / "model.joblib")
    return Scene(classifier=classifier, model=model, sink=folder / "sink", saved_model=saved)


def config() -> str:
    """The `config.toml` that gives images their classes."""
    return "".join(
        f'[images."soak/{name.lower()}"]\nclass = "soaking.{name}"\npath = {json.dumps(str(_UNITS))}\n'
        for name in _CLASSES
    )


def apply(running: Installation, scene: Scene) -> None:
    """Create every deployment and wait until all are there."""
    with Client(running.control_url) as control:
        for manifest in scene.deployments():
            control.must("POST", DEPLOYMENTS, manifest)
        deadline = time.monotonic() + 180
        while not all(map(_is_there, control.read(DEPLOYMENTS)["items"])):
            if time.monotonic() > deadline:
                states = {
                    item["metadata"]["name"]: item.get("status", {}).get("description", item.get("status"))
                    for item in control.read(DEPLOYMENTS)["items"]
                    if not _is_there(item)
                }
                raise SystemExit(f"soak: not available after 180 s: {states}")
            time.sleep(0.1)


def _is_there(item: dict[str, Any]) -> bool:
    status = item.get("status", {})
    if status.get("state") == "Failed":
        raise SystemExit(f"soak: {item['metadata']['name']} has failed: {status.get('description')}")
    return bool(status.get("state") == "Available")


def _node(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "MODEL", **more}


def _graph() -> dict[str, Any]:
    models = [
        {**_node(name), "parameters": [{"name": "factor", "value": factor, "type": "INT"}]}
        for name, factor in (("two", "2"), ("three", "3"), ("five", "5"))
    ]
    return _node("shift", type="TRANSFORMER", children=[_node("join", type="COMBINER", children=models)])


def _deployment(
    name: str,
    graph: dict[str, Any],
    *,
    replicas: int = 1,
    annotations: Mapping[str, str] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    containers = [{"name": node, "image": f"soak/{_IMAGES.get(node, node)}:1"} for node in _names(graph)]
    predictor: dict[str, Any] = {"name": "default", "graph": graph}
    if "implementation" not in graph:
        predictor["componentSpecs"] = [{"spec": {"containers": containers}}]
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"annotations": dict(annotations or {}), "replicas": replicas, "predictors": [predictor], **spec},
    }


_IMAGES = {"two": "times", "three": "times", "five": "times"}


def _names(node: dict[str, Any]) -> list[str]:
    return [node["name"], *(name for child in node.get("children", ()) for name in _names(child))]
