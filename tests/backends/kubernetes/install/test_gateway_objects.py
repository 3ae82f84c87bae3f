"""The gateway as it is installed: that it can do its work, and nothing else."""

from typing import Any

import pytest

from fairlead.backends.kubernetes.install import gateway_objects
from support.installing import installation, listed
from support.object_schemas import complaints

ON: dict[str, Any] = {"ownGateway": {"enabled": True}}


def made(**values: Any) -> dict[str, Any]:
    return {one["kind"]: one for one in gateway_objects.objects(installation({**ON, **values}))}


def rights(**values: Any) -> dict[str, set[tuple[str, str]]]:
    """(verb, resource) by kind of role."""
    return {
        kind: {(verb, each) for rule in one["rules"] for verb in rule["verbs"] for each in rule["resources"]}
        for kind, one in made(**values).items()
        if "rules" in one
    }


def test_it_is_there_where_it_is_asked_for() -> None:
    assert "fairlead-gateway" not in {one["metadata"]["name"] for one in listed({}).operator}
    assert "fairlead-gateway" in {one["metadata"]["name"] for one in listed(ON).operator}


@pytest.mark.parametrize("values", [{}, {"singleNamespace": True}, {"image": {"pullSecrets": ["a", {"name": "b"}]}}])
def test_a_cluster_takes_its_objects(values: dict[str, Any]) -> None:
    assert [text for one in made(**values).values() for text in complaints(one)] == []


def test_it_may_scale_and_announce_and_change_nothing_that_runs() -> None:
    of_cluster = rights()["ClusterRole"]

    writes = {right for right in of_cluster if right[0] not in ("get", "list", "watch")}
    assert writes == {("update", "deployments/scale"), ("create", "endpoints"), ("patch", "endpoints")}
    assert not any("secrets" in resource for _, resource in of_cluster)


def test_in_one_namespace_it_has_no_rights_elsewhere_but_to_read_a_setting() -> None:
    found = rights(singleNamespace=True)

    assert {resource for _, resource in found["ClusterRole"]} == {"configmaps"}
    assert ("update", "deployments/scale") in found["Role"]
    assert f"--namespace={installation(ON).namespace}" in arguments(singleNamespace=True)


def test_its_service_does_not_lead_to_the_operator() -> None:
    found, operator = made(), installation(ON).selector
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]

    assert found["Service"]["spec"]["selector"].items() <= labels.items()
    assert not operator.items() <= labels.items()


def test_pods_have_as_long_to_end_as_the_gateway_takes() -> None:
    pod = made()["Deployment"]["spec"]["template"]["spec"]
    seconds = [float(one.partition("=")[2]) for one in arguments() if one.startswith(("--linger", "--grace"))]

    assert len(seconds) == 2
    assert pod["terminationGracePeriodSeconds"] > sum(seconds)


def arguments(**values: Any) -> list[str]:
    found: list[str] = made(**values)["Deployment"]["spec"]["template"]["spec"]["containers"][0]["args"]
    return found
