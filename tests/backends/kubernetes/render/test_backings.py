"""Shares of requests."""

from hypothesis import given
from hypothesis import strategies as st

from fairlead.backends.kubernetes.render.backings import percentages
from support.layouts import backing


@given(st.lists(st.integers(min_value=0, max_value=1000), min_size=1, max_size=6))
def test_percentages_add_up_and_keep_the_order_of_weights(weights: list[int]) -> None:
    shares = percentages([backing(weight=weight) for weight in weights])

    assert sum(shares) == (100 if any(weights) else 0)
    assert all(share == 0 for share, weight in zip(shares, weights, strict=True) if weight == 0)
    assert max(shares) == shares[weights.index(max(weights))]


def test_weights_that_are_percentages_stay_as_they_are() -> None:
    assert percentages([backing(weight=weight) for weight in (25, 75, 0)]) == [25, 75, 0]
