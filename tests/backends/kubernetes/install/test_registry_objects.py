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
