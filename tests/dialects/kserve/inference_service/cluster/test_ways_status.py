"""`IngressReady` of Standard mode, of the objects that the ways in were written as."""

from typing import Any

import pytest

from fairlead.dialects.base import Document
from fairlead.dialects.clusters import ClusterSettings
from fairlead.plan.layout import Routing
from support.isvc import container, isvc, model
from support.kserve_cluster import Cluster, condition, deployment, route, settings_map

UP = deployment("iris-predictor")
BOTH = (route("iris"), route("iris-predictor"))


def _ingress(*objects: Document, cluster: Cluster | None = None, **others: Any) -> dict[str, Any]:
    status = (cluster or Cluster()).status(isvc(model(), **others), *objects)
    return condition(status, "IngressReady")


def test_accepted_routes_let_requests_in() -> None:
    assert _ingress(UP, *BOTH)["status"] == "True"


def test_a_predictor_that_is_down_keeps_requests_out() -> None:
    down = deployment("iris-predictor", available="False", message="no room")

    found = _ingress(down, *BOTH)

    assert (found["status"], found["reason"]) == ("False", "Predictor Deployment NotReady")
    assert found["message"] == "no room"


def test_a_transformer_that_is_down_keeps_requests_out() -> None:
    down = deployment("iris-transformer", available="False")

    found = _ingress(UP, down, *BOTH, route("iris-transformer"), transformer=container())

    assert found["reason"] == "Transformer Deployment NotReady"


def test_a_route_that_no_gateway_has_looked_at_is_not_ready() -> None:
    found = _ingress(UP, route("iris"), route("iris-predictor", accepted=None))

    assert (found["status"], found["reason"]) == ("False", "ParentStatusNotAvailable")
    assert found["message"] == "Predictor HttpRouteNotReady"


def test_a_route_that_a_gateway_refuses_says_why() -> None:
    found = _ingress(UP, route("iris", accepted="False", message="no listener"), route("iris-predictor"))

    assert found["reason"] == "NoMatchingParent"
    assert found["message"] == "InferenceService HttpRouteNotReady: no listener"


@pytest.mark.parametrize("kind", ["Ingress", "VirtualService", "Mapping"])
def test_objects_that_tell_nothing_need_only_be_there(kind: str) -> None:
    routing = {"Ingress": Routing.INGRESS, "VirtualService": Routing.ISTIO, "Mapping": Routing.AMBASSADOR}[kind]
    cluster = Cluster(ClusterSettings(routing=routing))
    names = [one.name for one in cluster.layout(isvc(model())).exposures]
    there = [{"apiVersion": "v1", "kind": kind, "metadata": {"name": name}} for name in names]

    missing, found = _ingress(UP, cluster=cluster), _ingress(UP, *there, cluster=cluster)

    assert missing["status"] == "False"
    assert found["status"] == "True"


def test_a_service_without_ways_in_is_ready_without_them() -> None:
    internal = {"networking.kserve.io/visibility": "cluster-local"}
    off = Cluster(stored=(settings_map(ingress='{"ingressGateway": "a/b", "disableIngressCreation": true}'),))

    assert _ingress(UP, labels=internal)["status"] == "True"
    assert _ingress(UP, cluster=off)["status"] == "True"
    assert _ingress(UP, cluster=Cluster(ClusterSettings(routing=Routing.NONE)))["status"] == "True"
