"""Pods that nothing can be added to are refused, all mistakes at once and each at its place."""

from typing import Any

import pytest

from fairlead.errors import InvalidManifest
from support.sdep import one, pod, predictor, sdep
from support.seldon_layouts import lay_out

NODE: dict[str, Any] = {"name": "model", "image": "acme/model:1"}
POD = "spec.predictors[0].componentSpecs[0].spec"


def refusals(doc: dict[str, Any]) -> dict[str, str]:
    """The messages by the paths of their fields."""
    with pytest.raises(InvalidManifest) as caught:
        lay_out(doc)
    return {problem.field: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("fields", "path", "expected"),
    [
        ({"lifecycle": "soon"}, "lifecycle", "object"),
        ({"readinessProbe": 5}, "readinessProbe", "object"),
        ({"tty": "yes"}, "tty", "boolean"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(fields: dict[str, Any], path: str, expected: str) -> None:
    found = refusals(one({**NODE, **fields}))

    assert f"must be of type {expected}" in found[f"{POD}.containers[0].{path}"]


def test_all_are_told_at_once() -> None:
    found = refusals(one({**NODE, "lifecycle": 1}, nodeSelector="ssd", imagePullSecrets=[{"name": []}]))

    assert set(found) == {f"{POD}.containers[0].lifecycle", f"{POD}.nodeSelector", f"{POD}.imagePullSecrets[0]"}


@pytest.mark.parametrize("name", ["", "Upper", "with space", "-a", "a" * 64])
def test_every_container_has_a_name(name: str) -> None:
    doc = sdep(predictor(componentSpecs=[pod({"name": "classifier"}, {"name": name, "image": "a"})]))

    assert "is no name of a container" in refusals(doc)[f"{POD}.containers[1].name"]


def test_no_two_containers_of_a_pod_have_one_name() -> None:
    doc = sdep(predictor(componentSpecs=[pod({"name": "classifier"}, {"name": "classifier"})]))

    assert "is the name of another container here" in refusals(doc)[f"{POD}.containers[1].name"]


def test_an_explainers_container_is_looked_at_too() -> None:
    doc = sdep(predictor(explainer={"type": "ALE", "containerSpec": {"lifecycle": []}}))

    assert list(refusals(doc)) == ["spec.predictors[0].explainer.containerSpec.lifecycle"]


def test_quantities_that_are_none_cannot_be_added_up() -> None:
    graph = {
        "name": "split",
        "implementation": "RANDOM_ABTEST",
        "children": [
            {"name": name, "implementation": "SKLEARN_SERVER", "modelUri": "gs://m"} for name in ("one", "two")
        ],
    }
    containers = [{"name": name, "resources": {"limits": {"cpu": "lots"}}} for name in ("one", "two")]

    found = refusals(sdep(predictor(graph=graph, componentSpecs=[pod(*containers)])))

    assert "'lots' is not a quantity" in found["spec.predictors[0].componentSpecs"]
