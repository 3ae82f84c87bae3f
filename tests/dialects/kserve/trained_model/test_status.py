"""What becomes of a TrainedModel, from its InferenceService and what that has loaded."""

from typing import Any

import pytest

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.trained_model.hosting import hosted_models
from fairlead.dialects.kserve.trained_model.parents import EVICT_ANNOTATION
from fairlead.dialects.kserve.trained_model.status import status_of
from fairlead.plan.model import ComponentName, Owner
from fairlead.plan.status import ComponentStatus, ModelState, ModelStatus, Phase, PlanStatus
from support.stored_docs import DocumentWorld

NOW = "2026-01-01T00:00:00Z"
READY = {
    "url": "http://models.default.localhost:8080",
    "address": {"url": "http://models.default.svc.cluster.local"},
    "conditions": [{"type": "Ready", "status": "True"}],
}


def trained(name: str, *, memory: str = "256Mi", framework: str = "sklearn", made: str = NOW) -> dict[str, Any]:
    model = {"storageUri": f"s3://models/{name}", "framework": framework, "memory": memory}
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "TrainedModel",
        "metadata": {"name": name, "namespace": "default", "generation": 1, "creationTimestamp": made},
        "spec": {"inferenceService": "models", "model": model},
    }


def parent(*, limit: str = "1Gi", uri: str = "", **annotations: str) -> dict[str, Any]:
    model = {"modelFormat": {"name": "sklearn"}, "protocolVersion": "v2", "resources": {"limits": {"memory": limit}}}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "models", "namespace": "default", "annotations": annotations},
        "spec": {"predictor": {"serviceAccountName": "fetcher", "model": model | ({"storageUri": uri} if uri else {})}},
        "status": READY,
    }


def holding(**states: ModelState) -> PlanStatus:
    owner = Owner(api_version="v1beta1", kind="InferenceService", namespace="default", name="models")
    models = tuple(
        ModelStatus(name=name, state=state, reason="ModelLoadFailed", message="not a model")
        for name, state in states.items()
    )
    component = ComponentStatus(
        component=ComponentName("predictor-00001"),
        full_name="models-predictor-00001",
        revision="r",
        phase=Phase.READY,
        desired=1,
        ready=1,
        models=models,
    )
    return PlanStatus(owner=owner, components=(component,), routed=True)


def conditions(status: dict[str, Any]) -> dict[str, str]:
    return {one["type"]: one["status"] for one in status["conditions"]}


def told(status: dict[str, Any], kind: str) -> tuple[str, str]:
    found = next(one for one in status["conditions"] if one["type"] == kind)
    return found.get("reason", ""), found.get("message", "")


def names(isvc: Document, *models: Document) -> list[str]:
    return [one.name for one in hosted_models(isvc, DocumentWorld([isvc, *models]))]


def test_a_model_that_its_service_has_loaded_is_ready_and_has_addresses() -> None:
    world = DocumentWorld([parent(), trained("a")], statuses=[holding(a=ModelState.READY)])

    status = status_of(trained("a"), world, NOW)

    assert set(conditions(status).values()) == {"True"}
    assert status["url"] == "http://models.default.localhost:8080/v2/models/a/infer"
    assert status["address"] == {"url": "http://models.default.svc.cluster.local/v2/models/a/infer"}


def test_without_its_service_it_is_not_ready_and_says_so() -> None:
    status = status_of(trained("a"), DocumentWorld([trained("a")]), NOW)

    assert conditions(status)["Ready"] == "False"
    assert told(status, "InferenceServiceReady") == (
        "InferenceServiceNotReady",
        "InferenceService models does not exist",
    )


def test_a_service_with_a_model_of_its_own_is_no_multi_model_server() -> None:
    world = DocumentWorld([parent(uri="s3://models/own"), trained("a")])

    status = status_of(trained("a"), world, NOW)

    words = "Inference Service predictor is not configured for multi-model serving"
    assert told(status, "IsMMSPredictor") == ("IsNotMMSPredictor", words)
    assert conditions(status)["Ready"] == "False"


def test_a_model_that_did_not_load_repeats_why() -> None:
    world = DocumentWorld([parent(), trained("a")], statuses=[holding(a=ModelState.FAILED)])

    assert told(status_of(trained("a"), world, NOW), "Ready") == ("ModelLoadFailed", "not a model")


def test_a_model_on_its_way_is_neither_ready_nor_failed() -> None:
    world = DocumentWorld([parent(), trained("a")], statuses=[holding(a=ModelState.DOWNLOADING)])

    status = status_of(trained("a"), world, NOW)

    assert conditions(status)["Ready"] == "Unknown"
    assert told(status, "Ready") == ("Downloading", "the model is downloading")


def test_models_that_do_not_fit_into_memory_are_not_hosted_and_are_told() -> None:
    isvc = parent(limit="1Gi")
    models = [trained("b", memory="600Mi", made="2026-01-01T00:00:01Z"), trained("a", memory="600Mi")]
    world = DocumentWorld([isvc, *models])

    assert names(isvc, *models) == ["a"]
    assert conditions(status_of(models[0], world, NOW))["MemoryResourceAvailable"] == "False"
    assert conditions(status_of(models[1], world, NOW))["MemoryResourceAvailable"] == "True"


def test_models_that_make_room_for_each_other_are_all_hosted() -> None:
    isvc = parent(limit="1Gi", **{EVICT_ANNOTATION: "true"})

    assert names(isvc, trained("a", memory="600Mi"), trained("b", memory="600Mi"), trained("c", memory="2Gi")) == [
        "a",
        "b",
    ]


def test_a_hosted_model_is_fetched_with_its_services_account() -> None:
    isvc = parent()

    (model,) = hosted_models(isvc, DocumentWorld([isvc, trained("a", framework="XGBoost", memory="1Ki")]))

    assert (model.runtime, model.memory_bytes) == ("xgboost", 1024)
    assert (model.artifact.uri, model.artifact.service_account) == ("s3://models/a", "fetcher")


def test_a_framework_that_does_not_run_here_is_refused_by_name() -> None:
    world = DocumentWorld([parent(), trained("a", framework="paddle")])

    reason, message = told(status_of(trained("a", framework="paddle"), world, NOW), "Ready")

    assert reason == "FrameworkNotSupported"
    assert "'paddle' is not a framework that runs here; accepted: catboost, lightgbm" in message


def test_an_unchanged_condition_keeps_its_time() -> None:
    world = DocumentWorld([parent(), trained("a")], statuses=[holding(a=ModelState.READY)])
    first = status_of(trained("a"), world, NOW)

    again = status_of({**trained("a"), "status": first}, world, "2027-01-01T00:00:00Z")

    assert again == first


@pytest.mark.parametrize(
    ("predictor", "is_multi"),
    [
        ({"sklearn": {}}, True),
        ({"sklearn": {"storageUri": "s3://a/b"}}, False),
        ({"model": {"modelFormat": {"name": "huggingface"}}}, False),
        ({"model": {"modelFormat": {"name": "sklearn"}, "storage": {"path": "a"}}}, False),
        ({"containers": [{"env": [{"name": "MULTI_MODEL_SERVER", "value": "true"}]}]}, True),
        ({"containers": [{"image": "x"}]}, False),
    ],
)
def test_which_predictors_hold_models(predictor: dict[str, Any], is_multi: bool) -> None:
    world = DocumentWorld([parent() | {"spec": {"predictor": predictor}}, trained("a")])

    assert (conditions(status_of(trained("a"), world, NOW))["IsMMSPredictor"] == "True") is is_multi
