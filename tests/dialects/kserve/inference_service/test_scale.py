from typing import Any

import pytest

from fairlead.errors import InvalidManifest
from fairlead.plan.model import Limits
from fairlead.plan.scaling import (
    HorizontalScaling,
    KnativeScaling,
    MetricTarget,
    ScaleMetric,
    ScalePolicy,
    ScalingPolicy,
    ScalingRules,
)
from support.isvc import isvc, lowered, model


def scale(*, knative: bool = True, annotations: dict[str, str] | None = None, **fields: Any) -> ScalePolicy:
    doc = isvc({**model(), **fields}, annotations=annotations or {})
    return lowered(doc, is_knative=knative)[0].scale


def knative(**fields: Any) -> KnativeScaling:
    auto = scale(**fields).auto
    assert isinstance(auto, KnativeScaling)
    return auto


def horizontal(**fields: Any) -> HorizontalScaling:
    auto = scale(knative=False, **fields).auto
    assert isinstance(auto, HorizontalScaling)
    return auto


def test_one_replica_stays_unless_the_manifest_says_zero() -> None:
    assert (scale().min_replicas, scale().max_replicas, scale().initial_replicas) == (1, 0, 1)
    assert (scale(minReplicas=0).min_replicas, scale(minReplicas=0).initial_replicas) == (0, 1)
    assert (scale(minReplicas=2, maxReplicas=5).min_replicas, scale(maxReplicas=5).max_replicas) == (2, 5)


def test_the_target_is_the_manifests_or_the_limit_or_knatives() -> None:
    assert knative().target == 100
    assert knative(scaleTarget=7).target == 7
    assert knative(containerConcurrency=3).target == 3
    assert knative(containerConcurrency=3, scaleTarget=7).target == 3
    assert knative(scaleMetric="rps").target == 200
    assert knative(scaleMetric="rps", scaleTarget=9).metric is ScaleMetric.RPS


def test_annotations_of_knative_hold_on_the_service_and_on_the_component() -> None:
    said = {"autoscaling.knative.dev/window": "30s", "autoscaling.knative.dev/target": "5"}

    assert knative(annotations=said).stable_window_s == 30
    assert knative(annotations=said).target == 5
    assert knative(annotations={"autoscaling.knative.dev/targetUtilizationPercentage": "50"}).utilization == 0.5
    assert scale(annotations={"autoscaling.knative.dev/initial-scale": "3"}).initial_replicas == 3


def test_bounds_come_from_the_fields_alone() -> None:
    said = {"autoscaling.knative.dev/min-scale": "4", "autoscaling.knative.dev/maxScale": "9"}

    assert (scale(annotations=said).min_replicas, scale(annotations=said).max_replicas) == (1, 0)


def test_an_annotation_that_knative_refuses_is_refused() -> None:
    with pytest.raises(InvalidManifest, match=r"autoscaling\.knative\.dev/window"):
        scale(annotations={"autoscaling.knative.dev/window": "1s"})


def test_an_initial_scale_that_cannot_be_is_left_out() -> None:
    assert scale(annotations={"autoscaling.knative.dev/initial-scale": "0"}).initial_replicas == 1
    assert scale(annotations={"autoscaling.knative.dev/initial-scale": "many"}).initial_replicas == 1


def test_a_limit_lets_ten_times_as_many_wait() -> None:
    assert lowered(isvc({**model(), "containerConcurrency": 4}))[0].revision.limits == Limits(concurrency=4, waiting=40)
    assert lowered(isvc({**model(), "containerConcurrency": 4}), is_knative=False)[0].revision.limits == Limits()


def test_standard_mode_follows_the_processors() -> None:
    assert horizontal().metrics == (MetricTarget(metric=ScaleMetric.CPU, kind="utilization", target=80),)
    assert scale(knative=False, minReplicas=0).min_replicas == 1
    assert (scale(knative=False).min_replicas, scale(knative=False).max_replicas) == (1, 1)
    assert horizontal(scaleTarget=60).metrics[0].target == 60
    assert horizontal(scaleMetric="memory", scaleTarget=70).metrics[0].metric is ScaleMetric.MEMORY


def test_memory_without_a_target_is_not_followed() -> None:
    assert scale(knative=False, scaleMetric="memory", minReplicas=2).auto is None
    assert scale(knative=False, scaleMetric="memory", minReplicas=2).initial_replicas == 2


@pytest.mark.parametrize("kind", ["none", "external"])
def test_a_fixed_number_stays(kind: str) -> None:
    policy = scale(knative=False, minReplicas=3, annotations={"serving.kserve.io/autoscalerClass": kind})

    assert (policy.auto, policy.initial_replicas) == (None, 3)


def test_keda_asks_other_servers_and_may_reach_zero() -> None:
    external = {
        "metric": {"backend": "prometheus", "serverAddress": "http://p:9090", "query": "sum(x)"},
        "target": {"type": "Value", "value": "10"},
    }
    behavior = {
        "scaleDown": {
            "stabilizationWindowSeconds": 5,
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": 15}],
        }
    }
    auto = horizontal(
        minReplicas=0,
        autoScaling={"metrics": [{"type": "External", "external": external}], "behavior": behavior},
        annotations={"serving.kserve.io/autoscalerClass": "keda"},
    )

    assert auto.may_reach_zero
    assert auto.metrics == (
        MetricTarget(
            metric=ScaleMetric.EXTERNAL,
            kind="value",
            target=10,
            server="prometheus",
            address="http://p:9090",
            query="sum(x)",
        ),
    )
    assert auto.down == ScalingRules(window_s=5, policies=(ScalingPolicy(type="Pods", value=1, period_s=15),))
    assert auto.up == ScalingRules(window_s=0)


def test_requests_wait_as_long_as_they_may_take() -> None:
    assert lowered(isvc(model()))[0].patience_s == 300
    assert lowered(isvc({**model(), "timeout": 20}))[0].patience_s == 20
    assert lowered(isvc(model()), is_knative=False)[0].patience_s == 60
