"""What an InferenceService's status tells, from its first download to its end."""

from typing import Any

import pytest

from fairlead.dialects.kserve import KServeDialect
from fairlead.dialects.kserve.inference_service.status_failed import failed
from fairlead.dialects.kserve.serving_runtime.selection import NoRuntime
from fairlead.errors import FairleadError
from fairlead.plan.status import Phase
from support.isvc import container, isvc, model
from support.rollouts import Installation, Life

STANDARD = {"serving.kserve.io/deploymentMode": "Standard"}


def conditions(status: Any) -> dict[str, str]:
    return {one["type"]: one["status"] for one in status["conditions"]}


def condition(status: Any, type_: str) -> dict[str, Any]:
    return next(one for one in status["conditions"] if one["type"] == type_)


@pytest.fixture
def life() -> Life:
    life = Life(doc=isvc(model(uri="gs://m/1")))
    life.settle()
    return life


def test_a_service_that_loads_is_not_ready_and_says_why() -> None:
    life = Life(doc=isvc(model()), fate={"predictor-00001": Phase.STARTING})
    life.settle()

    status = life.doc["status"]
    assert conditions(status) == {
        "IngressReady": "False",
        "LatestDeploymentReady": "Unknown",
        "PredictorConfigurationReady": "Unknown",
        "PredictorReady": "Unknown",
        "PredictorRouteReady": "Unknown",
        "Ready": "False",
        "RoutesReady": "Unknown",
        "Stopped": "False",
    }
    assert condition(status, "IngressReady")["reason"] == "Predictor ingress not created"
    assert condition(status, "RoutesReady")["reason"] == "PredictorRouteReady not ready"
    assert "loading its model (0 of 1 replicas ready)" in condition(status, "Ready")["message"]
    assert status["components"]["predictor"] == {"latestCreatedRevision": "iris-predictor-00001"}


def test_a_ready_service_tells_its_addresses_and_its_runtime(life: Life) -> None:
    status = life.doc["status"]

    assert set(conditions(status).items()) >= {("Ready", "True"), ("Stopped", "False")}
    assert status["url"] == "http://iris.models.example.com:8080"
    assert status["address"] == {"url": "http://iris.models.svc.cluster.local"}
    assert status["components"]["predictor"] == {
        "url": "http://iris-predictor.models.example.com:8080",
        "restUrl": "http://iris-predictor.models.example.com:8080",
        "grpcUrl": "grpc://iris-predictor.models.example.com:8080",
        "address": {"url": "http://iris-predictor.models.svc.cluster.local"},
        "latestCreatedRevision": "iris-predictor-00001",
        "latestReadyRevision": "iris-predictor-00001",
        "latestRolledoutRevision": "iris-predictor-00001",
        "traffic": [{"revisionName": "iris-predictor-00001", "latestRevision": True, "percent": 100}],
    }
    assert (status["deploymentMode"], status["clusterServingRuntimeName"]) == ("Knative", "kserve-sklearnserver")
    assert status["observedGeneration"] == 1


def test_only_terminal_conditions_have_no_severity(life: Life) -> None:
    loud = {one["type"] for one in life.doc["status"]["conditions"] if "severity" not in one}

    assert loud == {"Ready", "PredictorReady", "IngressReady"}


def test_it_is_not_ready_before_the_gateway_routes_to_it() -> None:
    life = Life(doc=isvc(model()))
    life.look()
    life.report(routed=False)

    ingress = condition(life.doc["status"], "IngressReady")
    assert (ingress["status"], ingress["message"]) == ("Unknown", "waiting for the gateway to route to it")


def test_a_failing_first_revision_says_what_failed() -> None:
    life = Life(doc=isvc(model()), fate={"predictor-00001": Phase.FAILED})
    life.settle()

    ready = condition(life.doc["status"], "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ModelLoadFailed")
    assert ready["message"] == "revision iris-predictor-00001: no such file"
    configuration = condition(life.doc["status"], "PredictorConfigurationReady")
    assert configuration["reason"] == "RevisionFailed"
    assert 'Revision "iris-predictor-00001" failed with message:' in configuration["message"]
    assert condition(life.doc["status"], "LatestDeploymentReady")["reason"] == "PredictorConfigurationReady not ready"


def test_a_new_revision_on_its_way_makes_ready_unknown_and_the_old_one_serves(life: Life) -> None:
    life.model("gs://m/2")
    life.fate["predictor-00002"] = Phase.STARTING
    life.settle()

    ready = condition(life.doc["status"], "Ready")
    assert ready["status"] == "Unknown"
    assert ready["message"].endswith("iris-predictor-00001 serves until it is ready")


def test_a_new_revision_has_the_requests_when_the_gateway_says_so_and_not_before(life: Life) -> None:
    life.model("gs://m/2")
    life.look()
    life.report(routed=False)
    life.look()
    status = life.report(routed=False)

    predictor = status["components"]["predictor"]
    assert predictor["latestReadyRevision"] == "iris-predictor-00002"
    assert [(one["revisionName"], one["percent"]) for one in predictor["traffic"]] == [("iris-predictor-00001", 100)]
    assert condition(status, "Ready")["message"].endswith("requests are being moved to iris-predictor-00002")

    life.look()
    status = life.report(routed=True)
    predictor = status["components"]["predictor"]
    assert predictor["latestRolledoutRevision"] == "iris-predictor-00002"
    assert [(one["revisionName"], one["percent"]) for one in predictor["traffic"]] == [("iris-predictor-00002", 100)]
    assert conditions(status)["Ready"] == "True"


def test_a_new_revision_that_fails_leaves_the_service_ready(life: Life) -> None:
    life.model("gs://m/2")
    life.fate["predictor-00002"] = Phase.FAILED
    life.settle()

    status = life.doc["status"]
    assert conditions(status)["Ready"] == "True"
    assert conditions(status)["LatestDeploymentReady"] == "False"
    assert status["modelStatus"]["transitionStatus"] == "BlockedByFailedLoad"
    assert status["modelStatus"]["states"]["activeModelState"] == "Loaded"
    predictor = status["components"]["predictor"]
    assert predictor["latestReadyRevision"] == "iris-predictor-00001"
    assert predictor["latestCreatedRevision"] == "iris-predictor-00002"


def test_ready_follows_a_revision_that_breaks_after_it_was_ready(life: Life) -> None:
    life.fate["predictor-00001"] = Phase.FAILED
    life.settle()
    assert conditions(life.doc["status"])["Ready"] == "False"

    life.fate.clear()
    life.settle()
    assert conditions(life.doc["status"])["Ready"] == "True"


def test_a_service_at_zero_is_ready_and_so_is_one_that_wakes_up(life: Life) -> None:
    life.sleeping.add("predictor-00001")
    life.settle()
    assert conditions(life.doc["status"])["Ready"] == "True"
    assert life.doc["status"]["modelStatus"]["states"]["activeModelState"] == "Standby"

    life.sleeping.clear()
    life.fate["predictor-00001"] = Phase.STARTING
    life.settle()
    assert conditions(life.doc["status"])["Ready"] == "True"


def test_a_transformer_that_fails_takes_the_ingress_along() -> None:
    doc = isvc(model(), transformer=container("transformer-image"))
    life = Life(doc=doc, fate={"transformer-00001": Phase.FAILED})
    life.settle()

    status = life.doc["status"]
    assert conditions(status)["PredictorReady"] == "True"
    assert condition(status, "Ready")["reason"] == "Transformer ingress not created"
    assert condition(status, "Ready")["message"] == "revision iris-transformer-00001: no such file"
    # The predictor's roll-out does not wait for the transformer.
    assert status["components"]["predictor"]["latestRolledoutRevision"] == "iris-predictor-00001"


def test_a_condition_keeps_its_time_while_its_status_stays(life: Life) -> None:
    life.now = "2026-02-02T00:00:00Z"
    life.model("gs://m/2")
    life.fate["predictor-00002"] = Phase.FAILED
    life.settle()

    assert condition(life.doc["status"], "PredictorRouteReady")["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert condition(life.doc["status"], "LatestDeploymentReady")["lastTransitionTime"] == "2026-02-02T00:00:00Z"


def test_a_failing_revision_does_not_hold_back_the_one_before_it(life: Life) -> None:
    life.model("gs://m/2")
    life.look()
    life.report()
    life.model("gs://m/3")
    life.fate["predictor-00003"] = Phase.FAILED

    plan = life.settle()

    assert life.doc["status"]["components"]["predictor"]["latestRolledoutRevision"] == "iris-predictor-00002"
    assert [component.name for component in plan.components] == ["predictor-00002", "predictor-00003"]


def test_standard_mode_tells_less_and_only_when_it_is_ready() -> None:
    life = Life(doc=isvc(model(), annotations=STANDARD), fate={"predictor": Phase.STARTING})
    life.settle()
    assert "components" not in life.doc["status"]

    life.fate.clear()
    life.settle()

    status = life.doc["status"]
    assert status["components"] == {"predictor": {"url": "http://iris-predictor-models.example.com:8080"}}
    assert conditions(status) == {
        "IngressReady": "True",
        "PredictorReady": "True",
        "Ready": "True",
        "Stopped": "False",
    }


def test_a_stopped_service_tells_nothing_but_that(life: Life) -> None:
    life.doc["metadata"]["annotations"]["serving.kserve.io/stop"] = "true"
    life.settle()

    status = life.doc["status"]
    assert set(status) == {"deploymentMode", "conditions", "observedGeneration"}
    assert conditions(status) == {
        "IngressReady": "False",
        "PredictorReady": "False",
        "Ready": "False",
        "Stopped": "True",
    }
    assert condition(status, "Ready")["reason"] == "Stopped"


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        (
            NoRuntime("no runtime found", failure="NoSupportingRuntime", told="No runtime found to support it"),
            "NoSupportingRuntime",
            "No runtime found to support it",
        ),
        (
            NoRuntime("No ServingRuntimes", failure="RuntimeNotRecognized", told="Waiting for runtime"),
            "RuntimeNotRecognized",
            "Waiting for runtime",
        ),
    ],
)
def test_a_service_without_a_runtime_is_invalid(error: FairleadError, reason: str, message: str) -> None:
    status = failed(isvc(model()), error, world=Installation(), now="now")

    assert status["modelStatus"]["transitionStatus"] == "InvalidSpec"
    failure = status["modelStatus"]["lastFailureInfo"]
    assert (failure["reason"], failure["message"]) == (reason, message)
    ready = condition(status, "PredictorReady")
    assert (ready["status"], ready["reason"]) == ("False", "ReconcileFailed")
    assert ready["message"].startswith("fails to reconcile component: ")


def test_a_refused_change_leaves_told_what_still_serves(life: Life) -> None:
    status = failed(life.doc, FairleadError("the disk is full"), world=life.world, now="later")

    assert status["components"] == life.doc["status"]["components"]
    assert status["modelStatus"] == life.doc["status"]["modelStatus"]
    assert conditions(status)["Ready"] == "False"
    assert conditions(status)["IngressReady"] == "True"


def test_events_tell_of_readiness_of_roll_outs_and_of_failures(life: Life) -> None:
    life.model("gs://m/2")
    life.settle()
    life.change(canaryTrafficPercent=10)
    life.settle()
    life.model("gs://m/3")
    life.fate["predictor-00003"] = Phase.FAILED
    life.settle()

    told = [(event.reason, event.message, event.is_warning) for event in life.events]
    assert told[0] == ("InferenceServiceReady", "InferenceService [iris] is Ready", False)
    reasons = [reason for reason, _, _ in told if not reason.startswith("InferenceService")]
    assert reasons == ["RolledOut", "RolledBack", "RevisionFailed"]
    assert ("RolledBack", "Requests go back from iris-predictor-00002 to iris-predictor-00001", False) in told


def test_a_service_that_stops_being_ready_is_a_warning(life: Life) -> None:
    life.fate["predictor-00001"] = Phase.FAILED
    life.settle()

    (event,) = [event for event in life.events if event.reason == "InferenceServiceNotReady"]
    assert event.is_warning
    assert event.message == (
        "InferenceService [iris] is no longer Ready because of: revision iris-predictor-00001: no such file"
    )


def test_a_revision_tells_whether_it_is_up(life: Life) -> None:
    dialect = KServeDialect()

    def told(number: int) -> dict[str, Any]:
        name = f"iris-predictor-0000{number}"
        key = "Revision", "models", name
        record = life.world.objects[key]
        status = dialect.derived_status(record, now="now", world=life.world)
        assert status is not None
        life.world.objects[key] = {**record, "status": status}
        return status

    assert conditions(told(1)) == {
        "Active": "True",
        "ContainerHealthy": "True",
        "Ready": "True",
        "ResourcesAvailable": "True",
    }
    first = life.world.objects["Revision", "models", "iris-predictor-00001"]
    life.model("gs://m/2")
    life.fate["predictor-00002"] = Phase.FAILED
    life.look()
    life.report()
    assert condition(told(2), "Ready")["reason"] == "ModelLoadFailed"

    life.fate.clear()
    life.settle()
    life.world.objects["Revision", "models", "iris-predictor-00001"] = first
    gone = told(1)
    assert (conditions(gone)["Ready"], conditions(gone)["Active"], gone["actualReplicas"]) == ("True", "False", 0)


def test_a_runtime_that_is_deleted_stays_told_while_its_service_runs() -> None:
    life = Life(doc=isvc(model(), annotations=STANDARD))
    life.settle()
    del life.world.objects["ClusterServingRuntime", "", "kserve-sklearnserver"]

    assert life.report()["clusterServingRuntimeName"] == "kserve-sklearnserver"


def test_model_mesh_is_said_not_to_be_there() -> None:
    life = Life(doc=isvc(model(), annotations={"serving.kserve.io/deploymentMode": "ModelMesh"}))

    plan = life.settle()

    assert any("ModelMesh" in warning for warning in plan.warnings)
    assert life.doc["status"]["deploymentMode"] == "ModelMesh"
    assert conditions(life.doc["status"])["Ready"] == "True"


def test_a_slow_roll_out_is_warned_of() -> None:
    life = Life(doc=isvc(model(), annotations={"serving.knative.dev/rollout-duration": "380s"}))

    assert any("rollout-duration" in warning for warning in life.look().warnings)
