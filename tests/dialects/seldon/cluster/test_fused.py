"""Whole graphs in one container, and when they are not."""

from typing import Any

import pytest

from support.sdep import MODEL, pod, predictor, sdep
from support.seldon_layouts import container, lay_out, service, variables, workload

OTHER = {"name": "other", "implementation": "XGBOOST_SERVER", "modelUri": "gs://models/other"}
GRAPH = {"name": "split", "implementation": "RANDOM_ABTEST", "children": [MODEL, OTHER]}


def names(doc: dict[str, Any], **values: Any) -> list[str]:
    """The containers of the first pod."""
    return [item["name"] for item in workload(lay_out(doc, **values)).pod.spec["containers"]]


def two(*containers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return sdep(predictor(graph=GRAPH, componentSpecs=[{**pod(*containers), **fields}]))


def test_a_prepackaged_model_and_its_orchestrator_are_one_container() -> None:
    layout = lay_out(sdep())

    found = container(layout, "classifier")
    assert names(sdep()) == ["classifier"]
    assert found["args"][0] == "engine"
    assert found["args"][-2:] == ["--in-process", "classifier=/mnt/models"]
    ports = {item["name"]: item["containerPort"] for item in found["ports"]}
    assert ports == {"http": 9000, "grpc": 9500, "metrics": 6000, "engine-http": 8000, "engine-grpc": 5001}
    assert variables(found)["PREDICTIVE_UNIT_ID"] == "classifier"
    assert "ENGINE_PREDICTOR" in variables(found)
    assert workload(layout).pod.own == {"classifier", "classifier-model-initializer"}


def test_it_is_ready_as_soon_as_it_answers() -> None:
    found = container(lay_out(sdep()), "classifier")

    assert "initialDelaySeconds" not in found["readinessProbe"]
    assert found["startupProbe"]["httpGet"]["path"] == "/live"
    assert found["startupProbe"]["failureThreshold"] * found["startupProbe"]["periodSeconds"] == 600


def test_every_nodes_service_still_leads_to_it() -> None:
    layout = lay_out(two())

    assert names(two()) == ["classifier"]
    for node, number in (("classifier", 9000), ("other", 9001)):
        found = service(layout, f"iris-default-{node}")
        assert found.ports[0].target == number
        assert found.selector.items() <= workload(layout).pod.labels.items()
    numbers = {item["containerPort"] for item in container(layout, "classifier")["ports"]}
    assert {9000, 9500, 9001, 9501, 8000, 5001} <= numbers


def test_models_of_one_process_lie_side_by_side() -> None:
    found = container(lay_out(two()), "classifier")

    folders = {item["mountPath"] for item in found["volumeMounts"]}
    assert {"/mnt/classifier/models", "/mnt/other/models"} <= folders
    assert "other=/mnt/other/models" in found["args"]


def test_what_containers_ask_for_is_added_up() -> None:
    first = {"name": "classifier", "resources": {"requests": {"cpu": "250m"}, "limits": {"memory": "1Gi", "cpu": "1"}}}
    second = {"name": "other", "resources": {"requests": {"cpu": "500m"}, "limits": {"memory": "512Mi"}}}

    found = container(lay_out(two(first, second)), "classifier")

    assert found["resources"] == {
        "requests": {"cpu": "750m", "memory": "1536Mi"},
        "limits": {"memory": "1536Mi"},
    }


def test_a_sum_with_a_part_that_has_no_limit_is_no_limit() -> None:
    doc = two({"name": "classifier", "resources": {"limits": {"memory": "1Gi"}}}, {"name": "other"})
    doc["spec"]["predictors"][0]["svcOrchSpec"] = {"resources": {"limits": {"memory": "1Gi"}}}

    assert "limits" not in container(lay_out(doc), "classifier")["resources"]


def test_a_gpu_keeps_its_limit_beside_what_has_none() -> None:
    doc = sdep(predictor(componentSpecs=[pod({"name": "classifier", "resources": {"limits": {"nvidia.com/gpu": 1}}})]))
    doc["spec"]["predictors"][0]["svcOrchSpec"] = {"resources": {"requests": {"cpu": "200m"}}}

    resources = container(lay_out(doc), "classifier")["resources"]

    assert resources["limits"] == {"nvidia.com/gpu": "1"}
    assert resources["requests"]["nvidia.com/gpu"] == "1"


def test_the_resources_of_one_container_stay_as_written() -> None:
    resources = {"limits": {"nvidia.com/gpu": 1, "cpu": "1.50"}}
    doc = sdep(predictor(componentSpecs=[pod({"name": "classifier", "resources": resources})]))

    assert container(lay_out(doc), "classifier")["resources"] == resources


def test_without_a_word_about_resources_it_reserves_what_an_orchestrator_would() -> None:
    assert container(lay_out(sdep()), "classifier")["resources"] == {"requests": {"cpu": "500m", "memory": "512Mi"}}


@pytest.mark.parametrize(
    ("containers", "fields"),
    [
        pytest.param([{"name": "classifier", "image": "acme/own:1"}], {}, id="an image"),
        pytest.param([{"name": "classifier", "args": ["--x"]}], {}, id="arguments"),
        pytest.param([{"name": "classifier", "command": ["x"]}], {}, id="a command"),
        pytest.param([{"name": "classifier"}, {"name": "other", "securityContext": {}}], {}, id="rights of the second"),
        pytest.param(
            [{"name": "classifier", "env": [{"name": "A", "value": "1"}]}, {"name": "other", "env": [{"name": "A"}]}],
            {},
            id="variables that differ",
        ),
        pytest.param(
            [{"name": "classifier"}, {"name": "other"}],
            {"hpaSpec": {"maxReplicas": 2, "metricsv2": [{"type": "ContainerResource"}]}},
            id="a metric of one container",
        ),
        pytest.param([], {"metadata": {"annotations": {"fairlead.dev/fuse": "False"}}}, id="an annotation"),
    ],
)
def test_what_would_be_lost_keeps_the_upstream_shape(containers: list[dict[str, Any]], fields: dict[str, Any]) -> None:
    assert names(two(*containers, **fields)) == ["classifier", "other", "seldon-container-engine"]


def test_containers_with_images_of_their_own_are_not_fused() -> None:
    node = {"name": "mine", "type": "TRANSFORMER", "children": [MODEL]}
    doc = sdep(predictor(graph=node, componentSpecs=[pod({"name": "mine", "image": "acme/mine:1"})]))

    assert names(doc) == ["mine", "classifier", "seldon-container-engine"]


def test_pods_of_their_own_scale_by_themselves() -> None:
    pods = [pod({"name": "classifier"}), pod({"name": "other"})]

    layout = lay_out(sdep(predictor(graph=GRAPH, componentSpecs=pods)))

    assert [item.name for item in layout.workloads] == ["iris-default-0-classifier", "iris-default-1-other"]


def test_an_orchestrator_of_the_installations_cannot_hold_models() -> None:
    image = {"image": {"repository": "seldonio/seldon-core-executor"}}

    assert names(sdep(), executor=image) == ["classifier", "seldon-container-engine"]
