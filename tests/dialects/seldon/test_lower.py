import copy
from typing import Any

import pytest

from fairlead.dialects.catalog import Catalog, Entry
from fairlead.dialects.seldon import SeldonDialect
from fairlead.errors import InvalidManifest, UnrunnableManifest
from fairlead.plan.model import Logger, Owner, Protocol, UnitName, UserCode
from support import golden
from support.sdep import MODEL, lower, lower_unit, one, pod, predictor, sdep


def test_a_predictor_becomes_a_component_under_the_names_of_a_cluster() -> None:
    doc = sdep()
    doc["metadata"] |= {"uid": "u-1", "generation": 3, "labels": {"b": "2", "a": "1"}}

    plan = lower(doc)

    assert plan.owner == Owner(
        api_version="machinelearning.seldon.io/v1",
        kind="SeldonDeployment",
        namespace="seldon",
        name="iris",
        uid="u-1",
        generation=3,
    )
    assert plan.labels == (("a", "1"), ("b", "2"))
    (component,) = plan.components
    assert (component.name, component.full_name) == ("default", "iris-default")
    assert component.group == "iris-default-0-classifier"
    assert component.revision.protocol is Protocol.SELDON
    assert (component.progress_deadline_s, component.revision.drain_s) == (600.0, 20.0)


def test_deadline_and_grace_period_are_taken_over() -> None:
    pods = [pod({"name": "classifier"}, terminationGracePeriodSeconds=0)]

    (component,) = lower(sdep(predictor(progressDeadlineSeconds=30, componentSpecs=pods))).components

    assert (component.progress_deadline_s, component.revision.drain_s) == (30.0, 0.0)


@pytest.mark.parametrize("folder", golden.folders("seldon"), ids=lambda folder: folder.name)
def test_equal_manifests_give_equal_results(folder: Any) -> None:
    assert golden.outcome(folder, SeldonDialect()) == golden.outcome(folder, SeldonDialect())


def test_lowering_changes_nothing_of_the_document() -> None:
    doc = sdep()
    before = copy.deepcopy(doc)

    lower(doc)

    assert doc == before


def test_an_image_of_the_catalog_runs_a_users_class() -> None:
    entry = Entry(runtime="python", target="pkg.Model", path="/models")

    unit = lower_unit(one({"name": "m", "image": "acme/m:1"}), Catalog(entries={"acme/m": entry}))

    assert (unit.runtime, unit.image) == ("python", "acme/m:1")
    assert unit.code == UserCode(target="pkg.Model", path="/models")


def test_an_unknown_image_is_a_container() -> None:
    unit = lower_unit(one({"name": "m", "image": "acme/m:1", "args": ["--name", "$(PREDICTIVE_UNIT_ID)"]}))

    assert unit.runtime == "container"
    assert unit.container is not None
    assert (unit.container.image, unit.container.args) == ("acme/m:1", ("--name", "m"))


@pytest.mark.parametrize(("image", "runtime"), [("mirror/xgboostserver:1", "xgboost"), ("acme/fork:1", "container")])
def test_a_users_image_on_a_prepackaged_node_wins(image: str, runtime: str) -> None:
    unit = lower_unit(sdep(predictor(componentSpecs=[pod({"name": "classifier", "image": image})])))

    assert (unit.runtime, unit.image) == (runtime, image)


def test_one_name_at_two_places_is_one_unit() -> None:
    graph = {**MODEL, "children": [MODEL]}

    assert [unit.name for unit in lower(sdep(predictor(graph=graph))).components[0].revision.units] == ["classifier"]


def test_loggers_keep_their_mode_and_sink() -> None:
    graph = {**MODEL, "logger": {"mode": "request", "url": "http://sink"}}

    assert lower(sdep(predictor(graph=graph))).components[0].revision.loggers == (
        Logger(unit=UnitName("classifier"), mode="request", url="http://sink"),
    )


def test_everything_that_cannot_run_is_told_at_once() -> None:
    graph = {
        "name": "a",
        "implementation": "TEMPO_SERVER",
        "modelUri": "gs://m",
        "parameters": [{"name": "x", "value": "one", "type": "INT"}],
        "children": [{"name": "b"}],
    }
    container = {"name": "b", "resources": {"limits": {"cpu": "many"}}}

    with pytest.raises(InvalidManifest) as caught:
        lower(sdep(predictor(graph=graph, componentSpecs=[pod(container)])))

    assert [(problem.where.path, problem.message) for problem in caught.value.problems] == [
        (
            "spec.predictors[0].graph.parameters[0].value",
            "Bad model parameter: x with value one can't be parsed as a INT",
        ),
        ("spec.predictors[0].componentSpecs[0].spec.containers[0].image", "container b has no image"),
        (
            "spec.predictors[0].componentSpecs[0].spec.containers[0].resources.limits.cpu",
            "'many' is not a quantity; write a number with an optional suffix, as 500m, 1.5 or 2Gi",
        ),
        (
            "spec.predictors[0].graph.implementation",
            "no runtime serves TEMPO_SERVER (its folders are a conda environment and a class pickled in it, which run "
            "with each other alone; serve the class as your own Python code, or the models it calls by their formats); "
            "available: HUGGINGFACE_SERVER, MLFLOW_SERVER, SKLEARN_SERVER, TENSORFLOW_SERVER, TRITON_SERVER, "
            "XGBOOST_SERVER",
        ),
    ]


def test_a_server_without_a_runtime_names_those_that_have_one() -> None:
    with pytest.raises(
        UnrunnableManifest, match=r"TEMPO_SERVER \(its .* formats\); available: HUGGINGFACE_SERVER, MLFLOW"
    ):
        lower(sdep(predictor(graph={**MODEL, "implementation": "TEMPO_SERVER"})))


@pytest.mark.parametrize(
    ("implementation", "protocol", "runtime", "variant"),
    [
        ("SKLEARN_SERVER", "seldon", "sklearn", ""),
        ("SKLEARN_SERVER", "v2", "sklearn", "mlserver"),
        ("XGBOOST_SERVER", "kfserving", "xgboost", "mlserver"),
        ("MLFLOW_SERVER", "v2", "mlflow", "mlserver"),
        ("HUGGINGFACE_SERVER", "v2", "huggingface", "mlserver"),
        ("TENSORFLOW_SERVER", "tensorflow", "tensorflow", ""),
        ("TENSORFLOW_SERVER", "seldon", "tensorflow", ""),
        ("TRITON_SERVER", "v2", "triton", ""),
    ],
)
def test_a_server_is_a_runtime_under_every_protocol_it_has(
    implementation: str, protocol: str, runtime: str, variant: str
) -> None:
    plan = lower(sdep(predictor(graph={**MODEL, "implementation": implementation}), protocol=protocol))
    (unit,) = plan.components[0].revision.units

    assert (unit.runtime, unit.variant) == (runtime, variant)


def test_mlserver_knows_no_method_and_says_so() -> None:
    method = {"name": "method", "value": "predict", "type": "STRING"}
    plan = lower(sdep(predictor(graph={**MODEL, "parameters": [method]}), protocol="v2"))

    assert plan.components[0].revision.units[0].parameters == ()
    assert "spec.predictors[0].graph.parameters: method is ignored under the v2 protocol" in plan.warnings[0]


@pytest.mark.parametrize(
    ("protocol", "wire"),
    [("", Protocol.SELDON), ("kfserving", Protocol.V2), ("v2", Protocol.V2), ("tensorflow", Protocol.TENSORFLOW)],
)
def test_the_protocol_is_the_revisions(protocol: str, wire: Protocol) -> None:
    graph = MODEL | {"implementation": "TENSORFLOW_SERVER"}
    plan = lower(sdep(predictor(graph=graph), protocol=protocol))

    assert plan.components[0].revision.protocol is wire


@pytest.mark.parametrize("name", ["../../etc", "a/b", "", "-a", "a\n", "a b", "ä"])
def test_names_that_are_more_than_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidManifest, match=r"spec\.predictors\[0\]\.name: .*name"):
        lower(sdep(predictor(name)))


def test_a_negative_share_is_refused() -> None:
    with pytest.raises(InvalidManifest, match=r"spec\.predictors\[1\]\.traffic: traffic -50 is negative"):
        lower(sdep(predictor("a", traffic=150), predictor("b", traffic=-50)))


def test_an_annotation_of_ours_that_is_misspelt_is_told_with_the_one_that_was_meant() -> None:
    doc = sdep(predictor(graph=MODEL, annotations={"fairlead.dev/max-concurrencyy": "1"}))
    doc["metadata"]["annotations"] = {"fairlead.dev/colour": "red", "seldon.io/grpc-max-message-size": "1e9"}

    warnings = lower(doc).warnings

    assert (
        "annotation fairlead.dev/max-concurrencyy is not known; did you mean fairlead.dev/max-concurrency?" in warnings
    )
    assert any(text.startswith("annotation fairlead.dev/colour is not known; there are ") for text in warnings)
    assert any(text.startswith("annotation seldon.io/grpc-max-message-size is ignored: '1e9'") for text in warnings)
