"""Workloads on demand where our own gateway stands in for Knative."""

import json
from typing import Any

from fairlead.backends.kubernetes.render.own_gateway import (
    ANNOTATION,
    KNATIVE_REVISION,
    KNATIVE_SERVICE,
    LABEL,
    REVISION,
    ROUTING,
)
from fairlead.dialects.clusters import ClusterSettings
from fairlead.plan.layout import Backing, Exposure, OnDemandWorkload, PodTemplate, Rule, Share
from support.layouts import on_demand, pod, written

OURS = ClusterSettings(has_own_gateway=True, namespace="ops")


def objects(made: OnDemandWorkload, *exposures: Exposure) -> dict[tuple[str, str], dict[str, Any]]:
    found = written(*exposures, on_demand=(made,), settings=OURS).objects
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def test_the_name_selects_nothing_and_says_what_to_do_with_requests() -> None:
    shares = (Share(percent=20), Share(percent=80, revision="iris-predictor-00003", tag="prev"))

    service = objects(on_demand(timeout_s=9, traffic=shares))["Service", "iris-predictor"]

    assert "selector" not in service["spec"]
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": 80, "protocol": "TCP"}]
    assert service["metadata"]["labels"][LABEL] == "iris-predictor"
    assert json.loads(service["metadata"]["annotations"][ROUTING]) == {
        "timeoutSeconds": 9,
        "traffic": [{"percent": 20}, {"percent": 80, "revision": "iris-predictor-00003", "tag": "prev"}],
    }


def test_the_name_tells_the_hosts_that_lead_to_it() -> None:
    inside = "prev-iris-predictor.models.svc.cluster.local"
    backing = Backing(service="iris-predictor", port=80)
    rules = (
        Rule(name="explain", backings=(Backing(service="other", port=80),), path_pattern="/v1/.*:explain"),
        Rule(name="rest", backings=(backing,), set_headers={"Host": inside}),
        Rule(name="below", backings=(backing,), path_prefix="/serving/iris"),
    )
    exposure = Exposure(name="iris", hosts=("iris.example.com",), rules=rules)

    service = objects(on_demand(), exposure)["Service", "iris-predictor"]

    told = json.loads(service["metadata"]["annotations"][ROUTING])
    assert told["hosts"] == [{"host": "iris.example.com", "as": inside}]


def test_the_deployment_says_how_it_scales_and_leaves_its_replicas_to_the_gateway() -> None:
    words = {"autoscaling.knative.dev/min-scale": "0", "other": "x"}
    template = PodTemplate(spec=pod().spec, labels={"app": "iris"}, annotations=words)

    made = objects(on_demand(pod=template, concurrency=2, traffic=(Share(percent=100),)))

    deployment = made["Deployment", "iris-predictor-00001"]
    names = {LABEL: "iris-predictor", REVISION: "iris-predictor-00001"}
    of_knative = {KNATIVE_SERVICE: "iris-predictor", KNATIVE_REVISION: "iris-predictor-00001"}
    assert "replicas" not in deployment["spec"]
    assert deployment["spec"]["selector"] == {"matchLabels": names}
    assert deployment["spec"]["template"]["metadata"]["labels"] == {"app": "iris", **names, **of_knative}
    assert json.loads(deployment["metadata"]["annotations"][ANNOTATION]) == {
        "annotations": {"autoscaling.knative.dev/min-scale": "0"},
        "concurrency": 2,
    }


def test_pods_of_our_image_take_requests_a_while_longer_than_they_are_sent_any() -> None:
    ours, theirs, own = container("ours"), container("theirs"), {**container("set"), "lifecycle": {"postStart": {}}}
    template = PodTemplate(spec={"containers": [ours, theirs, own]}, own=frozenset({"ours", "set"}))

    made = objects(on_demand(pod=template))["Deployment", "iris-predictor-00001"]

    hooks = [one.get("lifecycle") for one in made["spec"]["template"]["spec"]["containers"]]
    assert hooks == [{"preStop": {"exec": {"command": ["sleep", "3"]}}}, None, {"postStart": {}}]


def test_a_pod_that_says_nothing_is_ready_when_somebody_listens() -> None:
    silent, ported = container("a"), {**container("b"), "ports": [{"containerPort": 9000}]}

    assert probes(silent) == [{"tcpSocket": {"port": 8080}, "periodSeconds": 1}]
    assert probes(silent, ported) == [None, {"tcpSocket": {"port": 9000}, "periodSeconds": 1}]
    assert probes({**ported, "readinessProbe": {"httpGet": {"port": 9000}}}) == [{"httpGet": {"port": 9000}}]


def probes(*containers: dict[str, Any]) -> list[Any]:
    made = objects(on_demand(pod=PodTemplate(spec={"containers": list(containers)})))
    found = made["Deployment", "iris-predictor-00001"]["spec"]["template"]["spec"]["containers"]
    return [one.get("readinessProbe") for one in found]


def container(name: str) -> dict[str, Any]:
    return {"name": name, "image": "i"}
