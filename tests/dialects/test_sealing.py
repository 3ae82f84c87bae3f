from typing import Any

import pytest

from support.sdep import MODEL, lower, one, pod, predictor, sdep


def digest(doc: dict[str, Any], name: str = "default") -> str:
    return next(item.revision.hash for item in lower(doc).components if item.name == name)


def test_a_hash_is_ten_hexadecimal_digits_and_stays() -> None:
    """Changing the hash of an unchanged manifest restarts every worker on the next upgrade: do it on purpose."""
    assert len(digest(sdep())) == 10
    assert int(digest(sdep()), 16) >= 0
    assert digest(sdep()) == digest(sdep())


@pytest.mark.parametrize(
    "other",
    [
        sdep(predictor(replicas=5)),
        sdep(predictor(traffic=100)),
        sdep(predictor(progressDeadlineSeconds=5)),
        sdep(annotations={"seldon.io/ambassador-service-name": "other", "unrelated": "x"}),
        sdep(predictor("first", traffic=50), predictor(traffic=50)),
        sdep(predictor(), predictor("shadow", shadow=True)),
        sdep(predictor("first", traffic=100, graph={**MODEL, "name": "elsewhere"}), predictor()),
        sdep(replicas=3, oauth_key="x"),
    ],
)
def test_what_does_not_reach_the_process_leaves_the_hash(other: dict[str, Any]) -> None:
    assert digest(other) == digest(sdep())


@pytest.mark.parametrize(
    "other",
    [
        sdep(predictor(graph={**MODEL, "modelUri": "gs://models/other"})),
        sdep(predictor(graph={**MODEL, "implementation": "XGBOOST_SERVER"})),
        sdep(predictor(graph={**MODEL, "parameters": [{"name": "method", "value": "predict"}]})),
        sdep(predictor(graph={**MODEL, "envSecretRefName": "s"})),
        sdep(predictor(labels={"version": "2"})),
        sdep(predictor(svcOrchSpec={"env": [{"name": "A", "value": "1"}]})),
        sdep(predictor(componentSpecs=[pod({"name": "classifier", "env": [{"name": "A", "value": "1"}]})])),
        sdep(predictor(componentSpecs=[pod({"name": "classifier", "resources": {"limits": {"memory": "1Gi"}}})])),
        sdep(annotations={"seldon.io/rest-timeout": "100"}),
    ],
)
def test_what_reaches_the_process_changes_the_hash(other: dict[str, Any]) -> None:
    assert digest(other) != digest(sdep())


def test_the_ports_of_a_container_are_part_of_it() -> None:
    moved = {"name": "m", "image": "acme/m:1", "ports": [{"name": "http", "containerPort": 8080}]}

    assert digest(one(moved)) != digest(one({"name": "m", "image": "acme/m:1"}))
