"""Shares are exact."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.backends.local.gateway.splitting import Sampler, Splitter


@given(st.lists(st.integers(0, 100), min_size=1, max_size=6))
def test_every_cycle_of_the_weights_gives_each_choice_exactly_its_weight(weights: list[int]) -> None:
    splitter = Splitter(weights)
    total = sum(weights)

    turns = [splitter.next() for _ in range(total * 2)]

    for cycle in (turns[:total], turns[total:]):
        counts = Counter(cycle)
        assert [counts[index] for index in range(len(weights))] == weights


def test_turns_are_spread_and_do_not_come_in_blocks() -> None:
    splitter = Splitter([75, 25])

    turns = [splitter.next() for _ in range(8)]

    assert turns == [0, 0, 1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize("weights", [[], [0], [0, 0]])
def test_nobody_gets_a_turn_when_no_choice_has_a_weight(weights: list[int]) -> None:
    assert Splitter(weights).next() is None


@pytest.mark.parametrize(("percent", "expected"), [(0, 0), (10, 10), (33.5, 33), (100, 100)])
def test_a_sampler_takes_its_percentage(percent: float, expected: int) -> None:
    sampler = Sampler(percent)

    assert sum(sampler.take() for _ in range(100)) == expected
