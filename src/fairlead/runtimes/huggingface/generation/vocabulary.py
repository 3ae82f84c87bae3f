"""What a tokenizer says of single tokens and rows of them."""

from collections.abc import Sequence
from typing import Any

from fairlead.protocols.openai_answers import Candidate, Token
from fairlead.runtimes.huggingface.generation.sampling import Choice

_BROKEN = "\ufffd"


def _byte_letters() -> dict[str, int]:
    """The letters by which byte-level tokenizers write bytes: printable ones stand for themselves, the others for
    letters from 256 up in their order."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + index): byte for index, byte in enumerate(others)}


_LETTERS = _byte_letters()


class Vocabulary:
    """A tokenizer, and which of its tokens end a text."""

    def __init__(self, tokenizer: Any, *, ends: frozenset[int], size: int) -> None:
        self._tokenizer = tokenizer
        self.ends = ends
        self.size = size
        """How many tokens the model knows."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, without those that only mean something to the model."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def token(self, choice: Choice) -> Token:
        """A chosen token as clients are told of it."""
        chosen = self._candidate(choice.token, choice.logprob or 0.0)
        others = tuple(self._candidate(token, logprob) for token, logprob in choice.others)
        return Token(chosen, choice.logprob is not None, others)

    def _candidate(self, token: int, logprob: float) -> Candidate:
        text = self._tokenizer.decode([token], skip_special_tokens=False, clean_up_tokenization_spaces=False)
        data = text.encode() if _BROKEN not in text else self._bytes(token)
        return Candidate(text, data, logprob)

    def _bytes(self, token: int) -> bytes:
        """The bytes of a token that is no whole letter, as byte-level tokenizers and byte tokens write it."""
        written = str(self._tokenizer.convert_ids_to_tokens(token))
        if written.startswith("<0x") and written.endswith(">"):
            return bytes.fromhex(written[3:-1])
        if all(letter in _LETTERS for letter in written):
            return bytes(_LETTERS[letter] for letter in written)
        return written.encode()
