"""HPAs and ScaledObjects of Standard mode."""

from typing import Any

import pytest

from fairlead.plan.layout import EventScaler, HorizontalScaler, Workload
from support.isvc import isvc, model
from support.kserve_cluster import Cluster, settings_map

CLASS = "serving.kserve.io/autoscalerClass"


def _workload(kind: str = "", **fields: Any) -> Workload:
    annotations = {CLASS: kind} if kind else {}
    (found,) = Cluster().layout(isvc({**model(), **fields}, annotations=annotations)).workloads
    return found


def _hpa(**fields: Any) -> HorizontalScaler:
    scaler = _workload(**fields).scaler
    assert isinstance(scaler, HorizontalScaler)
    return scaler


def _keda(**fields: Any) -> Any:
    scaler = _workload("keda", **fields).scaler
    assert isinstance(scaler, EventScaler)
    return scaler.spec


def _utilization(name: str, percent: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": name, "target": target}}


@pytest.mark.parametrize(
    ("fields", "least", "most"),
    [
        ({}, 1, 1),
        ({"minReplicas": 0}, 1, 1),
        ({"minReplicas": 3}, 3, 3),
        ({"minReplicas": 2, "maxReplicas": 5}, 2, 5),
        ({"maxReplicas": 5}, 1, 5),
    ],
)
def test_an_hpa_keeps_one_replica_at_least(fields: Any, least: int, most: int) -> None:
    scaler = _hpa(**fields)

    assert (scaler.min_replicas, scaler.max_replicas) == (least, most)


@pytest.mark.parametrize(
    ("fields", "metrics"),
    [
        ({}, [_utilization("cpu", 80)]),
        ({"scaleTarget": 60}, [_utilization("cpu", 60)]),
        ({"scaleMetric": "memory", "scaleTarget": 75}, [_utilization("memory", 75)]),
        ({"scaleMetric": "memory"}, []),
        (
            {"autoScaling": {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {}}}]}},
            [_utilization("cpu", 80)],
        ),
    ],
)
def test_metrics_of_an_hpa(fields: Any, metrics: Any) -> None:
    assert list(_hpa(**fields).metrics) == metrics


def test_behavior_of_the_manifest_is_kept() -> None:
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 60}}

    assert _hpa(autoScaling={"behavior": behavior}).behavior == behavior


def test_a_number_is_written_only_where_it_is_fixed() -> None:
    assert _workload("none", minReplicas=3).replicas == 3
    assert _workload("none").replicas == 1
    assert _workload("none").scaler is None
    assert _workload("external", minReplicas=3).replicas is None
    assert _workload("external").scaler is None
    assert _workload(minReplicas=3).replicas is None


def test_keda_may_reach_zero() -> None:
    spec = _keda(minReplicas=0, maxReplicas=3)

    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 3)
    assert _keda()["minReplicaCount"] == 1


def test_windows_are_the_manifests_and_then_the_installations() -> None:
    config = settings_map(autoscaler='{"scaleDownStabilizationWindowSeconds": "120"}')
    scaling = {"behavior": {"scaleUp": {"stabilizationWindowSeconds": 7}}}
    doc = isvc({**model(), "autoScaling": scaling}, annotations={CLASS: "keda"})

    scaler = Cluster(stored=(config,)).layout(doc).workloads[0].scaler

    assert isinstance(scaler, EventScaler)
    behavior = scaler.spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 7
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 120


def _metric(kind: str, **said: Any) -> dict[str, Any]:
    return {"autoScaling": {"metrics": [{"type": kind, **said}]}}


@pytest.mark.parametrize(
    ("fields", "trigger"),
    [
        ({"scaleTarget": 70}, {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "70"}}),
        (
            _metric("Resource", resource={"name": "memory", "target": {"type": "AverageValue", "averageValue": "2Gi"}}),
            {"type": "memory", "metricType": "AverageValue", "metadata": {"value": "2Gi"}},
        ),
        (
            _metric(
                "External",
                external={
                    "metric": {"backend": "graphite", "serverAddress": "http://g", "query": "q"},
                    "target": {"type": "Value", "value": 1.50},
                },
            ),
            {"type": "graphite", "metadata": {"serverAddress": "http://g", "query": "q", "threshold": "1.5"}},
        ),
        (
            _metric(
                "PodMetric",
                podmetric={"metric": {"backend": "opentelemetry", "query": "q"}, "target": {"value": 4}},
            ),
            {
                "type": "external",
                "metadata": {
                    "scalerAddress": "keda-otel-scaler.keda.svc:4318",
                    "metricQuery": 'sum(q{namespace="models", deployment="iris-predictor"})',
                    "targetValue": "4",
                },
            },
        ),
    ],
)
def test_triggers_of_keda(fields: Any, trigger: Any) -> None:
    assert _keda(**fields)["triggers"] == [trigger]


def test_a_metric_of_pods_brings_a_collector() -> None:
    podmetric = {"metric": {"backend": "opentelemetry", "metricNames": ["a"], "query": "a"}, "target": {"value": 4}}
    doc = isvc({**model(), **_metric("PodMetric", podmetric=podmetric)}, annotations={CLASS: "keda"})

    layout = Cluster().layout(doc)

    assert [one["kind"] for one in layout.configs] == ["OpenTelemetryCollector"]
    assert layout.workloads[0].pod.annotations["sidecar.opentelemetry.io/inject"] == "iris-predictor"
