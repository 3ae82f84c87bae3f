"""What single tokens are told as: tokenizers write parts of letters in ways of their own."""

from typing import Any

import pytest

from fairlead.runtimes.huggingface.generation.sampling import Choice
from fairlead.runtimes.huggingface.generation.texts import TextStream
from fairlead.runtimes.huggingface.generation.vocabulary import Vocabulary
from support.formats import needed

transformers = needed("transformers", "make setup")


def byte_level() -> Any:
    """As GPT-2's: every byte is a letter."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(BPE({letter: index for index, letter in enumerate(letters)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made)


def byte_fallback() -> Any:
    """As Llama's: a letter that has no token is written as tokens for its bytes."""
    from tokenizers import Tokenizer, decoders
    from tokenizers.models import BPE

    vocabulary = {"<unk>": 0, "a": 1, **{f"<0x{byte:02X}>": byte + 2 for byte in range(256)}}
    made = Tokenizer(BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    made.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>")


@pytest.mark.parametrize("made", [byte_level, byte_fallback])
@pytest.mark.parametrize("text", ["a", "ä", "a€a", "😀"])
def test_bytes_of_tokens_join_to_the_text(made: Any, text: str) -> None:
    tokenizer = made()
    vocabulary = Vocabulary(tokenizer, ends=frozenset(), size=len(tokenizer))
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]

    tokens = [vocabulary.token(Choice(one, -1.0)) for one in ids]
    stream = TextStream(vocabulary.decode)
    told = [stream.feed(one) for one in ids]

    assert b"".join(one.chosen.data for one in tokens).decode() == text
    assert "".join(told) == text
    assert not any("\ufffd" in piece for piece in told)
