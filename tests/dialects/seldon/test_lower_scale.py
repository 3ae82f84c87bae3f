from typing import Any

import pytest

from fairlead.plan.scaling import ScalePolicy
from support.sdep import lower, pod, predictor, sdep


def scale(doc: dict[str, Any]) -> tuple[int, int]:
    found = lower(doc).components[0].scale
    assert found.initial_replicas == found.min_replicas
    return found.min_replicas, found.max_replicas


def pods(*replicas: int | None, **fields: Any) -> list[dict[str, Any]]:
    return [
        {**pod({"name": "classifier" if index == 0 else f"c{index}", "image": ""}), "replicas": count, **fields}
        for index, count in enumerate(replicas)
    ]


def test_one_replica_runs_when_nobody_says() -> None:
    assert lower(sdep()).components[0].scale == ScalePolicy()


@pytest.mark.parametrize(
    ("deployment", "inner", "in_pod", "count"),
    [(2, None, None, 2), (2, 3, None, 3), (2, 3, 4, 4), (None, None, 0, 0), (0, None, None, 0), (5, 0, None, 0)],
)
def test_the_most_specific_number_counts(
    deployment: int | None, inner: int | None, in_pod: int | None, count: int
) -> None:
    doc = sdep(predictor(replicas=inner, componentSpecs=pods(in_pod)), replicas=deployment)

    assert scale(doc) == (count, count)


def test_pods_that_share_a_process_run_the_largest_number() -> None:
    plan = lower(sdep(predictor(replicas=2, componentSpecs=pods(1, None, 5))))

    assert plan.components[0].scale.min_replicas == 5
    assert "pods ask for 1, 2, 5 replicas and share one process; 5 run" in "".join(plan.warnings)


def test_the_minimum_of_an_hpa_replaces_the_number() -> None:
    doc = sdep(predictor(replicas=7, componentSpecs=pods(7, hpaSpec={"minReplicas": 2, "maxReplicas": 4})))

    assert scale(doc) == (2, 4)


def test_an_hpa_without_a_minimum_starts_at_one() -> None:
    assert scale(sdep(predictor(componentSpecs=pods(None, hpaSpec={"maxReplicas": 4})))) == (1, 4)


def test_keda_wins_over_hpa_and_never_rests_at_zero() -> None:
    keda = {"minReplicaCount": 0, "triggers": []}
    doc = sdep(predictor(componentSpecs=pods(None, kedaSpec=keda, hpaSpec={"minReplicas": 3, "maxReplicas": 4})))

    assert scale(doc) == (1, 100)
