"""Workloads on demand where our own gateway stands in for Knative."""

import json
from typing import Any

from fairlead.backends.kubernetes.render.own_gateway import ANNOTATION, LABEL
from fairlead.dialects.clusters import ClusterSettings
from fairlead.plan.layout import OnDemandWorkload, PodTemplate, Share
from support.layouts import on_demand, pod, written

OURS = ClusterSettings(has_own_gateway=True, namespace="ops")


def objects(made: OnDemandWorkload) -> dict[tuple[str, str], dict[str, Any]]:
    found = written(on_demand=(made,), settings=OURS).objects
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def test_callers_are_led_to_the_gateway() -> None:
    assert objects(on_demand())["Service", "iris-predictor"]["spec"] == {
        "type": "ExternalName",
        "externalName": "fairlead-gateway.ops.svc.cluster.local",
    }


def test_the_gateway_is_led_to_the_pods() -> None:
    ports = [{"containerPort": 8080, "name": "http1"}, {"containerPort": 9000}, {"containerPort": 8080, "name": "m"}]
    container = {"name": "main", "image": "i", "ports": ports}

    pods = objects(on_demand(pod=pod(container)))["Service", "iris-predictor-pods"]["spec"]

    assert pods["selector"] == {LABEL: "iris-predictor"}
    assert [(port["name"], port["port"]) for port in pods["ports"]] == [("http1", 8080), ("port-9000", 9000)]


def test_the_deployment_says_how_it_scales_and_leaves_its_replicas_to_the_gateway() -> None:
    words = {"autoscaling.knative.dev/min-scale": "0", "other": "x"}
    template = PodTemplate(spec=pod().spec, labels={"app": "iris"}, annotations=words)

    made = objects(on_demand(pod=template, concurrency=2, timeout_s=9, traffic=(Share(percent=100),)))

    deployment = made["Deployment", "iris-predictor"]
    assert "replicas" not in deployment["spec"]
    assert deployment["spec"]["selector"] == {"matchLabels": {LABEL: "iris-predictor"}}
    assert deployment["spec"]["template"]["metadata"]["labels"] == {"app": "iris", LABEL: "iris-predictor"}
    assert json.loads(deployment["metadata"]["annotations"][ANNOTATION]) == {
        "annotations": {"autoscaling.knative.dev/min-scale": "0"},
        "concurrency": 2,
        "timeoutSeconds": 9,
        "traffic": [{"percent": 100, "revision": "", "tag": ""}],
    }
