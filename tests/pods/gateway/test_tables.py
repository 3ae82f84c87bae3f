"""What the gateway makes of a cluster's objects."""

import json
from typing import Any

import pytest

from fairlead.backends.kubernetes.render import render
from fairlead.backends.local.scaling.watching import terms_of
from fairlead.dialects.kserve.autoscaler_config import AutoscalerConfig
from fairlead.plan.routing import Service
from fairlead.plan.scaling import KnativeScaling
from fairlead.pods.gateway.addresses import PodAddress, address_of
from fairlead.pods.gateway.tables import Settings, Workload, table_of, workload_of
from support.isvc import isvc, lowered, model
from support.kserve_cluster import OWN_GATEWAY, Cluster

NAME = "iris-predictor"
SETTINGS = Settings(config=AutoscalerConfig())
Document = dict[str, Any]


def service(**routing: Any) -> Document:
    annotations = {"fairlead.dev/routing": json.dumps(routing)}
    return {"kind": "Service", "metadata": {"name": NAME, "namespace": "models", "annotations": annotations}}


def deployment(number: int = 1, *, is_available: bool = True, replicas: int = 1, **words: str) -> Document:
    said = {
        "annotations": {
            f"autoscaling.knative.dev/{key.strip('_').replace('_', '-')}": word for key, word in words.items()
        }
    }
    annotations = {"fairlead.dev/scaling": json.dumps(said)}
    return {
        "kind": "Deployment",
        "metadata": {"name": f"{NAME}-{number:05d}", "namespace": "models", "annotations": annotations},
        "spec": {"replicas": replicas},
        "status": {"conditions": [{"type": "Available", "status": "True" if is_available else "False"}]},
    }


def pod(name: str, number: int = 1, *, is_ready: bool = True, ports: list[Document] | None = None) -> Document:
    return {
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"fairlead.dev/revision": f"{NAME}-{number:05d}"}},
        "spec": {"containers": [{"name": "m", "ports": ports or []}]},
        "status": {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": str(is_ready)}]},
    }


def table(*workloads: Workload) -> Service:
    (found,) = table_of(workloads).services
    return found


def shares(made: Workload, host: str = f"{NAME}.models") -> dict[str, int]:
    """Which revision gets what of a host's requests."""
    (route,) = (route for route in made.plan.routes if route.host == host)
    return {target.component.removeprefix(f"{NAME}-"): target.weight for target in route.targets}


def test_requests_go_to_pods_that_are_ready() -> None:
    pods = [pod("a"), pod("b", is_ready=False), {**pod("c"), "status": {}}]
    leaving = pod("d")
    leaving["metadata"]["deletionTimestamp"] = "now"

    ((_, pool),) = table(workload_of(service(), [deployment()], [*pods, leaving], SETTINGS)).pools

    assert [endpoint.replica for endpoint in pool.endpoints] == ["a"]


def test_the_names_inside_the_cluster_lead_to_a_workload() -> None:
    made = workload_of(service(), [deployment()], [], SETTINGS)

    hosts = {route.host for route in made.plan.routes}
    assert hosts == {f"{NAME}.models{end}" for end in ("", ".svc", ".svc.cluster.local")}


def test_the_latest_revision_is_the_newest_that_was_ready() -> None:
    old, new = deployment(9), deployment(10, is_available=False)

    assert shares(workload_of(service(), [new, old], [], SETTINGS)) == {"00009": 100}
    assert shares(workload_of(service(), [new, old], [pod("a", 10)], SETTINGS)) == {"00010": 100}


def test_requests_wait_for_the_first_revision() -> None:
    made = workload_of(service(), [deployment(is_available=False, replicas=0)], [], SETTINGS)

    ((_, pool),) = table(made).pools
    assert (pool.endpoints, pool.refusal, pool.wait_s) == ((), "", 300.0)


def test_shares_of_revisions_that_are_gone_go_to_the_latest() -> None:
    asked = [{"percent": 30}, {"percent": 70, "revision": f"{NAME}-00001", "tag": "prev"}]

    assert shares(workload_of(service(traffic=asked), [deployment(2)], [], SETTINGS)) == {"00002": 100}


def test_a_tag_is_a_name_of_its_own() -> None:
    asked = [{"percent": 30}, {"percent": 70, "revision": f"{NAME}-00001", "tag": "prev"}]
    made = workload_of(service(traffic=asked), [deployment(1), deployment(2)], [], SETTINGS)

    assert shares(made) == {"00002": 30, "00001": 70}
    assert shares(made, f"prev-{NAME}.models.svc") == {"00001": 100}


def test_hosts_outside_lead_where_they_are_said_to() -> None:
    asked = [{"percent": 30}, {"percent": 70, "revision": f"{NAME}-00001", "tag": "prev"}]
    hosts = [{"host": "a.example.com"}, {"host": "b.example.com", "as": f"prev-{NAME}.models.svc", "path": "/x"}]
    made = workload_of(service(traffic=asked, hosts=hosts), [deployment(1), deployment(2)], [], SETTINGS)

    assert shares(made, "a.example.com") == {"00002": 30, "00001": 70}
    assert shares(made, "b.example.com") == {"00001": 100}
    assert "/x" in {route.path_pattern for route in made.plan.routes}


def test_a_revision_without_requests_of_its_own_keeps_no_minimum() -> None:
    made = workload_of(service(), [deployment(1, min_scale="3"), deployment(2, min_scale="3")], [], SETTINGS)

    assert [component.scale.is_reachable for component in made.plan.components] == [False, True]


def test_replicas_of_a_horizontal_scaler_are_not_ours() -> None:
    hpa = "hpa.autoscaling.knative.dev"

    assert list(workload_of(service(), [deployment(class_=hpa)], [], SETTINGS).seen()) == []


def test_annotations_that_nobody_understands_are_as_good_as_none() -> None:
    made = workload_of(service(), [deployment(min_scale="many")], [], SETTINGS)

    assert made.plan.components[0].scale.min_replicas == 0


def test_what_does_not_hold_json_says_nothing() -> None:
    broken = service()
    broken["metadata"]["annotations"]["fairlead.dev/routing"] = "{"

    assert shares(workload_of(broken, [deployment()], [], SETTINGS)) == {"00001": 100}


def test_a_workload_without_revisions_refuses_nobody_and_leads_nowhere() -> None:
    assert table(workload_of(service(), [], [], SETTINGS)).pools == ()


@pytest.mark.parametrize(
    ("ports", "http", "calls"),
    [
        ([], 8080, 0),
        ([("", 9000)], 9000, 0),
        ([("http1", 9000), ("grpc", 9001)], 9000, 9001),
        ([("h2c", 9001)], 0, 9001),
        ([("metrics", 6000), ("http1", 9000)], 9000, 0),
    ],
)
def test_ports_say_by_their_names_what_they_take(ports: list[tuple[str, int]], http: int, calls: int) -> None:
    made = address_of(pod("a", ports=[{"name": name, "containerPort": number} for name, number in ports]))

    assert made == PodAddress(host="10.0.0.1", http=http, calls=calls)
    assert PodAddress.of(str(made)) == made


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, {}),
        ({"minReplicas": 0, "maxReplicas": 4, "scaleTarget": 3}, {}),
        ({"scaleMetric": "rps", "scaleTarget": 50}, {"window": "20s", "panic-threshold-percentage": "150"}),
        ({"containerConcurrency": 2}, {"target-burst-capacity": "-1", "target-utilization-percentage": "80"}),
        ({"minReplicas": 2}, {"scale-down-delay": "15m", "activation-scale": "3", "initial-scale": "4"}),
    ],
)
def test_a_manifest_asks_for_the_same_as_on_one_machine(fields: Document, words: dict[str, str]) -> None:
    annotations = {f"autoscaling.knative.dev/{key}": word for key, word in words.items()}
    mode = {"serving.kserve.io/deploymentMode": "Knative"}
    doc = isvc({**model(), **fields}, annotations={**mode, **annotations})

    here, _ = lowered(doc)
    objects = {one["kind"]: one for one in render(Cluster(OWN_GATEWAY).layout(doc), OWN_GATEWAY)}
    there = workload_of(objects["Service"], [objects["Deployment"]], [], SETTINGS).plan.components[0]

    assert isinstance(here.scale.auto, KnativeScaling)
    assert isinstance(there.scale.auto, KnativeScaling)
    assert terms_of(there, there.scale.auto) == terms_of(here, here.scale.auto)
    assert there.revision.limits.concurrency == here.revision.limits.concurrency
    assert there.patience_s == here.patience_s
