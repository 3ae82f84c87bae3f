"""Workloads: a Deployment with what scales and protects it."""

from typing import Any

from fairlead.plan.layout import Budget, EventScaler, HorizontalScaler
from support.layouts import only, workload, written


def spec(kind: str, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = only(written(workloads=(workload(**fields),)), kind)["spec"]
    return found


def test_a_deployment_says_all_that_the_workload_says() -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}}

    made = spec("Deployment", replicas=2, strategy=strategy, progress_deadline_s=600, history=10)

    assert made["replicas"] == 2
    assert made["strategy"] == strategy
    assert (made["progressDeadlineSeconds"], made["revisionHistoryLimit"]) == (600, 10)
    assert made["selector"] == {"matchLabels": {"app": "iris"}}
    assert made["template"]["metadata"]["labels"] == {"app": "iris"}


def test_replicas_that_something_else_decides_are_not_said() -> None:
    assert spec("Deployment").keys() == {"selector", "template"}
    assert spec("Deployment", replicas=0)["replicas"] == 0


def test_a_horizontal_scaler_has_the_workloads_name_and_target() -> None:
    metrics = ({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}},)
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 10}}

    made = spec(
        "HorizontalPodAutoscaler",
        scaler=HorizontalScaler(min_replicas=1, max_replicas=3, metrics=metrics, behavior=behavior),
    )

    assert made == {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "iris"},
        "minReplicas": 1,
        "maxReplicas": 3,
        "metrics": list(metrics),
        "behavior": behavior,
    }


def test_a_horizontal_scaler_leaves_out_what_is_not_said() -> None:
    made = spec("HorizontalPodAutoscaler", scaler=HorizontalScaler(min_replicas=None, max_replicas=3))

    assert made.keys() == {"scaleTargetRef", "maxReplicas"}


def test_kedas_scaler_gets_its_target() -> None:
    trigger = {"type": "cpu", "metadata": {"value": "50"}}

    made = spec("ScaledObject", scaler=EventScaler(spec={"minReplicaCount": 0, "triggers": [trigger]}))

    assert made["scaleTargetRef"]["name"] == "iris"
    assert (made["minReplicaCount"], made["triggers"]) == (0, [trigger])


def test_a_budget_selects_the_pods_of_its_own_workload() -> None:
    assert spec("PodDisruptionBudget", budget=Budget(min_available="50%")) == {
        "minAvailable": "50%",
        "selector": {"matchLabels": {"app": "iris"}},
    }
    assert spec("PodDisruptionBudget", budget=Budget(max_unavailable=1))["maxUnavailable"] == 1
