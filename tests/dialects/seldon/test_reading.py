from typing import Any

import pytest

from fairlead.dialects.seldon.reading import read
from fairlead.dialects.seldon.schema import MAX_DEPTH
from fairlead.errors import InvalidManifest
from support.sdep import MODEL, predictor, sdep


def refusal(doc: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidManifest) as caught:
        read(doc)
    return [f"{problem.field}: {problem.message}" for problem in caught.value.problems]


def nested(depth: int) -> dict[str, Any]:
    graph: dict[str, Any] = dict(MODEL)
    for _ in range(depth):
        graph = {**MODEL, "children": [graph]}
    return sdep(predictor(graph=graph))


@pytest.mark.parametrize("version", ["v1", "v1alpha2", "v1alpha3"])
def test_every_version_is_the_same_schema(version: str) -> None:
    doc = sdep() | {"apiVersion": f"machinelearning.seldon.io/{version}"}

    assert read(doc).spec == read(sdep()).spec


def test_null_means_absent() -> None:
    doc = sdep(predictor(componentSpecs=None, labels=None, traffic=None), annotations=None)
    doc["metadata"]["creationTimestamp"] = None

    assert read(doc).spec == read(sdep()).spec


def test_another_kind_or_version_is_refused() -> None:
    found = refusal({"kind": "Deployment", "apiVersion": "apps/v1"})

    assert found[0] == 'kind: Invalid value: "Deployment": must be SeldonDeployment'
    assert found[1].startswith(
        'apiVersion: Unsupported value: "apps/v1": supported values: "machinelearning.seldon.io/v1"'
    )


def test_what_is_missing_is_required() -> None:
    doc = sdep()
    del doc["spec"]["predictors"]

    assert refusal(doc) == ["spec.predictors: Required value"]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("replicas", "2", 'Invalid value: "2": must be of type integer, not string'),
        ("replicas", True, "Invalid value: true: must be of type integer, not boolean"),
        ("replicas", -1, "Invalid value: -1: must be greater than or equal to 0"),
        ("shadow", "yes", 'Invalid value: "yes": must be of type boolean, not string'),
        ("labels", ["a"], 'Invalid value: "array": must be of type object, not array'),
        ("componentSpecs", {}, 'Invalid value: "object": must be of type array, not object'),
        ("traffic", 0.5, "Invalid value: 0.5: must be of type integer, not number"),
    ],
)
def test_a_wrong_type_is_named(field: str, value: Any, message: str) -> None:
    assert refusal(sdep(predictor(**{field: value}))) == [f"spec.predictors[0].{field}: {message}"]


def test_a_word_outside_the_list_is_told_the_list() -> None:
    graph = {**MODEL, "methods": ["TRANSFORM"], "logger": {"mode": "some"}}

    assert refusal(sdep(predictor(graph=graph))) == [
        'spec.predictors[0].graph.methods[0]: Unsupported value: "TRANSFORM": supported values: "TRANSFORM_INPUT", '
        '"TRANSFORM_OUTPUT", "ROUTE", "AGGREGATE", "SEND_FEEDBACK"',
        'spec.predictors[0].graph.logger.mode: Unsupported value: "some": supported values: "all", "request", '
        '"response"',
    ]


def test_a_value_of_two_types_is_one_problem() -> None:
    resources = {"limits": {"cpu": [1]}}

    found = refusal(sdep(predictor(engineResources=resources)))

    assert len(found) == 1
    assert found[0].startswith("spec.predictors[0].engineResources.limits.cpu: ")


def test_a_graph_may_be_as_deep_as_the_schema() -> None:
    assert read(nested(MAX_DEPTH)).spec.predictors[0].graph.name == "classifier"


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 500])
def test_a_deeper_graph_is_refused_rather_than_cut(depth: int) -> None:
    (message,) = refusal(nested(depth))

    assert "at most 30 levels" in message


def test_an_object_with_a_secret_is_not_repeated_in_the_message() -> None:
    (message,) = refusal(sdep(annotations=[{"password": "hunter2"}]))

    assert "hunter2" not in message
