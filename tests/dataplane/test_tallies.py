import pytest

from fairlead.dataplane.tallies import BOUNDS, FINE_BOUNDS, Latency, Quick, Tally


@pytest.mark.parametrize("seconds", [0.0, 0.00005, FINE_BOUNDS[0], 0.00011, 0.004, 0.005, 0.3, 99.0])
def test_counting_twice_at_once_is_counting_twice(seconds: float) -> None:
    inside, latency = Tally(FINE_BOUNDS), Latency({})
    plain_inside, plain_latency = Tally(FINE_BOUNDS), Latency({})

    Quick(inside, latency).observe(seconds)
    plain_inside.observe(seconds)
    plain_latency.observe(seconds)

    assert (inside.buckets, inside.total) == (plain_inside.buckets, plain_inside.total)
    assert (latency.buckets, latency.total) == (plain_latency.buckets, plain_latency.total)
    assert list(latency.quantiles()) == list(plain_latency.quantiles())


def test_the_first_fine_bucket_lies_in_the_first_of_the_others() -> None:
    assert FINE_BOUNDS[0] <= BOUNDS[0]
