"""Numbers of pods and who decides them."""

from typing import Any

import pytest

from fairlead.dialects.seldon.cluster.scaling import horizontal_metrics
from fairlead.plan.layout import Budget, EventScaler, HorizontalScaler
from support.sdep import pod, predictor, sdep
from support.seldon_layouts import lay_out, workload

KEDA = {"triggers": [{"type": "cron"}], "minReplicaCount": 0}


def of_pod(**fields: Any) -> dict[str, Any]:
    return sdep(predictor(replicas=3, componentSpecs=[{**pod({"name": "classifier"}), **fields}]), replicas=2)


def test_the_most_specific_number_wins() -> None:
    assert workload(lay_out(of_pod(replicas=4))).replicas == 4
    assert workload(lay_out(of_pod())).replicas == 3
    assert workload(lay_out(sdep(replicas=0))).replicas == 0
    assert workload(lay_out(sdep())).replicas is None


def test_a_scaler_leaves_no_number() -> None:
    found = workload(lay_out(of_pod(replicas=4, hpaSpec={"minReplicas": 2, "maxReplicas": 5})))

    assert found.replicas is None
    assert found.scaler == HorizontalScaler(min_replicas=2, max_replicas=5)


def test_keda_wins_over_an_hpa() -> None:
    found = workload(lay_out(of_pod(kedaSpec=KEDA, hpaSpec={"maxReplicas": 5}), keda={"enabled": True}))

    assert found.scaler == EventScaler(spec=KEDA)
    assert found.replicas is None


def test_without_keda_the_number_holds_and_somebody_hears_of_it() -> None:
    layout = lay_out(of_pod(kedaSpec=KEDA))

    assert workload(layout).replicas == 3
    assert workload(layout).scaler is None
    assert layout.warnings == (
        "spec.predictors[0].componentSpecs[0].kedaSpec is ignored: KEDA is not enabled in this installation "
        "(keda.enabled)",
    )


def test_a_budget_is_for_the_deployments_own_pods() -> None:
    found = workload(lay_out(of_pod(pdbSpec={"minAvailable": "50%"})))

    assert found.budget == Budget(min_available="50%")
    assert "seldon-app-svc-classifier" in found.selector


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            {"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": 70}},
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
            },
        ),
        (
            {
                "type": "ContainerResource",
                "containerResource": {"name": "cpu", "container": "a", "targetAverageValue": "1"},
            },
            {
                "type": "ContainerResource",
                "containerResource": {
                    "name": "cpu",
                    "container": "a",
                    "target": {"type": "AverageValue", "averageValue": "1"},
                },
            },
        ),
        (
            {"type": "Pods", "pods": {"metricName": "m", "targetAverageValue": "10"}},
            {
                "type": "Pods",
                "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "10"}},
            },
        ),
        (
            {
                "type": "Object",
                "object": {"metricName": "m", "targetValue": "5", "target": {"kind": "Service", "name": "q"}},
            },
            {
                "type": "Object",
                "object": {
                    "metric": {"name": "m"},
                    "describedObject": {"kind": "Service", "name": "q"},
                    "target": {"type": "Value", "value": "5"},
                },
            },
        ),
        (
            {
                "type": "External",
                "external": {"metricName": "m", "metricSelector": {"a": "b"}, "targetAverageValue": "3"},
            },
            {
                "type": "External",
                "external": {
                    "metric": {"name": "m", "selector": {"a": "b"}},
                    "target": {"type": "AverageValue", "averageValue": "3"},
                },
            },
        ),
    ],
)
def test_metrics_of_the_old_form_become_those_of_the_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert horizontal_metrics({"metrics": [old], "metricsv2": [{"type": "Other"}]}) == [new]
    assert horizontal_metrics({"metrics": [new]}) == [new]
    assert horizontal_metrics({"metricsv2": [new]}) == [new]
