"""Explainers: a Deployment, a Service and a path of their own."""

import json
from typing import Any

import pytest

from fairlead.errors import InvalidManifest
from support.sdep import predictor, sdep
from support.seldon_layouts import container, exposure, lay_out, service, variables, workload

NAME = "iris-default-explainer"


def explained(pods: int | None = None, protocol: str = "seldon", **fields: Any) -> dict[str, Any]:
    """A predictor with so many pods and an explainer with these fields."""
    own: dict[str, Any] = {} if pods is None else {"replicas": pods}
    return sdep(predictor(explainer={"type": "AnchorTabular", **fields}, **own), protocol=protocol)


def test_it_asks_the_predictor_and_loads_its_own_model() -> None:
    doc = explained(modelUri="gs://m/e", config={"b": "gs://m/e/w", "a": "1"})

    found = container(lay_out(doc), NAME)

    assert found["image"] == "seldonio/alibiexplainer:1.18.2"
    assert found["args"] == [
        "--model_name=classifier",
        "--predictor_host=iris-default.seldon:8000",
        "--protocol=seldon.http",
        "--http_port=9000",
        "--storage_uri=/mnt/models",
        "AnchorTabular",
        "--a=1",
        "--b=/mnt/models/w",
    ]
    assert found["livenessProbe"]["failureThreshold"] == 5
    assert found["readinessProbe"]["failureThreshold"] == 7


def test_its_service_is_labelled_with_the_predictor_and_finds_the_explainer() -> None:
    layout = lay_out(explained())

    found = service(layout, NAME)
    assert found.labels["seldon-app"] == "iris-default"
    assert found.selector == {"seldon-app": NAME}
    assert found.selector.items() <= workload(layout, NAME).pod.labels.items()
    assert workload(layout, NAME).pod.labels["seldon.io/explainer"] == "true"
    assert "prometheus.io/scrape" not in workload(layout, NAME).pod.annotations


def test_it_has_a_path_of_its_own() -> None:
    layout = lay_out(explained(endpoint={"service_port": 9100}), istio={"enabled": True})

    (rule,) = exposure(layout, f"{NAME}-http").rules
    assert rule.path_prefix == "/seldon/seldon/iris-explainer/default/"
    assert (rule.backings[0].service, rule.backings[0].port) == (NAME, 9100)


def test_its_port_may_be_its_containers() -> None:
    ports = [{"name": "http", "containerPort": 9200}]

    layout = lay_out(explained(containerSpec={"image": "acme/explainer:1", "ports": ports, "stdin": True}))

    assert service(layout, NAME).ports[0].port == 9200
    assert container(layout, NAME)["ports"] == [{"name": "http", "containerPort": 9200, "protocol": "TCP"}]
    assert container(layout, NAME)["image"] == "acme/explainer:1"
    assert container(layout, NAME)["stdin"] is True


def test_under_v2_it_is_an_mlserver() -> None:
    doc = explained(protocol="kfserving", initParameters='{"threshold": 0.9}', containerSpec={"env": [{"name": "A"}]})

    found = container(lay_out(doc), NAME)

    assert found["image"] == "seldonio/mlserver:1.3.5-alibi-explain"
    assert "args" not in found
    assert {"name": "A"} in found["env"]
    assert json.loads(variables(found)["MLSERVER_MODEL_EXTRA"]) == {
        "explainer_type": "anchor_tabular",
        "infer_uri": "http://iris-default.seldon:8000/v2/models/classifier/infer",
        "init_parameters": {"threshold": 0.9},
    }


def test_parameters_that_are_no_json_are_refused() -> None:
    with pytest.raises(InvalidManifest, match="initParameters: not JSON"):
        lay_out(explained(protocol="v2", initParameters="{"))


@pytest.mark.parametrize(("protocol", "image"), [("seldon", "acme/one:1"), ("v2", "acme/two:1")])
def test_its_image_is_the_installations(protocol: str, image: str) -> None:
    table = {"image": "acme/one:1", "image_v2": "acme/two:1"}

    assert container(lay_out(explained(protocol=protocol), explainer=table), NAME)["image"] == image


@pytest.mark.parametrize(("predictors", "own", "expected"), [(0, 2, 0), (3, 2, 2), (3, None, None), (None, 2, 2)])
def test_it_has_no_pods_where_the_predictor_has_none(
    predictors: int | None, own: int | None, expected: int | None
) -> None:
    doc = explained(predictors) if own is None else explained(predictors, replicas=own)

    assert workload(lay_out(doc), NAME).replicas == expected


def test_one_without_a_type_is_none() -> None:
    assert len(lay_out(explained(type="")).workloads) == 1
