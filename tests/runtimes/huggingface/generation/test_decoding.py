"""Models run for several sequences at once: whoever joins or leaves, each gets the scores it would get alone."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairlead.runtimes.huggingface.generation.decoding import (
    Batched,
    Decoder,
    EncoderDecoder,
    OneByOne,
    State,
    decoder_of,
)
from support.formats import needed

torch = needed("torch", "a CPU wheel")
transformers = needed("transformers", "make setup")
pytestmark = pytest.mark.slow

SIZE = 40


def gpt2() -> Any:
    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=SIZE, n_embd=16, n_layer=2, n_head=2, n_positions=64)
    )


def llama(**fields: Any) -> Any:
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=SIZE, hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=64, **fields,
        )
    )  # fmt: skip


def sliding() -> Any:
    return transformers.MistralForCausalLM(
        transformers.MistralConfig(
            vocab_size=SIZE, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=2, sliding_window=4,
        )
    )  # fmt: skip


def bloom() -> Any:
    return transformers.BloomForCausalLM(transformers.BloomConfig(vocab_size=SIZE, hidden_size=16, n_layer=1, n_head=2))


def mamba() -> Any:
    return transformers.MambaForCausalLM(
        transformers.MambaConfig(vocab_size=SIZE, hidden_size=8, state_size=4, num_hidden_layers=1)
    )


def t5() -> Any:
    return transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            vocab_size=SIZE, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0
        )
    )


def made(kind: Callable[[], Any]) -> Any:
    torch.manual_seed(0)
    return kind().eval()


def begun(decoder: Decoder, prompt: list[int], pieces: int = 3) -> State:
    """A sequence whose prompt was read in pieces."""
    state, ids = decoder.begin(prompt)
    for at in range(0, len(ids), pieces):
        decoder.feed(state, ids[at : at + pieces], wants_all=False)
    return state


def scores(model: Any, ids: list[int]) -> Any:
    """What the model says after all of these, asked once."""
    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].float()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(gpt2, Batched), (llama, Batched), (sliding, OneByOne), (mamba, OneByOne), (t5, EncoderDecoder)],
)
def test_the_decoder_is_the_quickest_that_is_right(kind: Callable[[], Any], expected: type) -> None:
    assert type(decoder_of(torch, made(kind), unit="m")) is expected


@pytest.mark.parametrize("kind", [gpt2, llama, sliding, bloom, mamba])
def test_steps_give_what_the_model_says_of_the_whole_text(kind: Callable[[], Any]) -> None:
    model = made(kind)
    decoder = decoder_of(torch, model, unit="m")
    texts = [[1, 2, 3, 4, 5, 6, 7], [8, 9], [10, 11, 12, 13]]
    states = [begun(decoder, text) for text in texts]

    for token in (20, 21, 22):
        texts = [[*text, token + at] for at, text in enumerate(texts)]
        rows = decoder.step(states, [token + at for at in range(3)])
        for text, row in zip(texts, rows, strict=True):
            assert row == pytest.approx(scores(model, text), abs=1e-4)


def test_a_model_with_an_encoder_goes_on_as_generate_does() -> None:
    model = made(t5)
    decoder = decoder_of(torch, model, unit="m")
    expected = model.generate(torch.tensor([[5, 6, 7]]), max_new_tokens=6, do_sample=False, eos_token_id=None)[0, 1:]

    state, ids = decoder.begin([5, 6, 7])
    tokens = [int(decoder.feed(state, ids, wants_all=False)[-1].argmax())]
    while len(tokens) < 6:
        tokens.append(int(decoder.step([state], tokens[-1:])[0].argmax()))

    assert tokens == expected.tolist()


@functools.cache
def shared() -> Any:
    """One for the tests that only ask it."""
    return made(gpt2)


Moves = st.lists(st.tuples(st.sampled_from(["join", "leave", "rest"]), st.integers(0, 5)), max_size=8)


@given(Moves, st.lists(st.integers(1, 9), min_size=1, max_size=3))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whoever_joins_rests_or_leaves_changes_nothing_for_the_others(
    moves: list[tuple[str, int]], lengths: list[int]
) -> None:
    decoder = Batched(torch, shared(), transformers.cache_utils.DynamicCache)
    texts = [list(range(1, length + 1)) for length in lengths]
    live = [(begun(decoder, text), text) for text in texts]

    for move, number in moves:
        resting: set[int] = set()
        if move == "join":
            text = [number + 10] * (number + 1)
            live.append((begun(decoder, text), text))
        elif move == "leave" and len(live) > 1:
            decoder.forget(live.pop(number % len(live))[0])
        elif move == "rest" and len(live) > 1:
            resting = {number % len(live)}
        going = [one for at, one in enumerate(live) if at not in resting]
        rows = decoder.step([state for state, _ in going], [number + 20] * len(going))
        for (_, text), row in zip(going, rows, strict=True):
            text.append(number + 20)
            assert row == pytest.approx(scores(shared(), text), abs=1e-4)


def test_copies_go_their_own_ways() -> None:
    decoder = Batched(torch, shared(), transformers.cache_utils.DynamicCache)
    first = begun(decoder, [1, 2, 3])
    second = decoder.copy(first)

    rows = decoder.step([first, second], [4, 5])
    again = decoder.step([second, first], [6, 7])

    assert rows[1] == pytest.approx(scores(shared(), [1, 2, 3, 5]), abs=1e-4)
    assert again[0] == pytest.approx(scores(shared(), [1, 2, 3, 5, 6]), abs=1e-4)
    assert again[1] == pytest.approx(scores(shared(), [1, 2, 3, 4, 7]), abs=1e-4)


def test_every_token_of_a_prompt_can_be_told_of() -> None:
    decoder = Batched(torch, shared(), transformers.cache_utils.DynamicCache)
    state, ids = decoder.begin([1, 2, 3])

    rows = decoder.feed(state, ids, wants_all=True)

    assert rows.shape == (3, SIZE)
    assert rows[1] == pytest.approx(scores(shared(), [1, 2]), abs=1e-4)


def test_memory_goes_with_the_last_sequence() -> None:
    decoder = Batched(torch, shared(), transformers.cache_utils.DynamicCache)
    states = [begun(decoder, [1, 2]), begun(decoder, [3])]
    decoder.step(states, [4, 5])

    for state in states:
        decoder.forget(state)

    assert decoder._cache is None
