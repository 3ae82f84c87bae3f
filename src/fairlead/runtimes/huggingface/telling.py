"""One request for generated text, from its jobs back to its client: whole, or in events as it grows."""

import time
import uuid
from collections.abc import Callable, Sequence

import orjson

from fairlead.protocols import openai_answers as answers
from fairlead.protocols.openai import ChatRequest, CompletionRequest
from fairlead.protocols.openai_answers import Head, Object, Piece
from fairlead.protocols.openai_events import event
from fairlead.runtimes.generative import Listener
from fairlead.runtimes.huggingface.generation.sampling import Choice
from fairlead.runtimes.huggingface.generation.scheduling import Job
from fairlead.runtimes.huggingface.generation.vocabulary import Vocabulary

Request = CompletionRequest | ChatRequest


def head_of(prefix: str, model: str) -> Head:
    """What names an answer."""
    return Head(id=f"{prefix}-{uuid.uuid4().hex}", created=int(time.time()), model=model)


class _Text:
    """One choice so far."""

    def __init__(self) -> None:
        self.whole = Piece()
        self.made = 0
        self.told = 0  # characters
        self.logprob = 0.0

    def add(self, piece: Piece) -> None:
        self.whole.text += piece.text
        self.whole.tokens += piece.tokens
        self.whole.finish = piece.finish


class Telling:
    """A `Hearer` of all jobs of a request. `choice` = prompt * candidates + which."""

    def __init__(self, request: Request, model: str, vocabulary: Vocabulary, listener: Listener) -> None:
        self._request = request
        self._vocabulary = vocabulary
        self._listener = listener
        self._is_chat = isinstance(request, ChatRequest)
        self._head = head_of("chatcmpl" if self._is_chat else "cmpl", model)
        self._tells_logprobs = request.sampling.logprobs is not None
        self._jobs: list[Job] = []
        self._echoes: list[str] = []
        self._texts: list[list[_Text]] = []
        self._is_over = False

    def expect(self, jobs: Sequence[Job], echoes: Sequence[str]) -> None:
        """What is to come, before any of it does. `echoes` are the texts to repeat before each answer."""
        self._jobs, self._echoes = list(jobs), list(echoes)
        self._texts = [[_Text() for _ in job.writers] for job in jobs]

    def read(self, job: Job, prompt: list[Choice]) -> None:
        at = self._jobs.index(job)
        echo = self._echoes[at]
        tokens = [self._vocabulary.token(one) for one in prompt] if self._tells_logprobs else []
        for which in range(len(job.writers)):
            self._opened(at, which)
            if echo or tokens:
                self._tell(at, which, Piece(echo, tokens))

    def wrote(self, job: Job, which: int, piece: Piece, made: int) -> None:
        at = self._jobs.index(job)
        text = self._texts[at][which]
        text.made = made
        text.logprob += sum(token.chosen.logprob for token in piece.tokens)
        self._tell(at, which, piece)
        if all(text.whole.finish for texts in self._texts for text in texts):
            self._finish()

    def failed(self, job: Job, error: Exception) -> None:  # noqa: ARG002 - one failure is all of the request's
        if self._is_over:
            return
        self._is_over = True
        for other in self._jobs:
            other.is_left = True
        self._listener.failed(error)

    def _opened(self, at: int, which: int) -> None:
        if self._is_chat and self._request.is_streamed:
            self._said([answers.chat_opening(self._head, self._index(at, which))])

    def _tell(self, at: int, which: int, piece: Piece) -> None:
        text = self._texts[at][which]
        if not self._request.is_streamed:
            text.add(piece)
            return
        index, told = self._index(at, which), self._tells_logprobs
        if self._is_chat:
            self._said(answers.chat_chunks(self._head, index, piece, tells_logprobs=told))
        else:
            chunk = answers.completion_chunk(self._head, index, piece, text.told, tells_logprobs=told)
            self._said([chunk])
        text.told += len(piece.text)
        text.whole.finish = piece.finish

    def _said(self, chunks: Sequence[Object]) -> None:
        if self._request.tells_usage:
            chunks = [chunk | {"usage": None} for chunk in chunks]
        if chunks:
            self._listener.said(b"".join(event(orjson.dumps(chunk)) for chunk in chunks))

    def _index(self, at: int, which: int) -> int:
        return at * self._request.candidates + which

    def _finish(self) -> None:
        self._is_over = True
        prompt = sum(len(job.prompt) for job in self._jobs)
        counts = answers.usage(prompt, sum(text.made for texts in self._texts for text in texts))
        if self._request.is_streamed:
            if self._request.tells_usage:
                last = answers.usage_chunk(self._head, is_chat=self._is_chat, counts=counts)
                self._listener.said(event(orjson.dumps(last)))
            self._listener.ended()
            return
        told = [text.whole for texts in self._texts for text in self._best(texts)]
        write: Callable[..., Object] = answers.chat if self._is_chat else answers.completion
        whole = write(self._head, told, counts, tells_logprobs=self._tells_logprobs)
        self._listener.answered(orjson.dumps(whole))

    def _best(self, texts: list[_Text]) -> list[_Text]:
        """As many as were asked for, the likeliest by token first if there are more."""
        if len(texts) <= self._request.n:
            return texts
        return sorted(texts, key=lambda text: text.logprob / max(text.made, 1), reverse=True)[: self._request.n]
