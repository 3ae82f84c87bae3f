"""Statuses of language models in a cluster."""

from typing import Any

from support.kserve_cluster import NOW, THEN, Cluster, condition, deployment, route, truths

UP = deployment("writer-kserve")


def _llm(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1alpha2",
        "kind": "LLMInferenceService",
        "metadata": {"name": "writer", "namespace": "models", "generation": 3},
        "spec": {"model": {"uri": "pvc://models/tiny"}, **spec},
    }


def test_a_service_with_its_deployment_and_route_is_ready() -> None:
    status = Cluster().status(_llm(router={"route": {}}), UP, route("writer-kserve-route"))

    assert {type_ for type_, truth in truths(status).items() if truth == "True"} == {
        "HTTPRoutesReady",
        "MainWorkloadReady",
        "PresetsCombined",
        "Ready",
        "RouterReady",
        "WorkloadsReady",
    }
    assert status["url"] == "http://example.com/models/writer"
    assert status["addresses"][1]["url"] == "http://writer-kserve-workload-svc.models.svc.cluster.local:8000"
    assert status["observedGeneration"] == 3


def test_a_service_without_a_route_is_found_inside() -> None:
    status = Cluster().status(_llm(), UP)

    assert truths(status)["Ready"] == "True"
    assert "HTTPRoutesReady" not in truths(status)
    assert status["url"] == "http://writer-kserve-workload-svc.models.svc.cluster.local:8000"


def test_a_route_that_is_missing_is_named() -> None:
    status = Cluster().status(_llm(router={"route": {}}), UP)

    assert condition(status, "RouterReady")["reason"] == "LLMInferenceService HTTPRoute not created"
    assert truths(status)["Ready"] == "False"


def test_a_deployment_that_is_down_says_why() -> None:
    down = deployment("writer-kserve", available="False", reason="MinimumReplicasUnavailable", message="0 of 1")

    status = Cluster().status(_llm(), down)

    assert condition(status, "Ready")["message"] == "0 of 1"
    assert "url" not in status


def test_what_is_not_done_is_told_and_stops_nothing() -> None:
    status = Cluster().status(_llm(router={"scheduler": {}}), UP)

    assert "spec.router.scheduler is not used" in condition(status, "Unsupported")["message"]
    assert truths(status)["Ready"] == "True"


def test_an_unchanged_status_stays_as_it_is() -> None:
    before = Cluster().status(_llm(), UP, now=THEN)

    assert Cluster().status({**_llm(), "status": before}, UP, now=NOW) == before


def test_a_service_that_was_stopped_has_nothing_that_is_ready() -> None:
    doc = _llm()
    doc["metadata"]["annotations"] = {"serving.kserve.io/stop": "true"}

    status = Cluster().status(doc)

    assert truths(status)["Stopped"] == "True"
    assert truths(status)["Ready"] == "False"
