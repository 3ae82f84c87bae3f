import pytest

from fairlead.backends.local.backoff import REPLICAS, Backoff


@pytest.mark.parametrize(("failures", "delay_s"), [(0, 0), (1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (1000, 300)])
def test_replicas_wait_from_a_second_to_five_minutes(failures: int, delay_s: float) -> None:
    assert REPLICAS.delay_s(failures) == delay_s


def test_a_long_life_forgives() -> None:
    backoff = Backoff(first_s=1, longest_s=10, forgiven_after_s=60)

    assert backoff.failures(7, lived_s=59) == 8
    assert backoff.failures(7, lived_s=60) == 1


def test_a_replica_that_is_killed_once_a_minute_is_back_at_once_each_time() -> None:
    failures = 0
    for _ in range(20):
        failures = REPLICAS.failures(failures, lived_s=60)

    assert REPLICAS.delay_s(failures - 1) == 0


def test_a_replica_that_is_killed_every_few_seconds_is_tried_ever_more_seldom() -> None:
    failures = 0
    for _ in range(20):
        failures = REPLICAS.failures(failures, lived_s=5)

    assert REPLICAS.delay_s(failures - 1) == 300
