"""One choice of an answer as it is generated: from tokens to the text that a client is told, and where it ends."""

from collections.abc import Sequence

from fairlead.protocols.openai import Sampling
from fairlead.protocols.openai_answers import Piece
from fairlead.runtimes.huggingface.generation.sampling import Choice
from fairlead.runtimes.huggingface.generation.texts import StopStrings, TextStream
from fairlead.runtimes.huggingface.generation.vocabulary import Vocabulary

STOP, LENGTH = "stop", "length"


class Writer:
    """Takes chosen tokens. `most` is how many there may be; `context` the tokens before the first, as far as they are
    of the same text."""

    def __init__(self, vocabulary: Vocabulary, sampling: Sampling, *, most: int, context: Sequence[int]) -> None:
        self._vocabulary = vocabulary
        self._sampling = sampling
        self._most = most
        self._text = TextStream(vocabulary.decode, context)
        self._stops = StopStrings(sampling.stop)
        self._untold = Piece()
        self.tokens: list[int] = []
        self.finish: str | None = None

    def take(self, choice: Choice) -> Piece | None:
        """What can be told after this token, if anything."""
        self.tokens.append(choice.token)
        if self._ends_with(choice.token):
            return self._finished(STOP, self._rest())
        if self._sampling.logprobs is not None:
            self._untold.tokens.append(self._vocabulary.token(choice))
        text, is_stopped = self._stops.feed(self._text.feed(choice.token))
        if is_stopped and len(self.tokens) >= self._sampling.min_tokens:
            return self._finished(STOP, text)
        if len(self.tokens) >= self._most:
            return self._finished(LENGTH, text + self._rest())
        if not text:
            return None
        piece, self._untold = self._untold, Piece()
        piece.text = text
        return piece

    def _ends_with(self, token: int) -> bool:
        if token in self._sampling.stop_token_ids:
            return True
        return token in self._vocabulary.ends and not self._sampling.ignores_eos

    def _rest(self) -> str:
        """What was held back, which may still hold a text to stop at."""
        text, is_stopped = self._stops.feed(self._text.rest())
        return text if is_stopped else text + self._stops.rest()

    def _finished(self, why: str, text: str) -> Piece:
        self.finish = why
        self._untold.text = text
        self._untold.finish = why
        return self._untold
