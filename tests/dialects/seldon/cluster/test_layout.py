"""A layout as a whole: what it refuses, warns of, and that equal documents have equal ones."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.errors import InvalidManifest
from fairlead.plan.layout import Layout
from support.sdep import one, pod, predictor, sdep
from support.seldon_layouts import lay_out, workload

NODE = {"name": "model", "image": "acme/model:1"}


def test_it_belongs_to_its_document() -> None:
    doc = sdep()
    doc["metadata"] |= {"uid": "u-1", "generation": 4}

    owner = lay_out(doc).owner

    assert (owner.kind, owner.namespace, owner.name) == ("SeldonDeployment", "seldon", "iris")
    assert (owner.uid, owner.generation) == ("u-1", 4)


def test_names_that_no_cluster_takes_are_refused_all_at_once() -> None:
    with pytest.raises(InvalidManifest) as caught:
        lay_out(sdep(predictor("Default"), name="iris_model"))

    texts = [problem.message for problem in caught.value.problems]
    assert any("makes Deployment 'iris_model-Default-0-classifier'" in text for text in texts)
    assert any("makes Service 'iris_model-Default'" in text for text in texts)


def test_two_objects_of_one_name_are_refused() -> None:
    doc = one(NODE)
    doc["spec"]["predictors"][0]["annotations"] = {"seldon.io/svc-name": "iris-default-model"}

    with pytest.raises(InvalidManifest, match="makes Service 'iris-default-model' twice"):
        lay_out(doc)


def test_a_container_without_an_image_is_refused() -> None:
    with pytest.raises(InvalidManifest, match="container model has no image"):
        lay_out(one({"name": "model"}))


def test_a_pods_labels_are_its_users_but_for_those_it_is_found_by() -> None:
    metadata = {"labels": {"app": "mine", "seldon-deployment-id": "other"}}

    found = workload(
        lay_out(sdep(predictor(componentSpecs=[{**pod(NODE), "metadata": metadata}], graph={"name": "model"})))
    )

    assert found.pod.labels["app"] == "mine"
    assert found.selector.items() <= found.pod.labels.items()
    assert found.pod.labels["seldon-deployment-id"] == "iris"


def test_annotations_of_a_pod_win_over_the_predictors_and_those_over_the_deployments() -> None:
    doc = one(NODE)
    doc["spec"] |= {"annotations": {"a": "spec", "b": "spec", "c": "spec"}}
    doc["spec"]["predictors"][0] |= {"annotations": {"b": "predictor", "c": "predictor"}}
    doc["spec"]["predictors"][0]["componentSpecs"][0]["metadata"] = {"annotations": {"c": "pod"}}

    found = workload(lay_out(doc))

    assert found.annotations == {"a": "spec", "b": "predictor", "c": "pod"}
    assert found.pod.annotations == {**found.annotations, **PROMETHEUS}


PROMETHEUS = {"prometheus.io/scrape": "true", "prometheus.io/path": "/prometheus"}


def test_pods_without_a_node_are_told_apart_by_their_deployment() -> None:
    pods = [pod(NODE), pod({"name": "helper", "image": "acme/helper:1"})]

    layout = lay_out(sdep(predictor(graph={"name": "model"}, componentSpecs=pods)))

    assert workload(layout, "iris-default-1-helper").selector == {
        "seldon-deployment-id": "iris",
        "app": "iris-default-1-helper",
    }


def test_no_deployment_finds_the_pods_of_another() -> None:
    doc = sdep(
        predictor("a", traffic=50, componentSpecs=[pod({"name": "classifier"}), pod({"name": "x", "image": "y"})]),
        predictor("b", traffic=50, explainer={"type": "ALE"}),
        annotations={"seldon.io/engine-separate-pod": "true"},
    )

    assert found_by_others(lay_out(doc)) == []


def found_by_others(layout: Layout) -> list[tuple[str, str]]:
    return [
        (finder.name, found.name)
        for finder in layout.workloads
        for found in layout.workloads
        if finder.name != found.name and finder.selector.items() <= found.pod.labels.items()
    ]


SHAPES = st.fixed_dictionaries(
    {
        "protocol": st.sampled_from(["seldon", "v2", "kfserving"]),
        "transport": st.sampled_from(["rest", "grpc"]),
        "annotations": st.dictionaries(
            st.sampled_from(["seldon.io/engine-separate-pod", "fairlead.dev/fuse", "seldon.io/rest-timeout", "x/y"]),
            st.sampled_from(["true", "false", "10", "words"]),
        ),
        "replicas": st.integers(0, 3),
    }
)


@settings(max_examples=60, deadline=None)
@given(spec=SHAPES)
def test_equal_documents_have_equal_layouts_that_hold_together(spec: dict[str, Any]) -> None:
    doc = sdep(predictor(explainer={"type": "ALE"}), **spec)

    layout = lay_out(doc)

    assert layout == lay_out(deepcopy(doc))
    assert found_by_others(layout) == []
    for service in layout.services:
        pods = [item for item in layout.workloads if service.selector.items() <= item.pod.labels.items()]
        assert len(pods) == 1
        numbers = {port["containerPort"] for item in pods[0].pod.spec["containers"] for port in item["ports"]}
        assert {port.target for port in service.ports} <= numbers
