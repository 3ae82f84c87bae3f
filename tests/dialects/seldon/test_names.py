from typing import Any

import pytest

from fairlead.dialects.seldon import names
from fairlead.dialects.seldon.reading import read
from fairlead.dialects.seldon.schema import SeldonDeployment
from support.sdep import pod, predictor, sdep

LONG = "C123456789" + "1234567890" * 5


def deployment(*predictors: dict[str, Any], name: str) -> SeldonDeployment:
    return read(sdep(*predictors, name=name))


def test_names_follow_the_operator() -> None:
    found = deployment(predictor(componentSpecs=[pod({"name": "classifier"})]), name="iris-model")
    first = found.spec.predictors[0]

    assert names.seldon_id(found) == "iris-model"
    assert names.predictor_key(found, first) == "iris-model-default"
    assert names.deployment_names(found, first) == ["iris-model-default-0-classifier"]
    assert names.container_service(found, first, "classifier") == "iris-model-default-classifier"


def test_a_long_name_becomes_its_digest() -> None:
    """The digest is the one that the operator gives for these names."""
    found = deployment(predictor(LONG, componentSpecs=[pod({"name": "m"})]), name="s")
    first = found.spec.predictors[0]

    assert names.deployment_names(found, first) == ["seldon-10eb0f02cdc303e74043e57c1d8147ab"]
    assert names.predictor_key(found, first) == f"s-{LONG}"


def test_a_long_name_can_keep_the_deployments_own_before_its_digest() -> None:
    """`DEPLOYMENT_NAME_AS_PREFIX` upstream; a name that would still be too long does without."""
    found = deployment(predictor(LONG, componentSpecs=[pod({"name": "m"})]), name="s")
    longer = deployment(predictor(LONG, componentSpecs=[pod({"name": "m"})]), name="s" * 31)

    name = names.deployment_name(found, found.spec.predictors[0], 0, keeps_prefix=True)
    assert name == "s-10eb0f02cdc303e74043e57c1d8147ab"
    assert names.deployment_name(longer, longer.spec.predictors[0], 0, keeps_prefix=True).startswith("seldon-")


def test_a_service_name_in_an_annotation_is_taken_verbatim() -> None:
    found = deployment(predictor(annotations={"seldon.io/svc-name": "my-svc"}), name="iris")

    assert names.predictor_key(found, found.spec.predictors[0]) == "my-svc"


def test_the_name_of_a_pod_replaces_those_of_its_containers() -> None:
    named = {"metadata": {"name": "mine"}, **pod({"name": "a"}, {"name": "b"})}
    found = deployment(predictor(componentSpecs=[named, pod({"name": "c"}, {"name": "d"}), pod()]), name="x")

    assert names.deployment_names(found, found.spec.predictors[0]) == ["x-default-0-mine", "x-default-1-c-d"]


@pytest.mark.parametrize(
    ("container", "name"),
    [("classifier", "classifier-model-initializer"), ("a" * 62, "a" * 62), ("a" * 60, "a" * 60 + "-mo")],
)
def test_the_init_containers_name_is_cut(container: str, name: str) -> None:
    assert names.init_container(container) == name
