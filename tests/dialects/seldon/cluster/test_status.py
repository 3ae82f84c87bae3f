"""Statuses from what a cluster has: states, conditions, reasons and why."""

from copy import deepcopy
from typing import Any

import pytest

from fairlead.dialects.clusters import ClusterSettings, Observed
from fairlead.dialects.seldon import SeldonDialect
from fairlead.errors import FairleadError
from fairlead.plan.layout import EventScaler, HorizontalScaler, Layout, Workload
from support.sdep import pod, predictor, sdep
from support.seldon_layouts import laid_out

NOW, LATER = "2024-05-01T10:00:00Z", "2024-05-01T11:00:00Z"
NAME = "iris-default-0-classifier"
ISTIO: dict[str, Any] = {"istio": {"enabled": True}}
AVAILABLE = {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": "it has them"}
UNAVAILABLE = {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": "it lacks"}

Objects = dict[tuple[str, str], dict[str, Any]]


def deployment(workload: Workload, **status: Any) -> dict[str, Any]:
    """As a controller leaves it that is done, but for what `status` says."""
    wanted = 1 if workload.replicas is None else workload.replicas
    counts = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas", "availableReplicas"), wanted)
    done = {"observedGeneration": 3, **counts, "conditions": [AVAILABLE]}
    return {"metadata": {"generation": 3}, "spec": {"replicas": wanted}, "status": {**done, **status}}


def everything(layout: Layout) -> Objects:
    """A cluster in which all of a layout is as it is to be."""
    found: Objects = {("Service", one.name): {} for one in layout.services}
    for one in layout.workloads:
        found["Deployment", one.name] = deployment(one)
        if one.budget is not None:
            found["PodDisruptionBudget", one.name] = {}
        if isinstance(one.scaler, HorizontalScaler):
            found["HorizontalPodAutoscaler", one.name] = {}
        if isinstance(one.scaler, EventScaler):
            found["ScaledObject", one.name] = {}
    routed = {"istio": "VirtualService", "ambassador": "Mapping", "ingress": "Ingress"}
    kind = routed.get(str(layout.routing), "HTTPRoute")
    for way in layout.exposures:
        found[kind, f"{way.family}-default-rest" if kind == "Mapping" else way.name] = {}
    return found


def told(
    doc: dict[str, Any] | None = None, changed: Objects | None = None, pods: Any = (), **values: Any
) -> dict[str, Any]:
    """The status of a deployment of which the cluster has everything, but for what is `changed`; empty is absent."""
    doc, settings = doc or sdep(), ClusterSettings(values=values)
    layout = laid_out(doc, settings)
    objects = {**everything(layout), **(changed or {})}
    there = {key: one for key, one in objects.items() if one != {"absent": True}}
    observed = Observed(objects=there, pods=pods)
    return SeldonDialect().cluster_status(doc, layout, observed, settings=settings, now=NOW)


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in status["conditions"] if item["type"] == kind)
    return found


ABSENT: dict[str, Any] = {"absent": True}


def test_a_deployment_of_which_everything_is_there_is_available() -> None:
    status = told()

    assert status["state"] == "Available"
    assert "description" not in status
    assert status["replicas"] == 1
    assert status["address"] == {
        "url": "http://iris-default.seldon.svc.cluster.local:8000/api/v1.0/predictions",
    }
    assert status["deploymentStatus"] == {NAME: {"replicas": 1, "availableReplicas": 1}}
    assert status["serviceStatus"]["iris-default"] == {
        "svcName": "iris-default",
        "httpEndpoint": "iris-default.seldon:8000",
        "grpcEndpoint": "iris-default.seldon:5001",
    }
    reasons = {item["type"]: (item["status"], item.get("reason", "")) for item in status["conditions"]}
    assert reasons == {
        "AmbassadorMappingsReady": ("True", "No Ambassador Mappaings defined"),
        "DeploymentsReady": ("True", "MinimumReplicasAvailable"),
        "HpasReady": ("True", "No HPAs defined"),
        "KedaReady": ("True", "No KEDA resources defined"),
        "PdbsReady": ("True", "No PDBs defined"),
        "Ready": ("True", ""),
        "RoutesReady": ("True", "All routes created"),
        "ServicesReady": ("True", "All services created"),
        "istioVirtualServicesReady": ("True", "No VirtualServices defined"),
    }


def test_deployments_ready_copies_what_the_deployment_says() -> None:
    assert condition(told(), "DeploymentsReady")["message"] == "it has them"


@pytest.mark.parametrize(
    ("status", "spec"),
    [
        pytest.param({"readyReplicas": 0, "unavailableReplicas": 1, "conditions": [UNAVAILABLE]}, {}, id="not ready"),
        pytest.param({"unavailableReplicas": 1}, {}, id="one unavailable"),
        pytest.param({"updatedReplicas": 0}, {}, id="old pods"),
        pytest.param({"observedGeneration": 2}, {}, id="not looked at yet"),
        pytest.param({}, {"replicas": 2}, id="too few"),
    ],
)
def test_it_is_creating_until_every_pod_is_new_and_ready(status: dict[str, Any], spec: dict[str, Any]) -> None:
    found = deployment(laid_out(sdep(), ClusterSettings()).workloads[0], **status)
    found["spec"] |= spec

    said = told(changed={("Deployment", NAME): found})

    assert said["state"] == "Creating"
    assert said["description"].startswith(f"Deployment {NAME}: ")
    assert condition(said, "DeploymentsReady")["status"] == "False"
    assert condition(said, "Ready")["status"] == "False"


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"readyReplicas": 1, "unavailableReplicas": 1}, "1 of 2 replicas ready"),
        ({"readyReplicas": 2, "updatedReplicas": 1, "unavailableReplicas": 1}, "rolling out, 1 of 2 replicas"),
    ],
)
def test_its_description_says_what_is_still_missing(counts: dict[str, int], text: str) -> None:
    doc = sdep(predictor(replicas=2))

    status = told(doc, {("Deployment", NAME): deployment(laid_out(doc, ClusterSettings()).workloads[0], **counts)})

    assert status["description"] == f"Deployment {NAME}: {text}"


def test_nothing_made_yet_is_creating() -> None:
    doc = sdep()
    layout = laid_out(doc, ClusterSettings())

    status = SeldonDialect().cluster_status(doc, layout, Observed(), settings=ClusterSettings(), now=NOW)

    assert status["state"] == "Creating"
    assert condition(status, "ServicesReady")["reason"] == "Not all services created"
    assert status["deploymentStatus"] == {NAME: {"replicas": 0, "availableReplicas": 0}}


def test_a_deployment_that_is_stuck_has_failed() -> None:
    stuck = [UNAVAILABLE, {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
    found = deployment(laid_out(sdep(), ClusterSettings()).workloads[0], readyReplicas=0, conditions=stuck)

    status = told(changed={("Deployment", NAME): found})

    assert status["state"] == "Failed"
    assert status["description"].startswith("Deployment is no longer progressing and not available.")


def test_no_replicas_as_asked_is_available() -> None:
    assert told(sdep(replicas=0))["state"] == "Available"


@pytest.mark.parametrize(
    ("fields", "kind", "type_", "ready", "missing"),
    [
        (
            {"hpaSpec": {"maxReplicas": 2}},
            "HorizontalPodAutoscaler",
            "HpasReady",
            "All HPAs resources ready",
            "HPAs not ready",
        ),
        (
            {"pdbSpec": {"minAvailable": 1}},
            "PodDisruptionBudget",
            "PdbsReady",
            "All PDBs resources ready",
            "PDBs not ready",
        ),
        (
            {"kedaSpec": {"triggers": []}},
            "ScaledObject",
            "KedaReady",
            "All KEDA resources ready",
            "KEDA resources not ready",
        ),
    ],
)
def test_what_scales_and_protects_it_has_to_be_there(
    fields: dict[str, Any], kind: str, type_: str, ready: str, missing: str
) -> None:
    doc = sdep(predictor(componentSpecs=[{**pod({"name": "classifier"}), **fields}]))

    whole = told(doc, keda={"enabled": True})
    lacking = told(doc, {(kind, NAME): ABSENT}, keda={"enabled": True})

    assert (whole["state"], condition(whole, type_)["reason"]) == ("Available", ready)
    assert (lacking["state"], condition(lacking, type_)["reason"]) == ("Creating", missing)
    assert lacking["description"] == f"{kind} {NAME}: not created yet"


def test_a_scaled_object_that_is_not_ready_says_why() -> None:
    doc = sdep(predictor(componentSpecs=[{**pod({"name": "classifier"}), "kedaSpec": {"triggers": []}}]))
    refused = {"type": "Ready", "status": "False", "message": "no such trigger"}

    status = told(doc, {("ScaledObject", NAME): {"status": {"conditions": [refused]}}}, keda={"enabled": True})

    assert status["description"] == f"ScaledObject {NAME}: no such trigger"


def test_virtual_services_that_are_missing_leave_it_available_and_not_ready() -> None:
    status = told(changed={("VirtualService", "iris"): ABSENT}, **ISTIO)

    assert status["state"] == "Available"
    assert condition(status, "istioVirtualServicesReady")["reason"] == "Not all VirtualServices created"
    assert condition(status, "Ready")["status"] == "False"
    assert condition(told(**ISTIO), "istioVirtualServicesReady")["reason"] == "All VirtualServices created"


def test_mappings_are_told_by_their_family() -> None:
    status = told(ambassador={"enabled": True})

    assert condition(status, "AmbassadorMappingsReady")["reason"] == "All Ambassador Mappings created"


def test_a_cluster_that_takes_no_routes_is_told_and_no_more() -> None:
    status = told(changed={("HTTPRoute", "iris"): ABSENT})

    assert condition(status, "RoutesReady")["status"] == "False"
    assert condition(status, "RoutesReady")["severity"] == "Info"
    assert condition(status, "Ready")["status"] == "True"


def test_a_gateway_that_refuses_a_route_is_quoted() -> None:
    refused = {"type": "Accepted", "status": "False", "reason": "NoMatchingParent"}
    route = {"status": {"parents": [{"conditions": [refused]}]}}

    status = told(changed={("HTTPRoute", "iris"): route})

    assert condition(status, "RoutesReady")["message"] == "HTTPRoute iris: NoMatchingParent"


@pytest.mark.parametrize(
    ("protocol", "transport", "url"),
    [
        ("v2", "rest", ":8000/v2/models/classifier/infer"),
        ("kfserving", "grpc", ":5001/v2/models/classifier/infer"),
        ("seldon", "rest", ":8000/api/v1.0/predictions"),
    ],
)
def test_the_address_is_the_protocols(protocol: str, transport: str, url: str) -> None:
    status = told(sdep(protocol=protocol, transport=transport))

    assert status["address"]["url"] == f"http://iris-default.seldon.svc.cluster.local{url}"


def test_the_service_of_an_explainer_says_whose_it_is() -> None:
    status = told(sdep(predictor(explainer={"type": "ALE"})))

    assert status["serviceStatus"]["iris-default-explainer"] == {
        "svcName": "iris-default-explainer",
        "httpEndpoint": "iris-default-explainer.seldon:9000",
        "explainerFor": "iris-default",
    }


def test_an_unchanged_condition_keeps_its_time() -> None:
    doc, settings = sdep(), ClusterSettings()
    layout = laid_out(doc, settings)
    observed = Observed(objects=everything(layout))
    before = SeldonDialect().cluster_status(doc, layout, observed, settings=settings, now=NOW)

    again = SeldonDialect().cluster_status(
        deepcopy(doc) | {"status": before}, layout, observed, settings=settings, now=LATER
    )

    assert again == before


def test_the_newest_pod_says_why() -> None:
    layout = laid_out(sdep(), ClusterSettings())
    labels = dict(layout.workloads[0].pod.labels)
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    newest = {"metadata": {"labels": labels}, "status": {"containerStatuses": [{"name": "c", "state": waiting}]}}
    found = deployment(layout.workloads[0], readyReplicas=0)

    status = told(changed={("Deployment", NAME): found}, pods=[newest])

    assert status["description"] == f"Deployment {NAME}: container c: ImagePullBackOff: no such image"


def test_a_document_that_cannot_be_laid_out_has_failed_with_the_words_of_the_error() -> None:
    status = SeldonDialect().cluster_failed_status(sdep(), FairleadError("no image"), now=NOW)

    assert (status["state"], status["description"]) == ("Failed", "no image")
