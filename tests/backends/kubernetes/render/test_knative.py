"""Workloads on demand as Services of Knative."""

from typing import Any

import pytest

from fairlead.dialects.clusters import ClusterSettings
from fairlead.plan.layout import OnDemandWorkload, PodTemplate, Share
from support.layouts import on_demand, only, pod, written

KNATIVE = ClusterSettings(has_knative=True)


def service(made: OnDemandWorkload) -> dict[str, Any]:
    return only(written(on_demand=(made,), settings=KNATIVE), "Service")


def test_a_service_has_the_pod_and_its_limits() -> None:
    template = PodTemplate(
        spec={"containers": [{"name": "c", "image": "i"}], "serviceAccountName": "sa"},
        labels={"app": "iris"},
        annotations={"autoscaling.knative.dev/min-scale": "0"},
    )

    made = service(on_demand(pod=template, concurrency=5, timeout_s=300, labels={"a": "b"}, annotations={"c": "d"}))

    assert made["apiVersion"] == "serving.knative.dev/v1"
    assert made["metadata"]["labels"]["a"] == "b"
    assert made["metadata"]["annotations"] == {"c": "d"}
    revision = made["spec"]["template"]
    assert revision["metadata"] == {
        "labels": {"app": "iris"},
        "annotations": {"autoscaling.knative.dev/min-scale": "0"},
    }
    assert (revision["spec"]["containerConcurrency"], revision["spec"]["timeoutSeconds"]) == (5, 300)
    assert revision["spec"]["serviceAccountName"] == "sa"


def test_shares_name_a_revision_or_the_latest() -> None:
    shares = (Share(percent=10, tag="latest"), Share(percent=90, revision="iris-predictor-00001", tag="prev"))

    assert service(on_demand(traffic=shares))["spec"]["traffic"] == [
        {"latestRevision": True, "percent": 10, "tag": "latest"},
        {"revisionName": "iris-predictor-00001", "latestRevision": False, "percent": 90, "tag": "prev"},
    ]
    assert "traffic" not in service(on_demand())["spec"]


def test_what_knative_refuses_and_says_nothing_is_left_out_silently() -> None:
    given = pod(restartPolicy="Always", dnsPolicy="ClusterFirst", terminationGracePeriodSeconds=30)

    found = written(on_demand=(on_demand(pod=given),), settings=KNATIVE)

    assert only(found, "Service")["spec"]["template"]["spec"].keys() == {"containers"}
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("name", "kept"), [("http", "http1"), ("grpc-port", "h2c"), ("h2c", "h2c"), ("http1", "http1")]
)
def test_the_name_of_a_port_is_its_protocol(name: str, kept: str) -> None:
    ports = [{"containerPort": 8080, "name": name}, {"containerPort": 9000, "name": "more"}]
    container = {"name": "main", "image": "i", "ports": ports}

    found = written(on_demand=(on_demand(pod=pod(container)),), settings=KNATIVE)

    (served,) = only(found, "Service")["spec"]["template"]["spec"]["containers"]
    assert served["ports"] == [{"containerPort": 8080, "name": kept}]
    assert found.warnings == ("iris-predictor: Knative does not take a pod's main.port 9000; it is left out",)


def test_what_knative_refuses_and_says_something_is_told() -> None:
    container = {"name": "main", "image": "i", "lifecycle": {"preStop": {"exec": {"command": ["sleep"]}}}}

    found = written(on_demand=(on_demand(pod=pod(container, terminationGracePeriodSeconds=5)),), settings=KNATIVE)

    assert found.warnings == (
        "iris-predictor: Knative does not take a pod's terminationGracePeriodSeconds; it is left out",
        "iris-predictor: Knative does not take a pod's main.lifecycle; it is left out",
    )
