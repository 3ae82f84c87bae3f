"""The golden folders `refused-01` to `refused-21` hold one manifest per rule; here are the edges between them."""

from typing import Any

import pytest

from fairlead.dialects.catalog import Catalog, Entry
from fairlead.dialects.seldon import SeldonDialect
from fairlead.errors import InvalidManifest
from support.golden import folders
from support.sdep import MODEL, pod, predictor, sdep


def messages(doc: dict[str, Any], catalog: Catalog | None = None) -> list[str]:
    try:
        SeldonDialect().validate(doc, catalog=Catalog() if catalog is None else catalog)
    except InvalidManifest as error:
        return [problem.message for problem in error.problems]
    return []


def test_every_rule_has_its_folder() -> None:
    numbers = {folder.name.split("-")[1] for folder in folders("seldon") if folder.name.startswith("refused-")}

    assert {f"{rule:02}" for rule in range(1, 22)} <= numbers


@pytest.mark.parametrize("protocol", ["", "seldon", "tensorflow", "kfserving", "v2"])
def test_known_protocols_pass(protocol: str) -> None:
    graph = {**MODEL, "implementation": "TENSORFLOW_SERVER"}

    assert messages(sdep(predictor(graph=graph), protocol=protocol)) == []


def test_traffic_of_shadows_does_not_count() -> None:
    assert messages(sdep(predictor("a", traffic=100), predictor("b", shadow=True, traffic=30))) == []
    assert messages(sdep(predictor("a"), predictor("b", shadow=True))) == []


@pytest.mark.parametrize("traffic", [0, 100])
def test_a_lone_predictor_may_say_all_or_nothing(traffic: int) -> None:
    assert messages(sdep(predictor(traffic=traffic))) == []


def test_a_server_of_ones_own_is_known_by_the_catalog() -> None:
    doc = sdep(predictor(graph={**MODEL, "implementation": "ACME_SERVER"}))

    assert messages(doc) == ["No entry in predictors map for ACME_SERVER"]
    assert messages(doc, Catalog(servers={"ACME_SERVER": Entry(runtime="python", target="Acme")})) == []


def test_an_unknown_server_with_an_image_passes() -> None:
    graph = {**MODEL, "implementation": "ACME_SERVER"}
    doc = sdep(predictor(graph=graph, componentSpecs=[pod({"name": "classifier", "image": "acme/server:1"})]))

    assert messages(doc) == []


def test_a_huggingface_server_needs_no_model() -> None:
    assert messages(sdep(predictor(graph={"name": "m", "implementation": "HUGGINGFACE_SERVER"}), protocol="v2")) == []


@pytest.mark.parametrize("implementation", ["SIMPLE_MODEL", "SIMPLE_ROUTER", "RANDOM_ABTEST", "AVERAGE_COMBINER"])
def test_builtins_need_no_container(implementation: str) -> None:
    assert messages(sdep(predictor(graph={"name": "m", "implementation": implementation}))) == []


def test_an_endpoint_type_that_agrees_with_the_transport_passes() -> None:
    graph = {**MODEL, "endpoint": {"type": "GRPC"}}

    assert messages(sdep(predictor(graph=graph), transport="grpc")) == []
    assert messages(sdep(predictor(graph=graph))) == []


def test_repeated_texts_are_said_once() -> None:
    graph = {"name": "a", "implementation": "SIMPLE_ROUTER", "children": [{"name": "x"}, {"name": "x"}]}

    with pytest.raises(InvalidManifest) as caught:
        SeldonDialect().validate(sdep(predictor(graph=graph), name="obj"), catalog=Catalog())

    assert len(caught.value.problems) == 2
    assert str(caught.value).count("graph[0]") == 1
    assert (caught.value.http, caught.value.reason) == (422, "Invalid")
