"""Statuses of Knative's mode, of what a plain stand-in for Knative has."""

from typing import Any

import pytest

from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.kserve import KServeDialect
from fairlead.dialects.kserve.inference_service.modes import KnativeMissing
from fairlead.plan.layout import Routing
from support.isvc import container, isvc, model
from support.kserve_cluster import (
    KNATIVE,
    NOW,
    OWN_GATEWAY,
    THEN,
    Cluster,
    condition,
    deployment,
    settings_map,
    truths,
)
from support.naive_knative import NaiveKnative

PREDICTOR = "iris-predictor"
ISTIO = ClusterSettings(has_knative=True, routing=Routing.ISTIO)


def _up(cluster: Cluster, doc: dict[str, Any], *roles: str) -> list[Any]:
    """The services of a document, all ready."""
    found = []
    for workload in cluster.layout(doc).on_demand:
        knative = NaiveKnative(workload.name)
        knative.apply(workload)
        if not roles or workload.component in roles:
            knative.come_up()
        found.append(knative.service())
    return found


def test_nothing_is_known_before_knative_has_looked() -> None:
    status = Cluster(KNATIVE).status(isvc(model()))

    assert truths(status)["PredictorReady"] == "Unknown"
    assert condition(status, "IngressReady")["reason"] == "Predictor ingress not created"
    assert condition(status, "Ready")["status"] == "False"
    assert "url" not in status
    assert status["deploymentMode"] == "Knative"


def test_conditions_are_those_of_the_service_of_knative() -> None:
    cluster, doc = Cluster(KNATIVE), isvc(model())

    status = cluster.status(doc, *_up(cluster, doc))

    assert truths(status) == {
        "IngressReady": "True",
        "LatestDeploymentReady": "True",
        "PredictorConfigurationReady": "True",
        "PredictorReady": "True",
        "PredictorRouteReady": "True",
        "Ready": "True",
        "RoutesReady": "True",
        "Stopped": "False",
    }


def test_a_component_tells_its_revisions_and_their_shares() -> None:
    cluster, doc = Cluster(KNATIVE), isvc(model())

    status = cluster.status(doc, *_up(cluster, doc))

    assert status["components"]["predictor"] == {
        "url": "http://iris-predictor.models.example.com",
        "restUrl": "http://iris-predictor.models.example.com",
        "grpcUrl": "grpc://iris-predictor.models.example.com",
        "address": {"url": "http://iris-predictor.models.svc.cluster.local"},
        "latestCreatedRevision": "iris-predictor-00001",
        "latestReadyRevision": "iris-predictor-00001",
        "latestRolledoutRevision": "iris-predictor-00001",
        "traffic": [{"revisionName": "iris-predictor-00001", "latestRevision": True, "percent": 100}],
    }


def test_a_revision_that_fails_leaves_the_one_before_in_service() -> None:
    cluster, knative = Cluster(KNATIVE), NaiveKnative(PREDICTOR)
    first = isvc(model())
    knative.apply(cluster.layout(first).on_demand[0])
    knative.come_up()
    doc = {**isvc(model(uri="gs://models/other")), "status": cluster.status(first, knative.service())}
    knative.apply(cluster.layout(doc).on_demand[0])
    knative.fail()

    status = cluster.status(doc, knative.service())

    assert condition(status, "LatestDeploymentReady")["reason"] == "PredictorConfigurationReady not ready"
    assert "no such image" in condition(status, "PredictorConfigurationReady")["message"]
    assert status["components"]["predictor"]["latestReadyRevision"] == "iris-predictor-00001"
    assert status["components"]["predictor"]["latestCreatedRevision"] == "iris-predictor-00002"
    assert status["modelStatus"]["transitionStatus"] == "BlockedByFailedLoad"


def test_a_transformer_that_is_not_up_keeps_requests_from_the_service() -> None:
    cluster, doc = Cluster(KNATIVE), isvc(model(), transformer=container())

    status = cluster.status(doc, *_up(cluster, doc, "predictor"))

    assert truths(status)["PredictorReady"] == "True"
    assert condition(status, "IngressReady")["reason"] == "Transformer ingress not created"
    assert truths(status)["Ready"] == "False"


def test_without_a_virtual_host_the_service_is_known_by_its_entry() -> None:
    cluster, doc = Cluster(KNATIVE), isvc(model(), transformer=container())

    status = cluster.status(doc, *_up(cluster, doc))

    assert status["url"] == "http://iris-transformer.models.example.com"
    assert status["address"] == {"url": "http://iris-transformer.models.svc.cluster.local"}


def test_a_virtual_host_has_the_service_s_own_name() -> None:
    cluster, doc = Cluster(ISTIO), isvc(model())
    virtual = {"apiVersion": "networking.istio.io/v1beta1", "kind": "VirtualService", "metadata": {"name": "iris"}}

    status = cluster.status(doc, *_up(cluster, doc), virtual)

    assert status["url"] == "http://iris.models.example.com"
    assert status["address"] == {"url": "http://iris.models.svc.cluster.local"}
    assert truths(status)["Ready"] == "True"


def test_a_virtual_host_that_is_not_there_keeps_requests_from_the_service() -> None:
    cluster, doc = Cluster(ISTIO), isvc(model())

    status = cluster.status(doc, *_up(cluster, doc))

    assert condition(status, "IngressReady")["reason"] == "InferenceService VirtualService not created"


def test_a_path_template_makes_the_url() -> None:
    section = (
        '{"ingressGateway": "a/b", "ingressDomain": "models.example.org", '
        '"pathTemplate": "/serving/{{ .Namespace }}/{{ .Name }}"}'
    )
    cluster, doc = Cluster(ISTIO, (settings_map(ingress=section),)), isvc(model())

    status = cluster.status(doc, *_up(cluster, doc))

    assert status["url"] == "http://models.example.org/serving/models/iris"


def test_what_knative_told_before_the_last_change_is_no_answer_to_it() -> None:
    cluster, doc = Cluster(KNATIVE), isvc(model())
    service = _up(cluster, doc)[0]
    service["metadata"]["generation"] += 1

    status = cluster.status(doc, service)

    assert condition(status, "Ready")["reason"] == "OutOfDate"
    assert truths(status)["IngressReady"] == "True"


def test_an_unchanged_condition_keeps_its_time() -> None:
    cluster, doc = Cluster(KNATIVE), isvc(model())
    services = _up(cluster, doc)
    before = cluster.status(doc, *services, now=THEN)

    after = cluster.status({**doc, "status": before}, *services, now=NOW)

    assert after == before


def test_the_deployments_of_our_own_gateway_are_revisions() -> None:
    cluster, doc = Cluster(OWN_GATEWAY), isvc(model())
    older, newer = deployment(f"{PREDICTOR}-00001"), deployment(f"{PREDICTOR}-00002", available="False", message="wait")

    status = cluster.status(doc, older, newer)

    told = status["components"]["predictor"]
    assert (told["latestCreatedRevision"], told["latestReadyRevision"]) == (f"{PREDICTOR}-00002", f"{PREDICTOR}-00001")
    assert truths(status)["PredictorRouteReady"] == "True"
    assert condition(status, "PredictorConfigurationReady")["message"] == "wait"


def test_behind_our_own_gateway_the_whole_has_a_host() -> None:
    cluster, doc = Cluster(OWN_GATEWAY), isvc(model())
    routes = [
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": one.name},
            "status": {"parents": [{"conditions": [{"type": "Accepted", "status": "True"}]}]},
        }
        for one in cluster.layout(doc).exposures
    ]

    status = cluster.status(doc, deployment(PREDICTOR), *routes)

    assert status["url"] == "http://iris.models.example.com"
    assert status["address"] == {"url": "http://iris-predictor.models.svc.cluster.local"}
    assert truths(status)["Ready"] == "True"


def test_a_service_that_was_stopped_tells_nothing_else() -> None:
    doc = isvc(model(), annotations={"serving.kserve.io/stop": "true"})

    status = Cluster(KNATIVE).status(doc)

    assert truths(status) == {"IngressReady": "False", "PredictorReady": "False", "Ready": "False", "Stopped": "True"}
    assert "components" not in status


def test_knatives_mode_is_rejected_by_name_where_there_is_nothing_for_it() -> None:
    doc = isvc(model(), annotations={"serving.kserve.io/deploymentMode": "Knative"})
    dialect = KServeDialect()

    with pytest.raises(KnativeMissing) as refused:
        Cluster().layout(doc)
    status = dialect.cluster_failed_status(doc, refused.value, now=NOW)

    assert condition(status, "PredictorReady")["reason"] == "ServerlessModeRejected"
    assert [one.reason for one in dialect.events(doc, status)] == ["ServerlessModeRejected"]
    assert dialect.events({**doc, "status": status}, status) == []


def test_a_failure_before_anything_was_laid_out_remembers_no_mode() -> None:
    doc = isvc(model("unheard-of"))

    status = KServeDialect().cluster_failed_status(doc, KnativeMissing("iris"), now=NOW)

    assert "deploymentMode" not in status
