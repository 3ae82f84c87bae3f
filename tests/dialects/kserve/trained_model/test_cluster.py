"""TrainedModels in a cluster, where nobody tells of what a server has loaded."""

from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.kserve import KServeDialect
from support.isvc import Stored
from support.kserve_cluster import NOW, condition, truths


def _model(memory: str = "1Gi") -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "TrainedModel",
        "metadata": {"name": "cats", "namespace": "models"},
        "spec": {
            "inferenceService": "host",
            "model": {"storageUri": "s3://models/cats", "framework": "tensorrt", "memory": memory},
        },
    }


def _host(ready: str = "True", **model: Any) -> Document:
    server = {"modelFormat": {"name": "triton"}, "resources": {"limits": {"memory": "2Gi"}}, **model}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "host", "namespace": "models"},
        "spec": {"predictor": {"model": server}},
        "status": {
            "conditions": [{"type": "Ready", "status": ready}],
            "url": "http://host-models.example.com",
            "address": {"url": "http://host-predictor.models.svc.cluster.local"},
        },
    }


def _status(doc: Document, *stored: Document) -> dict[str, Any]:
    status = KServeDialect().derived_status(doc, now=NOW, world=Stored(doc, *stored))
    assert status is not None
    return status


def test_a_model_is_ready_with_its_server_whatever_its_framework() -> None:
    status = _status(_model(), _host())

    assert set(truths(status).values()) == {"True"}
    assert status["url"] == "http://host-models.example.com/v1/models/cats:predict"
    assert status["address"]["url"] == "http://host-predictor.models.svc.cluster.local/v1/models/cats:predict"


def test_a_server_that_is_not_ready_is_named() -> None:
    status = _status(_model(), _host("False"))

    assert condition(status, "Ready")["reason"] == "InferenceServiceNotReady"


def test_a_server_with_a_model_of_its_own_holds_no_others() -> None:
    status = _status(_model(), _host(storageUri="s3://models/own"))

    assert condition(status, "IsMMSPredictor")["reason"] == "IsNotMMSPredictor"
    assert truths(status)["Ready"] == "False"


def test_a_model_that_is_too_large_has_no_room() -> None:
    status = _status(_model("3Gi"), _host())

    assert truths(status)["MemoryResourceAvailable"] == "False"


def test_a_server_that_is_missing_is_named() -> None:
    assert condition(_status(_model()), "Ready")["message"] == "InferenceService host does not exist"
