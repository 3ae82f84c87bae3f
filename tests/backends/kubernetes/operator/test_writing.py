"""Objects that are there already: of the upstream operators, of nobody, of somebody else, or impossible to change."""

from typing import Any

import pytest

from fairlead.backends.kubernetes.operator.resources import ObjectKey
from fairlead.backends.kubernetes.operator.writing import REPLACED, NotServed
from support.cluster import Cluster
from support.operators import DEPLOYMENT, available, roll_out_all, running_operator, sdep, state, until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
Document = dict[str, Any]


def deployment(*, labels: dict[str, str], owner: Document | None = None, containers: int = 1) -> Document:
    """As an upstream operator might have made it."""
    metadata: Document = {"name": DEPLOYMENT, "namespace": "default"}
    if owner is not None:
        reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "controller": True}
        metadata["ownerReferences"] = [
            {**reference, "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
        ]
    made = [{"name": f"container-{number}", "image": "upstream"} for number in range(containers)]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": made}},
        },
    }


def containers(cluster: Cluster) -> list[str]:
    found = cluster.get("Deployment", DEPLOYMENT)["spec"]["template"]["spec"]["containers"]
    return [container["name"] for container in found]


async def wanted_labels(cluster: Cluster) -> dict[str, str]:
    """The selector that our own Deployment has."""
    await cluster.create(sdep())
    async with running_operator(cluster):
        await until(lambda: cluster.find("Deployment", DEPLOYMENT))
    labels: dict[str, str] = cluster.get("Deployment", DEPLOYMENT)["spec"]["selector"]["matchLabels"]
    await cluster.delete(sdep())
    await until(lambda: cluster.find("Deployment", DEPLOYMENT) is None)
    return labels


async def test_what_an_upstream_operator_made_is_taken_over_in_place(cluster: Cluster) -> None:
    labels = await wanted_labels(cluster)
    owner = await cluster.create(sdep())
    before = await cluster.create(deployment(labels=labels, owner=owner, containers=3), fieldManager="manager")

    async with running_operator(cluster):
        await available(cluster)

    after = cluster.get("Deployment", DEPLOYMENT)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert containers(cluster) == ["classifier"]
    assert not [entry for entry in after["metadata"]["managedFields"] if entry["manager"] == "manager"]


async def test_what_belongs_to_nobody_is_taken_over(cluster: Cluster) -> None:
    labels = await wanted_labels(cluster)
    await cluster.create(deployment(labels=labels), fieldManager="kubectl")

    await cluster.create(sdep())
    async with running_operator(cluster):
        await available(cluster)

    assert cluster.get("Deployment", DEPLOYMENT)["metadata"]["ownerReferences"][0]["name"] == "iris"


async def test_what_belongs_to_another_is_left_and_the_status_says_whose_it_is(cluster: Cluster) -> None:
    other = await cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}})
    before = await cluster.create(deployment(labels={"a": "b"}, owner=other))

    await cluster.create(sdep())
    async with running_operator(cluster):
        await until(lambda: state(cluster) == "Failed")

    assert cluster.get("Deployment", DEPLOYMENT)["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert "belongs to ConfigMap other" in cluster.get("SeldonDeployment", "iris")["status"]["description"]


async def test_a_selector_that_new_pods_can_have_is_kept(cluster: Cluster) -> None:
    owner = await cluster.create(sdep())
    before = await cluster.create(deployment(labels={"old": "label"}, owner=owner), fieldManager="manager")

    async with running_operator(cluster):
        await available(cluster)

    after = cluster.get("Deployment", DEPLOYMENT)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"]["selector"]["matchLabels"] == {"old": "label"}
    assert after["spec"]["template"]["metadata"]["labels"]["old"] == "label"


async def test_a_deployment_whose_selector_cannot_stay_is_replaced_and_its_pods_serve_on(cluster: Cluster) -> None:
    labels = {**await wanted_labels(cluster), "seldon-app": "another"}
    owner = await cluster.create(sdep())
    old = await cluster.create(deployment(labels=labels, owner=owner), fieldManager="manager")
    replica_set = await cluster.create(_replica_set(old, labels))

    async with running_operator(cluster):
        await until(
            lambda: (cluster.find("Deployment", DEPLOYMENT) or old)["metadata"]["uid"] != old["metadata"]["uid"]
        )
        left = cluster.get("ReplicaSet", "old")
        assert left["metadata"]["labels"][REPLACED] == DEPLOYMENT
        assert not left["metadata"].get("ownerReferences")
        assert left["metadata"]["uid"] == replica_set["metadata"]["uid"]

        await roll_out_all(cluster)
        await until(lambda: cluster.find("ReplicaSet", "old") is None)


async def test_pods_left_by_an_operator_that_died_are_cleaned_up_by_the_next(cluster: Cluster) -> None:
    replaced = {"name": "old", "namespace": "default", "labels": {REPLACED: DEPLOYMENT}}
    await cluster.create({**_replica_set(None, {"old": "label"}), "metadata": replaced})
    await cluster.create(sdep())

    async with running_operator(cluster):
        await available(cluster)
        await until(lambda: cluster.find("ReplicaSet", "old") is None)


async def test_replicas_are_handed_over_to_an_autoscaler(cluster: Cluster) -> None:
    await cluster.create(sdep(replicas=4))
    async with running_operator(cluster):
        await available(cluster)

        pods = {"containers": [{"name": "classifier"}]}
        hpa = {"hpaSpec": {"minReplicas": 2, "maxReplicas": 8}, "spec": pods}
        await cluster.merge(sdep(), sdep(componentSpecs=[hpa]))
        await until(lambda: cluster.find("HorizontalPodAutoscaler", DEPLOYMENT))
        await until(lambda: "fairlead-replicas" in _managers(cluster))

    assert cluster.get("Deployment", DEPLOYMENT)["spec"]["replicas"] == 4


async def test_a_service_that_turns_headless_is_made_anew(cluster: Cluster) -> None:
    await cluster.create(sdep())
    async with running_operator(cluster):
        await available(cluster)

        await cluster.merge(sdep(), {"metadata": {"annotations": {"seldon.io/headless-svc": "true"}}})

        await until(lambda: (cluster.find("Service", "iris-default") or _NO_IP)["spec"].get("clusterIP") == "None")


_NO_IP: Document = {"spec": {}}


def _managers(cluster: Cluster) -> list[str]:
    return [entry["manager"] for entry in cluster.get("Deployment", DEPLOYMENT)["metadata"]["managedFields"]]


def _replica_set(owner: Document | None, labels: dict[str, str]) -> Document:
    metadata: Document = {"name": "old", "namespace": "default", "labels": labels}
    if owner is not None:
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "controller": True}
        metadata["ownerReferences"] = [{**reference, "name": DEPLOYMENT, "uid": owner["metadata"]["uid"]}]
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "one", "image": "upstream"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pods}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec}


def test_a_missing_kind_s_refusal_names_both_places_that_may_do_without_it() -> None:
    said = str(NotServed([ObjectKey("autoscaling", "HorizontalPodAutoscaler", "default", "iris")]))

    assert said == (
        "this cluster does not have HorizontalPodAutoscaler (autoscaling): install what brings it, or do without, by"
        " the manifest or the operator's values"
    )
