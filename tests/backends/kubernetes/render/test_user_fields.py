"""Fields of users' own parts that a cluster would refuse an object for."""

from typing import Any

import pytest
from tools.user_fields import TARGET, text

from fairlead.backends.kubernetes.render.user_fields import POD, known, unknown
from fairlead.plan.layout import HorizontalScaler
from support.layouts import only, pod, workload, written

PATH = "iris: the pod's spec"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"containers": [{"name": "c", "imag": "x"}]}, "containers[0].imag is no field that Kubernetes has there"),
        ({"containers": [{"name": "c", "imag": "x"}]}, "; did you mean image?"),
        ({"containers": [], "resources2": 1, "zzz": 1}, ".zzz is no field"),
        ({"containers": [{"name": "c", "env": [{"name": "A", "valueFrom": {"ref": {}}}]}]}, "env[0].valueFrom.ref"),
        ({"containers": [{"name": "c", "resources": {"gpu": 1}}]}, "containers[0].resources.gpu"),
    ],
)
def test_a_field_that_no_cluster_knows_falls_and_is_told(spec: dict[str, Any], told: str) -> None:
    assert any(told in text for text in unknown(spec, POD, PATH))
    assert list(unknown(known(spec, POD), POD, PATH)) == []


def test_keys_that_are_users_own_stay() -> None:
    spec = {
        "containers": [{"name": "c", "resources": {"limits": {"nvidia.com/gpu": 1}}, "command": ["a"]}],
        "nodeSelector": {"any": "key"},
        "volumes": [{"name": "v", "csi": {"driver": "d", "volumeAttributes": {"some": "thing"}}}],
        "affinity": {"podAffinity": {}},
        "overhead": {"cpu": "1m"},
    }

    assert known(spec, POD) == spec
    assert list(unknown(spec, POD, PATH)) == []


def test_null_means_absent_and_is_not_worth_telling() -> None:
    spec = {"containers": [{"name": "c", "resources": None, "nothing": None}], "tolerations": None}

    assert known(spec, POD) == {"containers": [{"name": "c"}]}
    assert list(unknown(spec, POD, PATH)) == []


def test_what_is_no_object_is_left_for_the_cluster_to_refuse() -> None:
    assert known({"containers": "many", "securityContext": 3}, POD) == {"containers": "many", "securityContext": 3}


def test_strategies_and_metrics_are_looked_at_too() -> None:
    scaler = HorizontalScaler(
        min_replicas=1,
        max_replicas=2,
        metrics=({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Value"}, "targetAverage": 1}},),
        behavior={"scaleUp": {"window": 1, "stabilizationWindowSeconds": 2}},
    )
    made = workload(pod=pod({"name": "c", "image": "i", "x": 1}), strategy={"typ": "Recreate"}, scaler=scaler)

    found = written(workloads=(made,))

    assert [text.split(" is no field")[0] for text in found.warnings] == [
        "iris: the pod's spec.containers[0].x",
        "iris: strategy.typ",
        "iris: metrics[0].resource.targetAverage",
        "iris: behavior.scaleUp.window",
    ]
    assert only(found, "HorizontalPodAutoscaler")["spec"]["behavior"] == {"scaleUp": {"stabilizationWindowSeconds": 2}}


def test_the_table_is_what_the_newest_kubernetes_says() -> None:
    assert TARGET.read_text() == text()
