"""Statuses of Standard mode."""

from typing import Any

import pytest

from fairlead.dialects.base import Document
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings, Observed
from fairlead.dialects.kserve import KServeDialect
from fairlead.dialects.kserve.serving_runtime.selection import NoRuntime
from support.isvc import Stored, container, isvc, model
from support.kserve_cluster import NOW, THEN, Cluster, condition, deployment, route, settings_map, truths

UP = (deployment("iris-predictor"), route("iris"), route("iris-predictor"))


def _pod(workload: str, *, ready: bool = True) -> Document:
    conditions = [{"type": "Ready", "status": str(ready)}]
    labels = {"app": f"isvc.{workload}", "component": "predictor"}
    return {"metadata": {"name": f"{workload}-x", "labels": labels}, "status": {"conditions": conditions}}


def test_a_service_that_is_up_says_all_of_it() -> None:
    status = Cluster().status(isvc(model()), *UP, pods=(_pod("iris-predictor"),))

    assert truths(status) == {"IngressReady": "True", "PredictorReady": "True", "Ready": "True", "Stopped": "False"}
    assert status["deploymentMode"] == "Standard"
    assert status["clusterServingRuntimeName"] == "kserve-sklearnserver"
    assert status["modelStatus"] == {
        "transitionStatus": "UpToDate",
        "states": {"activeModelState": "Loaded", "targetModelState": "Loaded"},
        "copies": {"failedCopies": 0, "totalCopies": 1},
    }


def test_a_service_that_comes_has_no_address_yet() -> None:
    status = Cluster().status(isvc(model()), deployment("iris-predictor", available="False", reason="MinimumReplicas"))

    assert not {"url", "address", "components"} & set(status)
    assert condition(status, "PredictorReady")["reason"] == "MinimumReplicas"
    assert truths(status)["Ready"] == "False"


def test_an_address_that_was_told_stays_while_the_service_is_down() -> None:
    doc = isvc(model())
    up = Cluster().status(doc, *UP, now=THEN)

    down = Cluster().status({**doc, "status": up}, deployment("iris-predictor", available="False"), *UP[1:])

    assert {key: down[key] for key in ("url", "address", "components")} == {
        key: up[key] for key in ("url", "address", "components")
    }


def test_a_condition_that_stays_the_same_keeps_its_time() -> None:
    doc = isvc(model())
    first = Cluster().status(doc, *UP, now=THEN)

    assert Cluster().status({**doc, "status": first}, *UP, now=NOW) == first


def test_a_transformer_has_a_condition_of_its_own() -> None:
    doc = isvc(model(), transformer=container())

    status = Cluster().status(doc, *UP, deployment("iris-transformer", available="False", message="no room"))

    assert truths(status)["TransformerReady"] == "False"
    assert truths(status)["PredictorReady"] == "True"
    assert truths(status)["Ready"] == "False"


def test_a_stopped_service_says_so_and_nothing_else() -> None:
    status = Cluster().status(isvc(model(), annotations={"serving.kserve.io/stop": "true"}))

    assert truths(status) == {"IngressReady": "False", "PredictorReady": "False", "Ready": "False", "Stopped": "True"}
    assert set(status) == {"conditions", "deploymentMode", "observedGeneration"}


def _with_canaries(*names: str) -> dict[str, Any]:
    canaries = [
        {"trafficPercent": 10 * index, "predictor": {"name": name, **model(uri=f"gs://models/{name}")}}
        for index, name in enumerate(names)
    ]
    return isvc(model(), canary=canaries)


def test_canaries_are_ready_each_by_itself() -> None:
    doc = _with_canaries("dark", "next")
    objects = (deployment("iris-dark-predictor"), deployment("iris-next-predictor", available="False"))

    status = Cluster().status(doc, *UP, *objects)

    assert [(one["name"], one["ready"], one["trafficPercent"]) for one in status["canaryStatuses"]] == [
        ("dark", True, 0),
        ("next", False, 10),
    ]
    told = condition(status, "CanaryPredictorReady")
    assert (told["status"], told["reason"], told["message"]) == ("False", "CanariesNotReady", "not ready: next")
    assert truths(status)["Ready"] == "True"


def test_a_canarys_model_is_told_of_its_own_pods() -> None:
    doc = _with_canaries("none", "next")
    objects = (deployment("iris-none-predictor"), deployment("iris-next-predictor"))

    status = Cluster().status(doc, *UP, *objects, pods=(_pod("iris-next-predictor"), _pod("iris-predictor")))

    assert condition(status, "CanaryPredictorReady")["reason"] == "AllCanariesReady"
    assert status["canaryStatuses"][1]["modelStatus"]["copies"]["totalCopies"] == 1


RUNTIME = {
    "apiVersion": "serving.kserve.io/v1alpha1",
    "kind": "ServingRuntime",
    "metadata": {"name": "nodes", "namespace": "models"},
    "spec": {
        "supportedModelFormats": [{"name": "sklearn", "autoSelect": True}],
        "containers": [{"name": "kserve-container", "image": "server:1"}],
        "workerSpec": {"containers": [{"name": "worker-container", "image": "server:1"}]},
    },
}


def test_both_parts_of_a_predictor_of_several_nodes_are_told() -> None:
    doc = isvc({**model(uri="pvc://claim"), "workerSpec": {"pipelineParallelSize": 2}})
    head = deployment("iris-predictor", message="one of one")
    worker = deployment("iris-predictor-worker", available="False", reason="Short", message="none of one")

    status = Cluster(stored=(RUNTIME,)).status(doc, head, worker)

    told = condition(status, "PredictorReady")
    assert (told["status"], told["reason"]) == ("False", "Short")
    assert told["message"] == "predictor-container: one of one, worker-container: none of one"
    assert status["servingRuntimeName"] == "nodes"


def test_settings_that_cannot_be_read_are_told() -> None:
    dialect, doc = KServeDialect(), isvc(model())
    layout = Cluster().layout(doc)
    assert layout.workloads
    config = settings_map(ingress='{"ingressGateway": "a/b", "domainTemplate": "{{ .Nope }}"}')
    world, observed = Stored(config), Observed(objects={("Deployment", "iris-predictor"): UP[0]})
    status = dialect.cluster_status(doc, layout, observed, settings=ClusterSettings(), now=NOW, world=world)

    assert condition(status, "PredictorReady")["reason"] == "ReconcileFailed"
    assert "ingress.domainTemplate" in condition(status, "PredictorReady")["message"]


def test_a_model_that_no_runtime_serves_is_told() -> None:
    dialect, doc = KServeDialect(), isvc(model("unknown"))
    with pytest.raises(NoRuntime) as caught:
        dialect.lay_out(doc, settings=ClusterSettings(), catalog=Catalog(), world=Stored())

    status = dialect.cluster_failed_status(doc, caught.value, now=NOW, world=Stored())

    assert status["modelStatus"]["lastFailureInfo"]["reason"] == "NoSupportingRuntime"
    assert condition(status, "PredictorReady")["message"].startswith("fails to reconcile component: no runtime found")
