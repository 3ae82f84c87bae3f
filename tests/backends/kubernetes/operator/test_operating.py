"""The operator as a whole, over real HTTP, with Seldon's dialect."""

from dataclasses import replace

import pytest

from fairlead.backends.kubernetes.operator.comparing import APPLIED
from support.cluster import Cluster, Fault, Refusal
from support.cluster_definitions import ROUTES
from support.operators import (
    DEPLOYMENT,
    FOLLOWED,
    available,
    events,
    options,
    reconciles,
    roll_out_all,
    running_operator,
    sdep,
    state,
    until,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_a_manifest_becomes_objects_and_then_available(cluster: Cluster) -> None:
    async with running_operator(cluster):
        await cluster.create(sdep())
        await until(lambda: cluster.find("Deployment", DEPLOYMENT))
        await until(lambda: state(cluster) == "Creating")

        await roll_out_all(cluster)

        await until(lambda: state(cluster) == "Available")
    owner = cluster.get("Service", "iris-default")["metadata"]["ownerReferences"][0]
    assert owner["uid"] == cluster.get("SeldonDeployment", "iris")["metadata"]["uid"]


async def test_users_objects_get_nothing_but_a_status(cluster: Cluster) -> None:
    created = await cluster.create(sdep())

    async with running_operator(cluster):
        await available(cluster)

    stored = cluster.get("SeldonDeployment", "iris")
    same = ("uid", "generation", "annotations", "labels", "finalizers")
    assert stored["spec"] == created["spec"]
    assert {name: stored["metadata"].get(name) for name in same} == {
        name: created["metadata"].get(name) for name in same
    }


async def test_a_restarted_operator_writes_nothing(cluster: Cluster) -> None:
    await cluster.create(sdep())
    async with running_operator(cluster):
        await available(cluster)
    cluster.journal.clear()

    async with running_operator(cluster) as operator:
        await until(lambda: reconciles(operator) >= 1)

    assert set(cluster.journal.by_verb()) <= {"get", "list", "watch"}


async def test_drift_of_owned_fields_is_corrected_and_others_stay(cluster: Cluster) -> None:
    await cluster.create(sdep())
    async with running_operator(cluster):
        await until(lambda: cluster.find("Deployment", DEPLOYMENT))

        deployment = cluster.get("Deployment", DEPLOYMENT)
        mine = {"metadata": {"labels": {"team": "mine"}}, "spec": {"replicas": 5}}
        await cluster.merge(deployment, mine)
        await until(lambda: cluster.get("Deployment", DEPLOYMENT)["spec"]["replicas"] == 1)

    assert cluster.get("Deployment", DEPLOYMENT)["metadata"]["labels"]["team"] == "mine"


async def test_a_deleted_object_is_made_again(cluster: Cluster) -> None:
    await cluster.create(sdep())
    async with running_operator(cluster):
        await until(lambda: cluster.find("Service", "iris-default"))
        before = cluster.get("Service", "iris-default")

        await cluster.delete(before)

        await until(lambda: (cluster.find("Service", "iris-default") or before)["metadata"] != before["metadata"])


async def test_a_new_graph_is_up_before_the_old_one_goes(cluster: Cluster) -> None:
    await cluster.create(sdep())
    async with running_operator(cluster):
        await available(cluster)
        renamed = {"name": "other", "implementation": "SKLEARN_SERVER", "modelUri": "gs://models/iris"}
        await cluster.merge(sdep(), sdep(graph=renamed))
        await until(lambda: len(cluster.names("Deployment")) == 2)
        await until(lambda: state(cluster) == "Creating")
        assert DEPLOYMENT in cluster.names("Deployment")

        await roll_out_all(cluster)

        await until(lambda: cluster.names("Deployment") == ["iris-default-0-other"])
        await until(lambda: cluster.names("Service", "default") == ["iris-default", "iris-default-other"])


async def test_a_refused_manifest_is_told_and_what_it_ran_goes_on(cluster: Cluster) -> None:
    await cluster.create(sdep())
    async with running_operator(cluster):
        await available(cluster)

        await cluster.merge(sdep(), sdep(graph={"name": "classifier", "implementation": "NO_SUCH_SERVER"}))

        await until(lambda: state(cluster) == "Failed")
    assert cluster.names("Deployment") == [DEPLOYMENT]
    assert "NO_SUCH_SERVER" in cluster.get("SeldonDeployment", "iris")["status"]["description"]
    assert [message for reason, message in events(cluster) if "NO_SUCH_SERVER" in message]


async def test_a_deletion_leaves_everything_to_the_garbage_collector(cluster: Cluster) -> None:
    await cluster.create(sdep())
    async with running_operator(cluster) as operator:
        await available(cluster)
        await until(lambda: not len(operator.queue) and not operator.queue.working)
        cluster.journal.clear()

        await cluster.delete(sdep(), propagationPolicy="Foreground")

        await until(lambda: cluster.find("SeldonDeployment", "iris") is None)
    assert cluster.names("Deployment") == []
    assert not {"apply", "create", "delete", "update"} & set(cluster.journal.by_verb())


async def test_what_is_ready_with_the_last_write_needs_no_more_news(cluster: Cluster) -> None:
    await cluster.install([ROUTES])
    await cluster.create(sdep())
    async with running_operator(cluster):
        await available(cluster)
        await until(lambda: cluster.find("HTTPRoute", "iris"))
    await cluster.merge(cluster.get("Deployment", DEPLOYMENT), {"metadata": {"annotations": {APPLIED: "other"}}})
    await cluster.delete(cluster.get("HTTPRoute", "iris"))
    cluster.faults.add(Fault.SLOW, kinds="Deployment", where=lambda call: call.user_agent.startswith("kopf"))

    async with running_operator(cluster):
        await until(lambda: cluster.find("HTTPRoute", "iris"))


async def test_a_conflict_loses_no_change_of_the_users(cluster: Cluster) -> None:
    await cluster.create(sdep())
    rule = cluster.faults.add(Fault.CONFLICT, verbs="update", kinds="SeldonDeployment", times=3)

    async with running_operator(cluster) as operator:
        await until(lambda: cluster.find("Deployment", DEPLOYMENT))
        await cluster.merge(sdep(), {"metadata": {"labels": {"mine": "stays"}}})
        await available(cluster)
        assert reconciles(operator, "conflict") >= 1

    assert rule.happened == 3
    assert cluster.get("SeldonDeployment", "iris")["metadata"]["labels"] == {"mine": "stays"}


async def test_events_tell_of_objects_in_the_upstream_operators_words(cluster: Cluster) -> None:
    await cluster.create(sdep())

    async with running_operator(cluster):
        await available(cluster)

    assert ("CreateDeployment", f'Created Deployment "{DEPLOYMENT}"') in events(cluster)
    assert {event["source"]["component"] for event in cluster.objects("events")} == {"seldon-controller-manager"}


async def test_nothing_of_the_operator_is_in_a_pod(cluster: Cluster) -> None:
    await cluster.create(sdep())
    async with running_operator(cluster):
        await until(lambda: cluster.find("Deployment", DEPLOYMENT))

    deployment = cluster.get("Deployment", DEPLOYMENT)
    assert APPLIED in deployment["metadata"]["annotations"]
    assert APPLIED not in deployment["spec"]["template"]["metadata"].get("annotations", {})


async def test_an_operator_of_some_namespaces_touches_no_other(cluster: Cluster) -> None:
    for name in ("mine", "theirs"):
        await cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        await cluster.create(sdep(namespace=name))

    async with running_operator(cluster, chosen=options(namespaces=("mine",))):
        await until(lambda: cluster.names("Deployment", "mine"))

        await cluster.create(sdep("later", namespace="mine"))
        await until(lambda: cluster.find("Deployment", "later-default-0-classifier", "mine"))

    assert cluster.names("Deployment", "theirs") == []


async def test_the_controller_id_divides_resources_among_operators(cluster: Cluster) -> None:
    label = "seldon.io/controller-id"
    one, two = sdep("one"), sdep("two")
    one["metadata"]["labels"] = {label: "team-a"}
    await cluster.create(one)
    await cluster.create(two)

    async with running_operator(cluster, chosen=options(controller_id="team-a")):
        await until(lambda: state(cluster, "one"))

    assert cluster.names("Deployment") == ["one-default-0-classifier"]
    assert state(cluster, "two") == ""


async def test_an_operator_of_the_whole_cluster_leaves_namespaces_with_a_controller_id(cluster: Cluster) -> None:
    metadata = {"name": "other", "labels": {"seldon.io/controller-id": "team-a"}}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    await cluster.create(namespace)
    await cluster.create(sdep(namespace="other"))
    await cluster.create(sdep())

    async with running_operator(cluster):
        await until(lambda: state(cluster))
        assert cluster.names("Deployment", "other") == []

        await cluster.merge(namespace, {"metadata": {"labels": {"seldon.io/controller-id": None}}})
        await until(lambda: cluster.names("Deployment", "other"))


async def test_a_finalizer_that_the_upstream_operator_left_holds_nothing_up(cluster: Cluster) -> None:
    followed = [replace(one, left_finalizers=frozenset({"upstream.io/finalizers"})) for one in FOLLOWED]
    doc = sdep()
    doc["metadata"]["finalizers"] = ["upstream.io/finalizers", "users.own/finalizer"]
    await cluster.create(doc)

    async with running_operator(cluster, followed):
        await until(lambda: state(cluster))
        await cluster.delete(sdep())
        await until(
            lambda: cluster.get("SeldonDeployment", "iris")["metadata"]["finalizers"] == ["users.own/finalizer"]
        )


async def test_the_world_has_the_names_of_a_secrets_keys_and_no_values(cluster: Cluster) -> None:
    await cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": {"a": "Yg=="}})

    async with running_operator(cluster) as operator:
        await until(lambda: operator.world().get("Secret", "default", "keys"))

        assert (operator.world().get("Secret", "default", "keys") or {})["data"] == {"a": ""}


async def test_an_operator_that_loses_the_lead_stops_at_once(cluster: Cluster) -> None:
    async with running_operator(cluster, chosen=options(elects=True)) as operator:
        await cluster.create(sdep())
        await until(lambda: state(cluster))
        lease = cluster.get("Lease", "operator.fairlead.dev")
        taken = {**lease["spec"], "holderIdentity": "another", "leaseDurationSeconds": 3600}

        async def take() -> bool:
            try:
                await cluster.replace({**cluster.get("Lease", "operator.fairlead.dev"), "spec": taken})
            except Refusal:
                return False
            return True

        while not await take():
            pass
        await until(lambda: operator.meter.registry.get_sample_value("fairlead_operator_leader") == 0)
        await cluster.create(sdep("later"))

    assert state(cluster, "later") == ""
    assert cluster.get("Lease", "operator.fairlead.dev")["spec"]["holderIdentity"] == "another"


async def test_pods_are_asked_for_while_a_workload_is_not_ready(cluster: Cluster) -> None:
    followed = [replace(one, reads_pods=True, reads_ready_pods=False) for one in FOLLOWED]
    await cluster.create(sdep())
    async with running_operator(cluster, followed) as operator:
        await until(lambda: cluster.journal.of("list", "pods"))
        await available(cluster)
        await operator.queue.idle()
        cluster.journal.clear()
        before = reconciles(operator)

        await cluster.merge(sdep(), {"metadata": {"labels": {"a": "b"}}})
        await until(lambda: reconciles(operator) > before)

    assert cluster.journal.of("list", "pods") == []
