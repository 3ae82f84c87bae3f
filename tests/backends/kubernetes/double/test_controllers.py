"""What lives beside the API server: roll-outs, pods with fates, autoscalers, routes, Knative."""

from typing import Any

import pytest

from support.cluster import Cluster, Fate
from support.cluster_definitions import ROUTES, free_definition

pytestmark = pytest.mark.anyio

Document = dict[str, Any]


def deployment(replicas: int = 2, image: str = "example.com/iris:1", **pod: Any) -> Document:
    containers = [{"name": "main", "image": image}]
    template = {"metadata": {"labels": {"app": "iris"}}, "spec": {"containers": containers, **pod}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "iris"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "iris"}}, "template": template},
    }


def conditions(document: Document) -> dict[str, tuple[str, str]]:
    return {item["type"]: (item["status"], item.get("reason", "")) for item in document["status"]["conditions"]}


async def test_a_deployment_becomes_pods_that_are_ready(cluster: Cluster) -> None:
    await cluster.create(deployment())

    cluster.settle()

    found = cluster.get("Deployment", "iris")
    assert {key: found["status"][key] for key in ("replicas", "readyReplicas", "availableReplicas")} == {
        "replicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
    }
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
    assert conditions(found) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }
    (replica_set,) = cluster.objects("ReplicaSet")
    assert replica_set["metadata"]["ownerReferences"][0]["kind"] == "Deployment"
    assert all(pod["metadata"]["name"].startswith(replica_set["metadata"]["name"]) for pod in cluster.objects("Pod"))


async def test_a_deployment_comes_in_steps(cluster: Cluster) -> None:
    await cluster.create(deployment())

    cluster.step()

    assert "availableReplicas" not in cluster.get("Deployment", "iris").get("status", {})


async def test_the_old_pods_stay_until_the_new_ones_are_ready(cluster: Cluster) -> None:
    await cluster.create(deployment())
    cluster.settle()
    cluster.world.pods.default = Fate.READY
    new = deployment(image="example.com/iris:2")
    cluster.world.pods.default = Fate.STARTING
    for pod in cluster.objects("Pod"):
        cluster.world.pods.meet(Fate.READY, name=pod["metadata"]["name"])
    await cluster.replace(new)

    cluster.settle()
    during = sorted(pod["spec"]["containers"][0]["image"][-1] for pod in cluster.objects("Pod"))
    cluster.world.pods.default = Fate.READY
    cluster.settle()

    assert during == ["1", "1", "2", "2"]
    assert [pod["spec"]["containers"][0]["image"][-1] for pod in cluster.objects("Pod")] == ["2", "2"]


@pytest.mark.parametrize(
    ("fate", "phase", "reason"),
    [
        (Fate.CRASH, "Running", "CrashLoopBackOff"),
        (Fate.IMAGE_PULL, "Pending", "ImagePullBackOff"),
        (Fate.UNSCHEDULABLE, "Pending", ""),
    ],
)
async def test_pods_fail_as_pods_do(cluster: Cluster, fate: Fate, phase: str, reason: str) -> None:
    cluster.world.pods.meet(fate, labels={"app": "iris"})
    await cluster.create(deployment(1))

    cluster.settle()

    (pod,) = cluster.objects("Pod")
    assert pod["status"]["phase"] == phase
    states = pod["status"].get("containerStatuses") or ()
    assert [state["state"]["waiting"]["reason"] for state in states] == ([reason] if reason else [])
    assert conditions(cluster.get("Deployment", "iris"))["Available"] == ("False", "MinimumReplicasUnavailable")


async def test_an_init_container_that_fails_says_why(cluster: Cluster) -> None:
    cluster.world.pods.meet(Fate.INIT_FAILURE)
    await cluster.create(deployment(1, initContainers=[{"name": "init", "image": "example.com/init:1"}]))

    cluster.settle()

    (pod,) = cluster.objects("Pod")
    (state,) = pod["status"]["initContainerStatuses"]
    assert state["lastState"]["terminated"]["message"] == "failed to download the model"
    assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"


async def test_a_deadline_passes_when_the_test_says_so(cluster: Cluster) -> None:
    cluster.world.pods.default = Fate.CRASH
    cluster.world.deployments.late.add(("default", "iris"))
    await cluster.create(deployment(1))

    cluster.settle()

    assert conditions(cluster.get("Deployment", "iris"))["Progressing"] == ("False", "ProgressDeadlineExceeded")


RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


async def test_a_restricted_namespace_takes_the_deployment_and_refuses_its_pods(cluster: Cluster) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    await cluster.merge(namespace, {"metadata": {"labels": RESTRICTED}})
    await cluster.create(deployment())

    cluster.settle()

    found = cluster.get("Deployment", "iris")
    assert cluster.names("Pod") == []
    assert conditions(found)["ReplicaFailure"] == ("True", "FailedCreate")
    (failure,) = [item for item in found["status"]["conditions"] if item["type"] == "ReplicaFailure"]
    assert (
        'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "main"'
        in failure["message"]
    )


async def test_a_restricted_namespace_runs_pods_that_are(cluster: Cluster) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    await cluster.merge(namespace, {"metadata": {"labels": RESTRICTED}})
    own = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    safe = deployment(securityContext={"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}})
    safe["spec"]["template"]["spec"]["containers"][0]["securityContext"] = own
    await cluster.create(safe)

    cluster.settle()

    assert len(cluster.names("Pod")) == 2


async def test_pods_go_with_their_deployment(cluster: Cluster) -> None:
    await cluster.create(deployment())
    cluster.settle()

    await cluster.delete(deployment())
    cluster.settle()

    assert cluster.names("Pod") == cluster.names("ReplicaSet") == []


async def test_an_autoscaler_owns_the_replicas_it_sets(cluster: Cluster) -> None:
    await cluster.apply(deployment(1))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "iris"}
    body = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "iris"}}
    await cluster.create({**body, "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3}})
    cluster.world.autoscalers.wanted[("default", "iris")] = 9

    cluster.settle()

    found = cluster.get("Deployment", "iris")
    assert found["spec"]["replicas"] == 3
    assert cluster.get("HorizontalPodAutoscaler", "iris")["status"]["desiredReplicas"] == 3
    fields = {entry["manager"]: entry["fieldsV1"] for entry in found["metadata"]["managedFields"]}
    assert "f:replicas" not in fields["test"]["f:spec"]


async def test_a_job_ends_with_its_pod(cluster: Cluster) -> None:
    cluster.world.pods.default = Fate.SUCCEEDED
    container = {"name": "load", "image": "example.com/load:1"}
    spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
    await cluster.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "load"}, "spec": spec})

    cluster.settle()

    assert conditions(cluster.get("Job", "load"))["Complete"] == ("True", "CompletionsReached")


async def test_a_controller_that_is_off_does_nothing(cluster: Cluster) -> None:
    cluster.world.off.add(cluster.world.deployments)
    await cluster.create(deployment())

    cluster.settle()

    assert cluster.names("ReplicaSet") == []


async def test_a_gateway_accepts_routes_whose_services_are_there(cluster: Cluster) -> None:
    group = "gateway.networking.k8s.io"
    await cluster.create(ROUTES)
    rules = [{"backendRefs": [{"name": "iris", "port": 80}]}]
    spec = {"parentRefs": [{"name": "gateway"}], "rules": rules}
    await cluster.create({"apiVersion": f"{group}/v1", "kind": "HTTPRoute", "metadata": {"name": "r"}, "spec": spec})

    cluster.settle()
    before = conditions({"status": cluster.get("HTTPRoute", "r")["status"]["parents"][0]})
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "iris"}, "spec": {"ports": [{"port": 80}]}}
    await cluster.create(service)
    cluster.settle()
    after = conditions({"status": cluster.get("HTTPRoute", "r")["status"]["parents"][0]})

    assert before == {"Accepted": ("True", "Accepted"), "ResolvedRefs": ("False", "BackendNotFound")}
    assert after["ResolvedRefs"] == ("True", "ResolvedRefs")


async def test_a_knative_service_has_revisions(cluster: Cluster) -> None:
    group = "serving.knative.dev"
    await cluster.create(free_definition(group, "Service"))
    await cluster.create(free_definition(group, "Revision"))
    template = {"spec": {"containers": [{"image": "example.com/iris:1"}]}}
    service: Document = {"apiVersion": f"{group}/v1", "kind": "Service", "metadata": {"name": "iris"}}
    await cluster.create({**service, "spec": {"template": template}})
    cluster.settle()
    first = cluster.get(f"services.{group}", "iris")["status"]

    cluster.world.knative.failing.add("iris-00002")
    changed = {"spec": {"template": {"spec": {"containers": [{"image": "example.com/iris:2"}]}}}}
    await cluster.merge(service, changed)
    cluster.settle()
    second = cluster.get(f"services.{group}", "iris")["status"]

    assert conditions({"status": first})["Ready"] == ("True", "")
    assert first["latestReadyRevisionName"] == "iris-00001"
    assert first["url"] == "http://iris.default.example.com"
    assert conditions({"status": second})["Ready"] == ("False", "RevisionFailed")
    assert (second["latestCreatedRevisionName"], second["latestReadyRevisionName"]) == ("iris-00002", "iris-00001")
    assert cluster.names(f"revisions.{group}") == ["iris-00001", "iris-00002"]
