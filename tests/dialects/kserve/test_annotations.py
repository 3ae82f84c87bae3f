import pytest

from fairlead.dialects.kserve.annotations import DOMAIN, read_autoscaling
from fairlead.dialects.kserve.autoscaler_config import AutoscalerConfig
from fairlead.errors import InvalidManifest
from fairlead.plan.scaling import KnativeScaling, ScaleMetric

CONFIG = AutoscalerConfig()


def refusal(**annotations: str) -> str:
    with pytest.raises(InvalidManifest) as caught:
        read_autoscaling({f"{DOMAIN}{name.replace('_', '-')}": text for name, text in annotations.items()}, CONFIG)
    return str(caught.value)


def test_no_annotation_means_knatives_defaults() -> None:
    found = read_autoscaling({}, CONFIG)

    assert (found.min_replicas, found.max_replicas, found.initial_replicas) == (None, None, None)
    assert found.scaling == KnativeScaling(target=100)


def test_every_annotation_is_read() -> None:
    found = read_autoscaling(
        {
            f"{DOMAIN}class": "kpa.autoscaling.knative.dev",
            f"{DOMAIN}metric": "rps",
            f"{DOMAIN}target": "150",
            f"{DOMAIN}min-scale": "2",
            f"{DOMAIN}max-scale": "5",
            f"{DOMAIN}initial-scale": "3",
            f"{DOMAIN}window": "90s",
            f"{DOMAIN}target-utilization-percentage": "80",
            f"{DOMAIN}target-burst-capacity": "-1",
            f"{DOMAIN}panic-window-percentage": "20",
            f"{DOMAIN}panic-threshold-percentage": "150",
            f"{DOMAIN}scale-to-zero-pod-retention-period": "1m5s",
            f"{DOMAIN}scale-down-delay": "15m",
            f"{DOMAIN}activation-scale": "4",
            f"{DOMAIN}metric-aggregation-algorithm": "weighted-exponential",
        },
        CONFIG,
    )

    assert (found.min_replicas, found.max_replicas, found.initial_replicas) == (2, 5, 3)
    assert found.scaling == KnativeScaling(
        metric=ScaleMetric.RPS,
        target=150,
        utilization=0.8,
        stable_window_s=90,
        panic_window_percent=20,
        panic_threshold_percent=150,
        zero_retention_s=65,
        burst_capacity=-1,
        down_delay_s=900,
        activation_scale=4,
        is_weighted=True,
    )


def test_older_spellings_mean_the_same() -> None:
    aliases = {
        "minScale": "2",
        "maxScale": "5",
        "initialScale": "3",
        "scaleDownDelay": "15m",
        "targetUtilizationPercentage": "80",
        "targetBurstCapacity": "0",
        "panicWindowPercentage": "20",
        "panicThresholdPercentage": "150",
        "scaleToZeroPodRetentionPeriod": "65s",
    }
    kebab = {"".join(f"-{c.lower()}" if c.isupper() else c for c in name): text for name, text in aliases.items()}

    assert read_autoscaling({f"{DOMAIN}{name}": text for name, text in aliases.items()}, CONFIG) == read_autoscaling(
        {f"{DOMAIN}{name}": text for name, text in kebab.items()}, CONFIG
    )


def test_the_settings_hold_where_annotations_say_nothing() -> None:
    config = AutoscalerConfig(stable_window_s=30, target_utilization=0.5, container_concurrency_target_default=10)
    scaling = read_autoscaling({}, config).scaling

    assert (scaling.stable_window_s, scaling.utilization, scaling.target) == (30, 0.5, 10)


def test_a_limit_of_concurrent_requests_bounds_the_target() -> None:
    for target, expected in ((None, 4), ("2", 2), ("9", 4)):
        annotations = {} if target is None else {f"{DOMAIN}target": target}
        assert read_autoscaling(annotations, CONFIG, container_concurrency=4).scaling.target == expected


def test_kubernetes_rule_is_asked_for_by_its_class() -> None:
    found = read_autoscaling(
        {f"{DOMAIN}class": "hpa.autoscaling.knative.dev", f"{DOMAIN}metric": "memory", f"{DOMAIN}target": "80"}, CONFIG
    )

    assert (found.is_horizontal, found.metric, found.target) == (True, "memory", 80)


@pytest.mark.parametrize(
    ("annotation", "text", "said"),
    [
        ("class", "mine", "invalid value: mine"),
        ("metric", "cpu", "invalid value: cpu"),
        ("target", "0", "invalid value: 0"),
        ("target", "many", "invalid value: many"),
        ("min-scale", "one", "invalid value: one"),
        ("min-scale", "-1", "expected 0 <= -1 <= 2147483647"),
        ("max-scale", "99999999999", "invalid value: 99999999999"),
        ("initial-scale", "0", "invalid value: 0"),
        ("window", "5s", "expected 6s <= 5s <= 1h0m0s"),
        ("window", "6.5s", "must be specified with at most second precision"),
        ("window", "long", "invalid value: long"),
        ("target-utilization-percentage", "101", "expected 1 <= 101 <= 100"),
        ("target-utilization-percentage", "x", "invalid value: x"),
        ("target-burst-capacity", "-2", "invalid value: -2"),
        ("panic-window-percentage", "0.5", "expected 1 <= 0.5 <= 100"),
        ("panic-threshold-percentage", "100", "expected 110 <= 100 <= 1000"),
        ("scale-to-zero-pod-retention-period", "2h", "expected 0s <= 2h <= 1h0m0s"),
        ("scale-down-delay", "-1s", "expected 0s <= -1s <= 1h0m0s"),
        ("activation-scale", "1", "expected 2 <= 1 <= 2147483647"),
        ("metric-aggregation-algorithm", "median", "invalid value: median"),
    ],
)
def test_a_bad_annotation_is_refused_in_knatives_words(annotation: str, text: str, said: str) -> None:
    assert refusal(**{annotation: text}) == f"validation failed: {said}: metadata.annotations.{DOMAIN}{annotation}"


def test_bounds_that_cross_are_refused() -> None:
    said = refusal(min_scale="3", max_scale="2")

    assert said.startswith("validation failed: max-scale=2 is less than min-scale=3: ")


def test_all_bad_annotations_are_told_at_once() -> None:
    assert refusal(window="1s", target="0").count("metadata.annotations.") == 2
