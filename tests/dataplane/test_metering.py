"""What a worker counts, as Prometheus reads it."""

import os

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fairlead.dataplane.metering import TIMER_BOUNDS, Meters, Place
from support.serving import unit


def samples(text: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def one(text: bytes, name: str, **labels: str) -> float:
    found = [
        value for (key, have), value in samples(text).items() if key == name and labels.items() <= dict(have).items()
    ]
    assert len(found) == 1, (name, labels, text.decode())
    return found[0]


@pytest.fixture
def meters() -> Meters:
    return Meters(Place(deployment="dep", predictor="main", version="v7"))


def test_requests_are_a_histogram_and_a_summary_with_the_orchestrators_labels(meters: Meters) -> None:
    for seconds in (0.004, 0.02, 20.0):
        meters.server("predictions", "post", "200").observe(seconds)
    text = meters.render()

    name = "seldon_api_executor_server_requests_seconds"
    labels = {
        "deployment_name": "dep",
        "predictor_name": "main",
        "predictor_version": "v7",
        "service": "predictions",
        "method": "post",
        "code": "200",
    }
    assert one(text, f"{name}_count", **labels) == 3
    assert one(text, f"{name}_sum", **labels) == pytest.approx(20.024)
    assert one(text, f"{name}_bucket", le="0.005") == 1
    assert one(text, f"{name}_bucket", le="0.025") == 2
    assert one(text, f"{name}_bucket", le="10.0") == 2
    assert one(text, f"{name}_bucket", le="+Inf") == 3
    assert one(text, f"{name}_summary", quantile="0.5", **labels) == 0.02
    assert one(text, f"{name}_summary", quantile="1.0") == 20.0
    assert one(text, f"{name}_summary_count") == 3


@pytest.mark.parametrize(
    ("image", "name", "version"),
    [("img:1.0", "img", "1.0"), ("img", "img", ""), ("host:5000/img:1.0", "host:5000/img:1.0", "")],
)
def test_calls_to_units_carry_their_image(meters: Meters, image: str, name: str, version: str) -> None:
    meters.client(unit("m", image=image), "/predict", "200").observe(0.1)

    assert (
        one(
            meters.render(),
            "seldon_api_executor_client_requests_seconds_count",
            model_name="m",
            model_image=name,
            model_version=version,
            service="/predict",
        )
        == 1
    )


def test_a_series_nobody_used_is_not_shown(meters: Meters) -> None:
    meters.server("predictions", "post", "200")

    assert b"seldon_api_executor" not in meters.render()


def test_what_units_report_is_counted_by_its_type(meters: Meters) -> None:
    reported = [
        {"type": "COUNTER", "key": "mycounter", "value": 2},
        {"type": "GAUGE", "key": "mygauge", "value": 100, "tags": {"a": "b", "model_name": "mine"}},
        {"type": "TIMER", "key": "mytimer", "value": 20.2},
    ]
    for _ in range(2):
        meters.custom(unit("m", image="host:5000/img:1.0"), "transform-input", reported)
    text = meters.render_custom()

    common = {
        "deployment_name": "dep",
        "seldon_deployment_name": "dep",
        "predictor_name": "main",
        "predictor_version": "v7",
        "model_name": "m",
        "model_image": "host:5000/img",
        "model_version": "1.0",
        "image_name": "host:5000/img",
        "image_version": "1.0",
        "method": "inputtransform",
        "worker_id": str(os.getpid()),
    }
    assert one(text, "mycounter_total", **common) == 4
    assert one(text, "mygauge", a="b", **common) == 100
    assert one(text, "mytimer_sum", **common) == pytest.approx(0.0404)
    assert one(text, "mytimer_bucket", le="+Inf", **common) == 2
    assert one(text, "mytimer_bucket", le=repr(TIMER_BOUNDS[0])) == 0
    assert len(TIMER_BOUNDS) == 50
    assert TIMER_BOUNDS[-1] == pytest.approx(30)


def test_what_is_not_known_says_so() -> None:
    meters = Meters(Place(deployment="d", predictor="p"))
    meters.custom(unit("m", image=""), "predict", [{"type": "COUNTER", "key": "a.b-c", "value": 1}])

    assert one(meters.render(), "a_b_c_total", predictor_version="NOT_IMPLEMENTED", image_name="NOT_IMPLEMENTED") == 1


def test_rewards_are_counted(meters: Meters) -> None:
    for reward in (1.0, 0.5, 0.0):
        meters.rewarded(unit("m"), reward)

    assert one(meters.render(), "seldon_api_model_feedback_total", method="feedback") == 3
    assert one(meters.render(), "seldon_api_model_feedback_reward_total", method="feedback") == 1.5


def test_a_counter_that_ends_in_total_keeps_its_name(meters: Meters) -> None:
    meters.custom(unit("m"), "predict", [{"type": "COUNTER", "key": "seen_total", "value": 1}])

    assert one(meters.render(), "seen_total") == 1
