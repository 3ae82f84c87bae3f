"""The registry as it is installed: on a claim, or with database and store elsewhere."""

from typing import Any

import pytest

from fairlead.backends.kubernetes.install import registry_objects
from fairlead.dialects.registered import registry_url
from support.cluster import running_cluster
from support.installing import installation, installer, listed
from support.object_schemas import complaints

ON: dict[str, Any] = {"registry": {"enabled": True}}
ELSEWHERE: dict[str, Any] = {"registry": {"enabled": True, "existingSecret": "settings", "replicas": 3}}


def made(values: dict[str, Any]) -> dict[str, Any]:
    return {one["kind"]: one for one in registry_objects.objects(installation(values))}


def test_it_is_there_where_it_is_asked_for() -> None:
    assert "fairlead-registry" not in {one["metadata"]["name"] for one in listed({}).operator}
    assert "fairlead-registry" in {one["metadata"]["name"] for one in listed(ON).operator}


@pytest.mark.parametrize(
    "values",
    [
        ON,
        ELSEWHERE,
        {**ON, "image": {"pullSecrets": ["a"]}},
        {"registry": {"enabled": True, "storage": {"className": "ssd"}}},
    ],
)
def test_a_cluster_takes_its_objects(values: dict[str, Any]) -> None:
    assert [text for one in made(values).values() for text in complaints(one)] == []


def test_on_a_claim_there_is_one_at_a_time() -> None:
    spec = made({"registry": {"enabled": True, "replicas": 3}})["Deployment"]["spec"]

    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_with_its_things_elsewhere_there_is_no_claim_and_all_of_it_sign_with_one_key() -> None:
    objects = made(ELSEWHERE)
    spec = objects["Deployment"]["spec"]
    container = spec["template"]["spec"]["containers"][0]

    assert "PersistentVolumeClaim" not in objects
    assert (spec["replicas"], spec["strategy"]) == (3, {"type": "RollingUpdate"})
    assert container["envFrom"] == [{"secretRef": {"name": "settings"}}]
    assert "/data/registry/secret_key" in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_workloads_find_it_by_its_service() -> None:
    service = made(ON)["Service"]["metadata"]

    assert registry_url(installation(ON).settings) == (
        f"http://{service['name']}.{service['namespace']}.svc.cluster.local"
    )


@pytest.mark.anyio
@pytest.mark.slow
async def test_its_claim_stays_when_the_installation_goes() -> None:
    values = {**ON, "webhook": {"enabled": False}}
    async with running_cluster() as cluster, installer(cluster) as (work, _):
        await work.install(listed(values), timeout_s=60)
        await work.uninstall(listed(values), with_definitions=False)

        assert [one["metadata"]["name"] for one in cluster.objects("persistentvolumeclaims")] == ["fairlead-registry"]
        assert cluster.objects("deployments") == []


def rights(**values: Any) -> dict[str, set[tuple[str, str]]]:
    """(verb, resource) by kind of role."""
    return {
        kind: {(verb, each) for rule in one["rules"] for verb in rule["verbs"] for each in rule["resources"]}
        for kind, one in made({"registry": {"enabled": True, **values.pop("registry", {})}, **values}).items()
        if "rules" in one
    }


def test_it_may_deploy_and_look_and_change_nothing_else() -> None:
    found = rights()

    writes = {right for right in found["ClusterRole"] if right[0] not in ("get", "list", "watch")}
    verbs = ("create", "update", "delete")
    own = {(verb, resource) for verb in verbs for resource in ("bentodeployments", "bentorequests")}
    assert writes == {*own, ("create", "namespaces")}
    assert found.keys() == {"ClusterRole"}


def test_it_reads_no_secrets_unless_it_is_asked_to_keep_some() -> None:
    assert not any("secrets" in resource for _, resource in rights()["ClusterRole"])
    assert ("get", "secrets") in rights(registry={"deploySecrets": True})["ClusterRole"]


def test_it_may_write_no_rights_and_no_workloads_and_get_into_no_pod() -> None:
    found = rights(registry={"deploySecrets": True})["ClusterRole"]

    kinds = {resource for _, resource in found}
    assert not kinds & {"*", "roles", "clusterroles", "rolebindings", "deployments", "jobs", "pods/exec", "nodes"}
    assert {verb for verb, resource in found if resource.startswith("pods")} == {"get", "list", "watch"}


def test_in_one_namespace_it_has_no_rights_elsewhere_and_makes_no_namespaces() -> None:
    found = rights(singleNamespace=True)

    assert found.keys() == {"Role"}
    assert ("create", "bentodeployments") in found["Role"]
    assert "namespaces" not in {resource for _, resource in found["Role"]}
    container = made({**ON, "singleNamespace": True})["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert container["args"][-2:] == ["--deploys", "--namespace=fairlead-system"]


def test_one_that_does_not_deploy_is_nobody_in_the_cluster() -> None:
    objects = made({"registry": {"enabled": True, "deploys": False}})
    pod = objects["Deployment"]["spec"]["template"]["spec"]

    assert objects.keys() == {"PersistentVolumeClaim", "Service", "Deployment"}
    assert pod["automountServiceAccountToken"] is False
    assert "--deploys" not in pod["containers"][0]["args"]
