"""InferenceServices of a benchmark: models that answer with a number of theirs, manifests, and waiting for them."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import joblib
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier

from bench.installation import Client

SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
PODS = "/api/v1/namespaces/default/pods"
_AUTOSCALER = "/api/v1/namespaces/knative-serving/configmaps/config-autoscaler"
_MERGE = "application/merge-patch+json"
_PATIENCE_S = 120.0
_PAUSE_S = 0.05

Status = Mapping[str, Any]


def constant(folder: Path, number: int) -> str:
    """The URI of a model that always answers this number."""
    folder.mkdir(parents=True)
    rows, labels = load_iris(return_X_y=True)
    joblib.dump(DummyClassifier(strategy="constant", constant=number).fit(rows, labels), folder / "model.joblib")
    return folder.as_uri()


def manifest(name: str, uri: str, *, annotations: Mapping[str, str] | None = None, **predictor: Any) -> dict[str, Any]:
    """An InferenceService with a scikit-learn model."""
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "default", "annotations": dict(annotations or {})},
        "spec": {"predictor": {**predictor, "model": {"modelFormat": {"name": "sklearn"}, "storageUri": uri}}},
    }


def patch(control: Client, name: str, spec: Mapping[str, Any]) -> None:
    """Change some of its spec; `None` takes a field out."""
    control.must("PATCH", f"{SERVICES}/{name}", {"spec": spec}, content_type=_MERGE)


def settings(control: Client, **data: str) -> None:
    """Change settings of the autoscaler for all."""
    written = {name.replace("_", "-"): value for name, value in data.items()}
    control.must("PATCH", _AUTOSCALER, {"data": written}, content_type=_MERGE)


def wait_for(control: Client, name: str, is_so: Callable[[Status], bool]) -> None:
    """Until the service's status is like this."""
    wait(lambda: is_so(control.read(f"{SERVICES}/{name}").get("status") or {}), what=name)


def is_ready(status: Status) -> bool:
    """Whether the service says so."""
    return any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or ())


def shares(status: Status) -> dict[str, int]:
    """Percents of the requests by the number of the revision."""
    told = status.get("components", {}).get("predictor", {}).get("traffic") or []
    return {share["revisionName"].rpartition("-")[2]: share["percent"] for share in told}


def pods_of(control: Client, name: str) -> int:
    """Replicas that there are."""
    found = control.read(PODS)["items"]
    return sum(pod["metadata"]["labels"].get("fairlead.dev/service") == name for pod in found)


def wait(is_so: Callable[[], bool], *, what: str) -> None:
    """Look until it is so; the end of the benchmark when it does not come."""
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: {what}: not within {_PATIENCE_S:.0f} s")
        time.sleep(_PAUSE_S)
