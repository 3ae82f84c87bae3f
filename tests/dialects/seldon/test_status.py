from typing import Any

import pytest

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.seldon import SeldonDialect
from fairlead.errors import FairleadError
from fairlead.plan.model import ComponentName
from fairlead.plan.status import (
    Cause,
    ComponentStatus,
    Phase,
    PlanStatus,
    Progress,
    ReplicaState,
    ReplicaStatus,
)
from support.sdep import MODEL, pod, predictor, sdep

NOW, LATER = "2024-05-01T10:00:00Z", "2024-05-01T11:00:00Z"


def component(name: str = "default", phase: Phase = Phase.READY, **fields: Any) -> ComponentStatus:
    counts = {"desired": 1, "ready": int(phase is Phase.READY)}
    found = ComponentName(name)
    return ComponentStatus(component=found, full_name=f"iris-{name}", revision="r", phase=phase, **(counts | fields))


def status(
    doc: dict[str, Any], *components: ComponentStatus, routed: bool = True, now: str = NOW, url: str = ""
) -> dict[str, Any]:
    dialect = SeldonDialect(external_url=url)
    plan = dialect.lower(doc, catalog=Catalog())
    return dialect.status(doc, plan, PlanStatus(owner=plan.owner, components=components, routed=routed), now=now)


def condition(found: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(item for item in found["conditions"] if item["type"] == kind)


def test_everything_ready_and_routed_is_available() -> None:
    found = status(sdep(), component())

    assert (found["state"], found["description"], found["replicas"]) == ("Available", "", 1)
    assert condition(found, "Ready") == {"type": "Ready", "status": "True", "lastTransitionTime": NOW}


def test_the_address_is_the_clusters_unless_a_gateway_is_known() -> None:
    inside = status(sdep(), component())["address"]["url"]
    outside = status(sdep(), component(), url="http://localhost:8080/")["address"]["url"]

    assert inside == "http://iris-default.seldon.svc.cluster.local:8000/api/v1.0/predictions"
    assert outside == "http://localhost:8080/seldon/seldon/iris/api/v1.0/predictions"
    assert ":5001/" in status(sdep(transport="grpc"), component())["address"]["url"]


def test_deployments_and_services_have_their_clusters_names() -> None:
    pods = [pod({"name": "classifier"}), pod({"name": "b", "image": "seldonio/mock_classifier:1"})]
    graph = {**MODEL, "children": [{"name": "b"}]}
    replicas = [
        ReplicaStatus(name=f"r{index}", component=ComponentName("default"), revision="r", state=state)
        for index, state in enumerate([ReplicaState.READY, ReplicaState.STARTING, ReplicaState.DRAINING])
    ]

    found = status(
        sdep(predictor(graph=graph, componentSpecs=pods)),
        component(phase=Phase.STARTING, desired=2, ready=1, replicas=tuple(replicas)),
    )

    assert found["replicas"] == 2
    assert found["deploymentStatus"] == {
        "iris-default-0-classifier": {"replicas": 2, "availableReplicas": 1},
        "iris-default-1-b": {"replicas": 2, "availableReplicas": 1},
    }
    assert found["serviceStatus"]["iris-default"] == {
        "svcName": "iris-default",
        "httpEndpoint": "iris-default.seldon:8000",
        "grpcEndpoint": "iris-default.seldon:5001",
    }
    assert found["serviceStatus"]["iris-default-b"]["httpEndpoint"] == "iris-default-b.seldon:9001"


@pytest.mark.parametrize(
    ("observed", "state", "description"),
    [
        (component(phase=Phase.PENDING), "Creating", "waiting to start (0 of 1 replicas ready)"),
        (component(phase=Phase.DOWNLOADING), "Creating", "downloading its models (0 of 1 replicas ready)"),
        (
            component(phase=Phase.DOWNLOADING, progress=Progress(what="gs://m", done_bytes=37, total_bytes=100)),
            "Creating",
            "downloading gs://m (30 %)",
        ),
        (component(phase=Phase.DOWNLOADING, progress=Progress(what="gs://m")), "Creating", "downloading gs://m"),
        (component(phase=Phase.STARTING, desired=2, ready=1), "Creating", "loading (1 of 2 replicas ready)"),
        (component(phase=Phase.READY, desired=2), "Creating", "starting more replicas (1 of 2 replicas ready)"),
        (component(phase=Phase.FAILED), "Failed", "failed (0 of 1 replicas ready)"),
    ],
)
def test_a_description_says_what_is_missing(observed: ComponentStatus, state: str, description: str) -> None:
    found = status(sdep(), observed)

    assert (found["state"], found["description"]) == (state, f"predictor default: {description}")
    assert condition(found, "DeploymentsReady")["message"] == found["description"]
    assert condition(found, "Ready")["status"] == "False"


def test_a_failure_names_the_unit_and_its_cause() -> None:
    cause = Cause(unit="classifier", reason="DownloadFailed", message="gs://m: no such bucket")

    found = status(sdep(), component(phase=Phase.FAILED, cause=cause))

    assert found["state"] == "Failed"
    assert found["description"] == "predictor default, unit classifier: gs://m: no such bucket"
    assert condition(found, "DeploymentsReady")["reason"] == "DownloadFailed"
    assert condition(found, "Ready")["reason"] == "DownloadFailed"


def test_a_unit_that_its_message_names_is_named_once() -> None:
    cause = Cause(unit="classifier", reason="LoadError", message="unit classifier: model.joblib is corrupt")

    found = status(sdep(), component(phase=Phase.FAILED, cause=cause))

    assert found["description"] == "predictor default, unit classifier: model.joblib is corrupt"


def test_a_crash_that_is_retried_is_told_while_creating() -> None:
    cause = Cause(unit="", reason="CrashLoopBackOff", message="exited with 1; next try in 10 s")

    found = status(sdep(), component(phase=Phase.STARTING, cause=cause))

    assert (found["state"], found["description"]) == ("Creating", f"predictor default: {cause.message}")


def test_ready_but_not_yet_routed_is_creating() -> None:
    found = status(sdep(), component(), routed=False)

    assert (found["state"], found["description"]) == ("Creating", "waiting for the gateway to route to it")
    assert condition(found, "ServicesReady")["reason"] == "Not all services created"


def test_a_predictor_that_nobody_reports_is_not_started() -> None:
    doc = sdep(predictor("a", traffic=50), predictor("b", traffic=50))

    found = status(doc, component("a"))

    assert (found["state"], found["description"]) == ("Creating", "predictor b: not started yet")


def test_none_wanted_and_none_there_is_available_and_said() -> None:
    found = status(sdep(replicas=0), component(phase=Phase.READY, desired=0, ready=0))

    assert (found["state"], found["replicas"]) == ("Available", 0)
    assert found["description"] == "predictor default has 0 replicas, as asked: it takes no requests"


def test_conditions_have_their_literal_reasons() -> None:
    hpa = {**pod({"name": "classifier"}), "hpaSpec": {"maxReplicas": 2}, "pdbSpec": {"minAvailable": 1}}

    plain = {item["type"]: item.get("reason") for item in status(sdep(), component())["conditions"]}
    scaled = status(sdep(predictor(componentSpecs=[hpa])), component())

    assert plain == {
        "AmbassadorMappingsReady": "No Ambassador Mappaings defined",
        "DeploymentsReady": "MinimumReplicasAvailable",
        "HpasReady": "No HPAs defined",
        "KedaReady": "No KEDA resources defined",
        "PdbsReady": "No PDBs defined",
        "Ready": None,
        "ServicesReady": "All services created",
        "istioVirtualServicesReady": "No VirtualServices defined",
    }
    assert condition(scaled, "HpasReady")["reason"] == "All HPAs resources ready"
    assert condition(scaled, "PdbsReady")["reason"] == "All PDBs resources ready"


def test_an_unchanged_world_gives_an_unchanged_status() -> None:
    doc = sdep()
    first = status(doc, component(), now=NOW)

    assert status(doc | {"status": first}, component(), now=LATER) == first


def test_a_condition_moves_its_time_only_when_its_status_changes() -> None:
    doc = sdep()
    doc["status"] = status(doc, component(phase=Phase.PENDING), now=NOW)

    loading = status(doc, component(phase=Phase.STARTING), now=LATER)
    ready = status(doc, component(), now=LATER)

    assert condition(loading, "DeploymentsReady")["lastTransitionTime"] == NOW
    assert condition(ready, "DeploymentsReady")["lastTransitionTime"] == LATER
    assert condition(ready, "ServicesReady")["lastTransitionTime"] == NOW


def test_the_generation_that_was_observed_is_told() -> None:
    doc = sdep()
    doc["metadata"]["generation"] = 7

    assert status(doc, component())["observedGeneration"] == 7


def test_a_manifest_that_gives_no_plan_is_failed_with_its_reason() -> None:
    doc = sdep()
    doc["metadata"]["generation"] = 2

    found = SeldonDialect().failed_status(doc, FairleadError("no runtime serves it"), now=NOW)

    assert (found["state"], found["description"]) == ("Failed", "no runtime serves it")
    assert (found["replicas"], found["observedGeneration"]) == (0, 2)
    assert condition(found, "Ready")["message"] == "no runtime serves it"


def test_what_an_earlier_generation_left_running_stays_told() -> None:
    doc = sdep()
    doc["status"] = status(doc, component(), now=NOW)

    found = SeldonDialect().failed_status(doc, FairleadError("broken"), now=LATER)

    assert found["deploymentStatus"] == doc["status"]["deploymentStatus"]
    assert found["replicas"] == 1
    assert condition(found, "ServicesReady") == condition(doc["status"], "ServicesReady")
    assert condition(found, "Ready")["status"] == "False"
    again = SeldonDialect().failed_status(doc | {"status": found}, FairleadError("broken"), now="2024-05-01T12:00:00Z")
    assert again == found


def test_a_document_of_any_shape_can_be_told_to_have_failed() -> None:
    found = SeldonDialect().failed_status({"metadata": None, "status": []}, FairleadError("broken"), now=NOW)

    assert found["state"] == "Failed"
