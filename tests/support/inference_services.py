"""InferenceServices on a whole installation: apply, wait, ask."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from support.instance import Answer, Installation, call, until

PATH = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
JSON = {"Content-Type": "application/json"}


def isvc(name: str, predictor: Mapping[str, Any], *, annotations: Mapping[str, str] | None = None, **parts: Any) -> Any:
    """A manifest; `parts` are its other components."""
    metadata: dict[str, Any] = {"name": name, "namespace": "default"}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": {"predictor": dict(predictor), **parts},
    }


def model(name: str, folder: Path, **fields: Any) -> dict[str, Any]:
    """A predictor with a model of a folder."""
    return {"model": {"modelFormat": {"name": name}, "storageUri": str(folder), **fields}}


def image(name: str, **fields: Any) -> dict[str, Any]:
    """A component of one container."""
    return {"containers": [{"name": "kserve-container", "image": name, **fields}]}


def apply(running: Installation, documents: Iterable[Mapping[str, Any]]) -> None:
    """Create services and wait until each of them is ready."""
    names = []
    for document in documents:
        running.api(PATH, "POST", document)
        names.append(document["metadata"]["name"])
    for name in names:
        wait_for(running, name)


def wait_for(running: Installation, name: str) -> None:
    """Until it is ready; a model that cannot be loaded says why."""

    def is_ready() -> bool:
        status = running.api(f"{PATH}/{name}").get("status") or {}
        told = status.get("modelStatus") or {}
        failure = told.get("lastFailureInfo")
        if failure and told.get("transitionStatus") in ("BlockedByFailedLoad", "InvalidSpec"):
            raise AssertionError(f"{name}: {failure}")
        return any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or ())

    until(is_ready, what=f"{name} ready")


def ask(running: Installation, name: str, path: str, body: Any = None, **headers: str) -> Answer:
    """A request to a service by its host name; with a body it is a POST."""
    sent = {"Host": f"{name}.default.localhost", **(JSON if body is not None else {}), **headers}
    data = None if body is None else json.dumps(body).encode()
    return call(running.url + path, "GET" if body is None else "POST", data, sent)


def predict(running: Installation, name: str, instances: Any, *, model_name: str = "") -> Any:
    """The predictions of a V1 request."""
    answer = ask(running, name, f"/v1/models/{model_name or name}:predict", {"instances": instances})
    assert answer.status == 200, answer
    return answer.json()["predictions"]


def infer(running: Installation, name: str, rows: list[list[float]], *, model_name: str = "", tensor: str = "x") -> Any:
    """The outputs of a V2 request, by name."""
    flat = [value for row in rows for value in row]
    inputs = [{"name": tensor, "shape": [len(rows), len(rows[0])], "datatype": "FP32", "data": flat}]
    answer = ask(running, name, f"/v2/models/{model_name or name}/infer", {"inputs": inputs})
    assert answer.status == 200, answer
    return {one["name"]: one["data"] for one in answer.json()["outputs"]}
