from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.dialects.kserve.serving_runtime.builtin import built_in_runtimes
from fairlead.dialects.kserve.serving_runtime.reading import Runtimes, read, runtimes_for
from fairlead.dialects.kserve.serving_runtime.schema import CLUSTER_KIND, KIND, SERVER_TYPE, ServingRuntime
from fairlead.dialects.kserve.serving_runtime.selection import PROTOCOLS, NoRuntime, Request, ordered, select
from support.stored_docs import DocumentWorld

SHIPPED = Runtimes((), tuple(read(doc, CLUSTER_KIND) for doc in built_in_runtimes()))


def runtime(name: str = "mine", *formats: dict[str, Any], created: str = "", **spec: Any) -> ServingRuntime:
    entries = list(formats) or [{"name": "sklearn", "autoSelect": True}]
    document = {
        "metadata": {"name": name, "creationTimestamp": created},
        "spec": {"containers": [{"name": "kserve-container"}], "supportedModelFormats": entries, **spec},
    }
    return ServingRuntime.model_validate(document)


def chosen(request: Request, *namespaced: ServingRuntime, cluster: tuple[ServingRuntime, ...] = ()) -> str:
    return select(request, Runtimes(namespaced, cluster)).runtime.metadata.name


def refused(request: Request, *namespaced: ServingRuntime) -> NoRuntime:
    with pytest.raises(NoRuntime) as caught:
        select(request, Runtimes(namespaced))
    return caught.value


@pytest.mark.parametrize(
    ("model_format", "protocol", "expected"),
    [
        ("sklearn", None, "kserve-sklearnserver"),
        ("xgboost", None, "kserve-xgbserver"),
        ("lightgbm", None, "kserve-lgbserver"),
        ("sklearn", "v2", "kserve-mlserver"),
        ("xgboost", "v2", "kserve-mlserver"),
        ("mlflow", "v2", "kserve-mlserver"),
        ("tensorflow", None, "kserve-tensorflow-serving"),
        ("tensorflow", "v2", "kserve-tritonserver"),
        ("pytorch", None, "kserve-torchserve"),
        ("onnx", "v2", "kserve-tritonserver"),
        ("huggingface", None, "kserve-huggingfaceserver"),
        ("vLLM", "v2", "kserve-vllmserver"),
        ("pmml", None, "kserve-pmmlserver"),
        ("paddle", None, "kserve-paddleserver"),
        ("autogluon", None, "kserve-autogluonserver"),
    ],
)
def test_a_format_gets_the_runtime_that_an_installation_has_for_it(
    model_format: str, protocol: str | None, expected: str
) -> None:
    assert select(Request(format=model_format, protocol=protocol), SHIPPED).runtime.metadata.name == expected


@pytest.mark.parametrize("model_format", ["mlflow", "onnx", "catboost", "SKLearn"])
def test_a_format_that_nobody_serves_over_v1_finds_none(model_format: str) -> None:
    with pytest.raises(NoRuntime) as caught:
        select(Request(format=model_format), SHIPPED)

    text = f"no runtime found to support predictor with model type: {{{model_format} <nil>}}"
    assert str(caught.value).startswith(f"{text}; ")
    assert (caught.value.failure, caught.value.told) == (
        "NoSupportingRuntime",
        "No runtime found to support specified framework/version",
    )


def test_a_model_of_several_nodes_gets_a_runtime_for_those() -> None:
    request = Request(format="huggingface", is_multi_node=True)

    assert select(request, SHIPPED).runtime.metadata.name == "kserve-huggingfaceserver-multinode"


def test_versions_are_compared_as_text() -> None:
    versioned = {"name": "sklearn", "version": "1", "autoSelect": True}

    assert chosen(Request(format="sklearn", version="1"), runtime("mine", versioned)) == "mine"
    assert "{sklearn 1.0}" in str(refused(Request(format="sklearn", version="1.0"), runtime("mine", versioned)))
    assert "{sklearn 1}" in str(refused(Request(format="sklearn", version="1"), runtime("mine")))
    assert chosen(Request(format="sklearn"), runtime("mine", versioned)) == "mine"


def test_a_runtime_of_the_namespace_beats_every_priority_of_the_cluster() -> None:
    low, high = ({"name": "sklearn", "autoSelect": True, "priority": priority} for priority in (1, 9))

    assert chosen(Request(format="sklearn"), runtime("own", low), cluster=(runtime("all", high),)) == "own"


@pytest.mark.parametrize("unfit", [{"disabled": True}, {"multiModel": True}, {"protocolVersions": ["v2"]}])
def test_a_runtime_that_does_not_fit_is_passed_over(unfit: dict[str, Any]) -> None:
    assert chosen(Request(format="sklearn"), runtime("a", **unfit), runtime("b")) == "b"


def test_only_formats_that_offer_themselves_are_chosen() -> None:
    shy = runtime("mine", {"name": "sklearn"})

    assert refused(Request(format="sklearn"), shy).failure == "NoSupportingRuntime"
    assert chosen(Request(format="sklearn", runtime="mine"), shy) == "mine"


def test_a_missing_protocol_becomes_the_best_of_the_runtime() -> None:
    found = select(
        Request(format="sklearn", runtime="m"), Runtimes((runtime("m", protocolVersions=["grpc-v2", "v2"]),))
    )

    assert found.protocol == "v2"
    assert select(Request(format="sklearn"), Runtimes((runtime(),))).protocol is None


@pytest.mark.parametrize(
    ("request_", "stored", "text", "hint", "failure", "told"),
    [
        (
            Request(format="sklearn", runtime="gone"),
            runtime("mine"),
            "No ServingRuntimes or ClusterServingRuntimes with the name: gone",
            "the runtimes are mine",
            "RuntimeNotRecognized",
            "Waiting for runtime to become available",
        ),
        (
            Request(format="sklearn", runtime="mine"),
            runtime("mine", disabled=True),
            "specified runtime mine is disabled",
            "take `disabled` out of the ServingRuntime, or `runtime` out of the model",
            "RuntimeDisabled",
            "Specified runtime is disabled",
        ),
        (
            Request(format="sklearn", runtime="mine", protocol="v2"),
            runtime("mine", protocolVersions=["v1"]),
            "specified runtime mine does not support specified protocol version",
            "protocolVersion: it speaks v1",
            "NoSupportingRuntime",
            "Specified runtime does not support specified protocol version",
        ),
        (
            Request(format="xgboost", runtime="mine"),
            runtime("mine"),
            "specified runtime mine does not support specified framework/version",
            "it serves sklearn",
            "NoSupportingRuntime",
            "Specified runtime does not support specified framework/version",
        ),
    ],
    ids=["unknown", "disabled", "protocol", "format"],
)
def test_a_runtime_that_was_named_and_does_not_serve_says_why(
    request_: Request, stored: ServingRuntime, text: str, hint: str, failure: str, told: str
) -> None:
    error = refused(request_, stored)

    assert (str(error), error.failure, error.told) == (f"{text}; {hint}", failure, told)


@pytest.mark.parametrize(
    ("request_", "hint"),
    [
        (Request(format="skleam"), "did you mean sklearn?"),
        (Request(format="SKLearn"), "did you mean sklearn?"),
        (Request(format="cobol"), "the formats that are served are autogluon, huggingface, lightgbm, "),
        (
            Request(format="mlflow"),
            "protocolVersion: mlflow is served over v2, not v1, which is what a model without protocolVersion asks for",
        ),
        (Request(format="sklearn", protocol="v3"), "protocolVersion: sklearn is served over v1, v2, not v3"),
        (Request(format="sklearn", version="1.4"), "sklearn is served in the versions 0, 1"),
        (Request(format="sklearn", runtime="kserve-skleanserver"), "did you mean kserve-sklearnserver?"),
    ],
)
def test_a_refusal_says_what_would_be_served(request_: Request, hint: str) -> None:
    with pytest.raises(NoRuntime) as caught:
        select(request_, SHIPPED)

    assert f"; {hint}" in str(caught.value)


def test_what_was_chosen_is_told_with_its_server() -> None:
    found = select(Request(format="sklearn"), SHIPPED).resolved()

    assert (found["kind"], found["name"], found["serverType"]) == (
        "ClusterServingRuntime",
        "kserve-sklearnserver",
        "sklearnserver",
    )
    assert found["spec"]["containers"][0]["image"] == "kserve/sklearnserver:latest"


def test_a_server_may_be_named_among_the_annotations_of_the_pods() -> None:
    named = runtime("mine", annotations={SERVER_TYPE: "mlserver"})

    assert select(Request(format="sklearn"), Runtimes((named,))).resolved()["serverType"] == "mlserver"


def test_runtimes_of_other_namespaces_are_not_seen() -> None:
    documents = [
        {
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": KIND,
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"containers": [{"name": "kserve-container"}]},
        }
        for namespace, name in (("a", "mine"), ("b", "theirs"))
    ]
    found = runtimes_for("a", DocumentWorld([*documents, *built_in_runtimes()]))

    assert [one.metadata.name for one in found.namespaced] == ["mine"]
    assert len(found.cluster) == len(built_in_runtimes())


RUNTIMES = st.lists(
    st.builds(
        lambda name, priority, protocols, created: runtime(
            name,
            {"name": "sklearn", "autoSelect": True, **({"priority": priority} if priority else {})},
            created=created,
            protocolVersions=protocols,
        ),
        st.sampled_from("abcdefgh"),
        st.one_of(st.none(), st.integers(1, 3)),
        st.lists(st.sampled_from([*PROTOCOLS, "v9"]), max_size=2),
        st.sampled_from(["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]),
    ),
    max_size=6,
    unique_by=lambda one: one.metadata.name,
)


def rank(one: ServingRuntime) -> tuple[int, int, str]:
    """The order in words: priority, protocol; of the rest the newest."""
    priority = one.spec.supported_model_formats[0].priority
    ranks = [PROTOCOLS.index(protocol) for protocol in one.spec.protocol_versions if protocol in PROTOCOLS]
    return -priority if priority else 0, min(ranks, default=len(PROTOCOLS)), one.metadata.name


@given(RUNTIMES)
def test_the_order_is_priority_then_protocol_then_age_then_name(runtimes: list[ServingRuntime]) -> None:
    found = ordered(runtimes, "sklearn")

    for before, after in pairwise(found):
        assert rank(before)[:2] <= rank(after)[:2]
        if rank(before)[:2] == rank(after)[:2]:
            older, newer = after.metadata.creation_timestamp, before.metadata.creation_timestamp
            assert newer > older or (newer == older and before.metadata.name < after.metadata.name)


@given(RUNTIMES, st.randoms())
def test_the_order_in_which_runtimes_are_stored_does_not_matter(runtimes: list[ServingRuntime], random: Any) -> None:
    mixed = list(runtimes)
    random.shuffle(mixed)

    assert ordered(mixed, "sklearn") == ordered(runtimes, "sklearn")
