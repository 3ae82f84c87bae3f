"""Statuses of graphs in a cluster."""

import json
from typing import Any

import pytest

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.graph.targets import ServiceMissing
from support.isvc import isvc, model
from support.kserve_cluster import KNATIVE, OWN_GATEWAY, Cluster, condition, deployment, truths
from support.naive_knative import NaiveKnative


def _graph(**annotations: str) -> dict[str, Any]:
    steps = [{"serviceName": "iris"}]
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {"name": "flow", "namespace": "models", "annotations": annotations},
        "spec": {"nodes": {"root": {"routerType": "Sequence", "steps": steps}}},
    }


def _service(ready: str = "True", **status: Any) -> Document:
    conditions = [{"type": "Ready", "status": ready}]
    return {**isvc(model()), "status": {"conditions": conditions, **status}}


def test_a_graph_is_ready_with_its_deployment_and_its_services() -> None:
    status = Cluster(stored=(_service(),)).status(_graph(), deployment("flow"))

    assert truths(status) == {"Ready": "True", "Stopped": "False"}
    assert status["url"] == "http://flow-models.example.com"
    assert status["deploymentMode"] == "Standard"


def test_a_service_that_is_not_ready_is_named() -> None:
    status = Cluster(stored=(_service("False"),)).status(_graph(), deployment("flow"))

    assert condition(status, "Ready")["message"] == "service iris is not ready"


def test_a_service_that_is_not_there_is_waited_for() -> None:
    with pytest.raises(ServiceMissing, match="Failed to find graph service iris"):
        Cluster().layout(_graph())


def test_a_graph_of_knatives_mode_has_its_conditions() -> None:
    cluster = Cluster(KNATIVE, (_service(),))
    knative = NaiveKnative("flow")
    knative.apply(cluster.layout(_graph()).on_demand[0])

    waiting = cluster.status(_graph(), knative.service())
    knative.come_up()
    ready = cluster.status(_graph(), knative.service())

    assert truths(waiting)["Ready"] == "Unknown"
    assert "url" not in waiting
    assert truths(ready) == {"ConfigurationsReady": "True", "Ready": "True", "RoutesReady": "True", "Stopped": "False"}
    assert ready["url"] == "http://flow.models.example.com"


def test_a_graph_behind_our_own_gateway_is_a_deployment() -> None:
    status = Cluster(OWN_GATEWAY, (_service(),)).status(_graph(), deployment("flow"))

    assert truths(status)["Ready"] == "True"
    assert status["url"] == "http://flow.models.example.com"


def test_a_graph_that_was_stopped_is_not_ready_and_says_so() -> None:
    doc = _graph(**{"serving.kserve.io/stop": "true"})

    status = Cluster(stored=(_service(),)).status(doc)

    assert truths(status) == {"Ready": "False", "Stopped": "True"}
    assert condition(status, "Ready")["reason"] == "Stopped"


def test_services_are_asked_where_they_tell() -> None:
    service = _service(address={"url": "http://elsewhere.models.svc.cluster.local:8080"})

    workload = Cluster(stored=(service,)).layout(_graph()).workloads[0]

    graph = json.loads(workload.pod.spec["containers"][0]["args"][-1])
    step = graph["nodes"]["root"]["steps"][0]
    assert step["serviceUrl"] == "http://elsewhere.models.svc.cluster.local:8080/v1/models/iris:predict"
