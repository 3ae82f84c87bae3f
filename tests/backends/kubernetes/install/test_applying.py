"""Installing, upgrading and uninstalling over real HTTP, against the API server double."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from fairlead.backends.kubernetes.install import upstream
from fairlead.backends.kubernetes.install.seeding import seeded
from fairlead.errors import DeadlineExceeded
from support.cluster import Cluster, running_cluster
from support.installing import installer, listed

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
PLACE = "fairlead-system"
GROUPS = {"machinelearning.seldon.io", "serving.kserve.io"}
UNASKED = {"webhook": {"enabled": False}}
"""Values of an installation whose operator need not run for a resource to be stored."""
SDEP: dict[str, Any] = {
    "apiVersion": "machinelearning.seldon.io/v1",
    "kind": "SeldonDeployment",
    "metadata": {"name": "iris", "namespace": "default"},
    "spec": {"predictors": [{"name": "default", "graph": {"name": "m", "implementation": "SIMPLE_MODEL"}}]},
}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with running_cluster() as running:
        yield running


async def test_everything_is_there_when_it_returns(cluster: Cluster) -> None:
    async with installer(cluster) as (work, said):
        await work.install(listed(UNASKED, is_whole=True), timeout_s=60)

    assert cluster.get("Deployment", "fairlead-operator", PLACE)["status"]["availableReplicas"] == 1
    assert "SeldonDeployment" in {crd["spec"]["names"]["kind"] for crd in cluster.objects("customresourcedefinitions")}
    assert "deployment.apps/fairlead-operator created" in said
    await cluster.create(SDEP)


async def test_a_second_time_changes_nothing(cluster: Cluster) -> None:
    async with installer(cluster) as (work, said):
        await work.install(listed(), timeout_s=60)
        said.clear()
        await work.install(listed(), timeout_s=60)

    assert [line for line in said if not line.endswith(" unchanged")] == []


async def test_an_upgrade_changes_what_differs(cluster: Cluster) -> None:
    async with installer(cluster) as (work, said):
        await work.install(listed(), timeout_s=60)
        said.clear()
        await work.install(listed({"image": {"tag": "2"}}), timeout_s=60)

    changed = {line.split()[0] for line in said if line.endswith(" configured")}
    assert changed == {"configmap/fairlead-values", "deployment.apps/fairlead-operator"}


async def test_the_certificate_and_the_authorities_survive_an_upgrade(cluster: Cluster) -> None:
    async with installer(cluster) as (work, _):
        await work.install(listed(), timeout_s=60)
        secret = cluster.get("Secret", "fairlead-webhook-certificate", PLACE)
        await cluster.merge(secret, {"data": {"tls.crt": "eA=="}})
        hooks = cluster.get("ValidatingWebhookConfiguration", "fairlead.fairlead-system", "")
        mine = [{"name": hook["name"], "clientConfig": {"caBundle": "eA=="}} for hook in hooks["webhooks"]]
        await cluster.apply({**_bare(hooks), "webhooks": mine}, manager="fairlead-webhooks", force=True)
        await work.install(listed({"image": {"tag": "2"}}), timeout_s=60)

    assert cluster.get("Secret", "fairlead-webhook-certificate", PLACE)["data"] == {"tls.crt": "eA=="}
    hooks = cluster.get("ValidatingWebhookConfiguration", "fairlead.fairlead-system", "")
    assert {hook["clientConfig"]["caBundle"] for hook in hooks["webhooks"]} == {"eA=="}


def _bare(doc: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": doc["apiVersion"], "kind": doc["kind"], "metadata": {"name": doc["metadata"]["name"]}}


async def test_an_operator_that_does_not_come_up_is_told_with_its_reason(cluster: Cluster) -> None:
    async with installer(cluster, is_rolling_out=False) as (work, _):
        with pytest.raises(DeadlineExceeded, match=r"deployment\.apps/fairlead-operator was waited for to be ready"):
            await work.install(listed(), timeout_s=5)


async def test_uninstalling_leaves_users_and_definitions_alone(cluster: Cluster) -> None:
    async with installer(cluster) as (work, said):
        await work.install(listed(UNASKED), timeout_s=60)
        await cluster.create(SDEP)
        for seed in map(seeded, listed().seeds):
            await cluster.apply(seed, manager="fairlead-seeds.fairlead-system")
        runtime = cluster.get("ClusterServingRuntime", "kserve-xgbserver", "")
        await cluster.merge(runtime, {"spec": {"disabled": True}})
        said.clear()
        await work.uninstall(listed(), with_definitions=False)

    assert cluster.names("SeldonDeployment", "default") == ["iris"]
    assert len(cluster.objects("customresourcedefinitions")) == len(listed().definitions)
    assert cluster.names("ClusterServingRuntime") == ["kserve-xgbserver"]
    assert cluster.names("Deployment") == []
    assert cluster.names("ClusterRole") == []
    assert cluster.names("ValidatingWebhookConfiguration") == []
    assert "clusterservingruntime.serving.kserve.io/kserve-xgbserver kept: test changed it" in said


async def test_uninstalling_twice_is_quiet(cluster: Cluster) -> None:
    async with installer(cluster) as (work, said):
        await work.install(listed(), timeout_s=60)
        await work.uninstall(listed(), with_definitions=True)
        said.clear()
        await work.uninstall(listed(), with_definitions=True)

    assert said == []
    assert cluster.objects("customresourcedefinitions") == []


async def test_what_would_go_with_the_definitions_is_counted(cluster: Cluster) -> None:
    async with installer(cluster) as (work, _):
        await work.install(listed({**UNASKED, "runtimes": {"create": False}}), timeout_s=60)
        await cluster.create(SDEP)

        assert await work.counted(listed()) == {"SeldonDeployment": 1}


async def test_a_definition_that_upstream_converted_is_taken_over(cluster: Cluster) -> None:
    await cluster.create(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "llminferenceservices.serving.kserve.io"},
            "spec": {
                "group": "serving.kserve.io",
                "names": {
                    "kind": "LLMInferenceService",
                    "listKind": "LLMInferenceServiceList",
                    "plural": "llminferenceservices",
                    "singular": "llminferenceservice",
                },
                "scope": "Namespaced",
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {
                        "conversionReviewVersions": ["v1"],
                        "clientConfig": {"service": {"name": "llmisvc-webhook", "namespace": "kserve"}},
                    },
                },
                "versions": [
                    {
                        "name": "v1alpha1",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                    }
                ],
            },
        }
    )

    async with installer(cluster) as (work, _):
        await work.install(listed(), timeout_s=60)

    spec = cluster.get("CustomResourceDefinition", "llminferenceservices.serving.kserve.io", "")["spec"]
    assert spec["conversion"] == {"strategy": "None"}
    assert [version["name"] for version in spec["versions"]] == ["v1alpha2", "v1alpha1"]


async def _leave_upstream(cluster: Cluster) -> None:
    labels = {"app": "seldon"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "manager", "image": "x"}]}}
    await cluster.create(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "seldon-controller-manager", "namespace": "default"},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod},
        }
    )
    service = {"service": {"name": "kserve-webhook-server-service", "namespace": "kserve", "path": "/x"}}
    rule = {"apiGroups": ["serving.kserve.io"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
    for name, groups in (("inferenceservice.serving.kserve.io", "serving.kserve.io"), ("other", "example.com")):
        await cluster.create(
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": name},
                "webhooks": [
                    {
                        "name": f"a.{groups}.io",
                        "admissionReviewVersions": ["v1"],
                        "clientConfig": service,
                        "sideEffects": "None",
                        "rules": [{**rule, "apiGroups": [groups]}],
                    }
                ],
            }
        )


async def test_upstream_operators_are_found_and_the_way_out_is_told(cluster: Cluster) -> None:
    await _leave_upstream(cluster)

    async with installer(cluster) as (work, _):
        found = await upstream.find(work.cluster, GROUPS, "fairlead.fairlead-system")

    assert found.running == (("default", "seldon-controller-manager"),)
    assert found.webhooks == (("validatingwebhookconfigurations", "inferenceservice.serving.kserve.io"),)
    assert "kubectl scale deployment seldon-controller-manager -n default --replicas=0" in found.advice()
    assert "kubectl delete validatingwebhookconfigurations inferenceservice.serving.kserve.io" in found.advice()


async def test_taking_over_stops_them_and_leaves_the_rest(cluster: Cluster) -> None:
    await _leave_upstream(cluster)

    async with installer(cluster) as (work, _):
        done = await upstream.end(work.cluster, await upstream.find(work.cluster, GROUPS, "fairlead.fairlead-system"))
        assert not await upstream.find(work.cluster, GROUPS, "fairlead.fairlead-system")

    assert len(done) == 2
    assert cluster.get("Deployment", "seldon-controller-manager")["spec"]["replicas"] == 0
    assert cluster.names("ValidatingWebhookConfiguration") == ["other"]


async def test_our_own_webhooks_are_nobody_elses(cluster: Cluster) -> None:
    async with installer(cluster) as (work, _):
        await work.install(listed(), timeout_s=60)

        assert not await upstream.find(work.cluster, GROUPS, "fairlead.fairlead-system")
