"""Choosing tokens from scores."""

from collections import Counter
from typing import Any

import pytest

from fairlead.protocols.openai import Sampling
from fairlead.runtimes.huggingface.generation.sampling import Chooser, Defaults
from support.formats import needed

torch = needed("torch", "a CPU wheel")

SCORES = [0.0, 1.0, 2.0, 3.0]


def chooser(*, ends: tuple[int, ...] = (), defaults: Defaults | None = None, **fields: Any) -> Chooser:
    return Chooser(torch, Sampling(**fields), defaults or Defaults(), ends=ends, which=0)


def drawn(of: Chooser, tokens: tuple[int, ...] = (), times: int = 300) -> Counter[int]:
    return Counter(of.choose(torch.tensor(SCORES), [0], tokens).token for _ in range(times))


def test_without_temperature_the_likeliest_is_chosen() -> None:
    assert drawn(chooser(temperature=0), times=5) == {3: 5}
    assert drawn(chooser(defaults=Defaults(temperature=0.0)), times=5) == {3: 5}


def test_the_same_seed_makes_the_same_choices_and_another_choice_of_it_others() -> None:
    def row(seed: int, which: int = 0) -> list[int]:
        of = Chooser(torch, Sampling(seed=seed), Defaults(), ends=(), which=which)
        return [of.choose(torch.tensor(SCORES), [0], []).token for _ in range(50)]

    assert row(1) == row(1)
    assert row(1) != row(2)
    assert row(1) != row(1, which=1)


@pytest.mark.parametrize(
    ("fields", "possible"),
    [({"top_k": 2}, {2, 3}), ({"top_p": 0.5}, {3}), ({"top_p": 0.7}, {2, 3}), ({"top_p": 0.0}, {3}),
     ({"min_p": 0.3}, {2, 3}), ({"top_k": -1}, {0, 1, 2, 3}), ({}, {0, 1, 2, 3})],
)  # fmt: skip
def test_what_is_unlikely_may_be_left_out(fields: dict[str, Any], possible: set[int]) -> None:
    assert set(drawn(chooser(seed=0, **fields))) == possible


def test_biases_and_penalties_move_scores() -> None:
    assert drawn(chooser(temperature=0, logit_bias=((0, 100.0),)), times=1) == {0: 1}
    assert drawn(chooser(temperature=0, presence_penalty=2.0), tokens=(3,), times=1) == {2: 1}
    assert drawn(chooser(temperature=0, frequency_penalty=0.6), tokens=(3,), times=1) == {3: 1}
    assert drawn(chooser(temperature=0, frequency_penalty=0.6), tokens=(3, 3), times=1) == {2: 1}
    assert drawn(chooser(temperature=0, repetition_penalty=2.0), tokens=(3,), times=1) == {2: 1}


def test_a_text_ends_no_sooner_than_asked() -> None:
    of = chooser(ends=(3,), temperature=0, min_tokens=2)

    assert [drawn(of, tokens, 1) for tokens in ((), (2,), (2, 2))] == [{2: 1}, {2: 1}, {3: 1}]


def test_logprobs_are_the_models_own() -> None:
    choice = chooser(temperature=0, logit_bias=((0, 100.0),), logprobs=2).choose(torch.tensor(SCORES), [0], [])
    expected = torch.log_softmax(torch.tensor(SCORES), dim=-1).tolist()

    assert choice.token == 0
    assert choice.logprob == pytest.approx(expected[0])
    assert [token for token, _ in choice.others] == [3, 2]
    assert [value for _, value in choice.others] == pytest.approx([expected[3], expected[2]])


def test_the_models_own_settings_are_the_defaults() -> None:
    said = Defaults.of({"temperature": 0.5, "top_k": 7, "do_sample": True, "eos_token_id": 3})

    assert (said.temperature, said.top_k, said.top_p) == (0.5, 7, 1.0)
