"""Completions and chat on a model that generates: from a request to jobs of the scheduler, and its answers back."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from fairlead.errors import FairleadError, Overloaded
from fairlead.protocols import openai
from fairlead.protocols.exchange import Headers
from fairlead.protocols.openai import ChatRequest, CompletionRequest, Endpoint, Sampling
from fairlead.protocols.openai_errors import Unusable
from fairlead.runtimes.generative import Answering, Listener
from fairlead.runtimes.huggingface.generation.decoding import decoder_of
from fairlead.runtimes.huggingface.generation.sampling import Chooser, Defaults
from fairlead.runtimes.huggingface.generation.scheduling import Job, Room, Scheduler
from fairlead.runtimes.huggingface.generation.vocabulary import Vocabulary
from fairlead.runtimes.huggingface.generation.writing import Writer
from fairlead.runtimes.huggingface.options import Options
from fairlead.runtimes.huggingface.prompting import Prompting
from fairlead.runtimes.huggingface.tasks import TEXT_TO_TEXT, Loaded
from fairlead.runtimes.huggingface.telling import Telling

_CHAT_TOKENS = 1024
"""What a chat may come to where neither the request nor the model's context says."""


class Generating:
    """A `Generative`. Texts become tokens on one thread, tokens become texts on the scheduler's."""

    endpoints = frozenset((Endpoint.COMPLETIONS, Endpoint.CHAT))

    def __init__(self, torch: Any, loaded: Loaded, tokenizer: Any, options: Options, *, unit: str) -> None:
        self._torch = torch
        self._room = Room(sequences=options.most_sequences, tokens=options.most_tokens, waiting=options.most_waiting)
        size = int(loaded.model.config.get_text_config().vocab_size)
        longest = context_length(loaded.model.config, tokenizer, options)
        self._prompting = Prompting(tokenizer, options, longest=longest, size=size)
        self._vocabulary = Vocabulary(tokenizer, ends=_ends(loaded.model, tokenizer), size=size)
        self._defaults = Defaults.of(loaded.model.generation_config.to_diff_dict())
        # The encoder's text is none that the answer goes on from.
        self._goes_on = loaded.task != TEXT_TO_TEXT
        self._scheduler = Scheduler(torch, decoder_of(torch, loaded.model, unit=unit), self._room, name=unit)
        self._readers = ThreadPoolExecutor(1, thread_name_prefix=f"prompts-{unit}")
        self._preparing = 0
        self._lock = threading.Lock()

    def start(
        self,
        endpoint: Endpoint,
        model: str,
        body: Mapping[str, Any],
        headers: Headers,  # noqa: ARG002 - the seam's signature
        listener: Listener,
    ) -> Answering:
        """Answer a request. Raises `Unusable` and `Overloaded`."""
        is_chat = endpoint is Endpoint.CHAT
        request = openai.chat_request(body) if is_chat else openai.completion_request(body)
        self._look_at(request)
        self._scheduler.refuse_if_full()
        with self._lock:
            if self._preparing >= self._room.waiting:
                raise Overloaded(f"{self._preparing} requests wait to be read already", after_s=1)
            self._preparing += 1
        under_way = _UnderWay(self._scheduler)
        self._readers.submit(self._prepare, request, model, listener, under_way)
        return under_way

    def close(self) -> None:
        """End both threads."""
        self._scheduler.close()  # first, because it refuses what comes from now on
        self._readers.shutdown()

    def _look_at(self, request: CompletionRequest | ChatRequest) -> None:
        prompts = len(request.prompts) if isinstance(request, CompletionRequest) else 1
        texts, most = prompts * request.candidates, max(self._room.waiting, openai.MOST_CHOICES)
        if texts > most:
            raise Unusable(f"the request asks for {texts} texts; at most {most} are allowed", "prompt")
        biased = (token for token, _ in request.sampling.logit_bias)
        wrong = next((token for token in biased if not 0 <= token < self._vocabulary.size), None)
        if wrong is not None:
            raise Unusable(f"logit_bias: {wrong} is no token of this model", "logit_bias")

    def _prepare(
        self, request: CompletionRequest | ChatRequest, model: str, listener: Listener, under_way: "_UnderWay"
    ) -> None:
        try:
            if not under_way.is_left:
                telling = Telling(request, model, self._vocabulary, listener)
                if isinstance(request, ChatRequest):
                    jobs = [self._chat_job(request, model, telling)]
                    telling.expect(jobs, [""])
                else:
                    jobs = [self._text_job(request, self._prompting.ids_of(one), telling) for one in request.prompts]
                    telling.expect(jobs, self._echoes(request, jobs))
                under_way.begin(jobs)
        except FairleadError as error:
            listener.failed(error)
        except Exception as error:
            listener.failed(Unusable(f"the prompt cannot be read: {type(error).__name__}: {error}", "prompt"))
        finally:
            with self._lock:
                self._preparing -= 1

    def _chat_job(self, request: ChatRequest, model: str, telling: Telling) -> Job:
        ids = self._prompting.chat_ids(request, model)
        most = self._prompting.room(len(ids), request.sampling.max_tokens, _CHAT_TOKENS, "messages")
        return self._job(request, ids, most, telling)

    def _text_job(self, request: CompletionRequest, ids: list[int], telling: Telling) -> Job:
        most = self._prompting.room(len(ids), request.sampling.max_tokens, _CHAT_TOKENS)
        return self._job(request, ids, most, telling)

    def _job(self, request: CompletionRequest | ChatRequest, ids: list[int], most: int, telling: Telling) -> Job:
        sampling = request.sampling
        wants_prompt = isinstance(request, CompletionRequest) and request.echoes and sampling.logprobs is not None
        if request.candidates > request.n and sampling.logprobs is None:
            sampling = replace(sampling, logprobs=0)  # the best is the likeliest
        return Job(
            prompt=ids,
            sampling=sampling,
            most=most,
            writers=[self._writer(sampling, most, ids) for _ in range(request.candidates)],
            choosers=[self._chooser(sampling, which) for which in range(request.candidates)],
            hearer=telling,
            wants_prompt=wants_prompt and self._goes_on,
        )

    def _writer(self, sampling: Sampling, most: int, ids: Sequence[int]) -> Writer:
        return Writer(self._vocabulary, sampling, most=most, context=ids if self._goes_on else ())

    def _chooser(self, sampling: Sampling, which: int) -> Chooser:
        ends = sorted(self._vocabulary.ends | set(sampling.stop_token_ids))
        return Chooser(self._torch, sampling, self._defaults, ends=ends, which=which)

    def _echoes(self, request: CompletionRequest, jobs: Sequence[Job]) -> list[str]:
        if not request.echoes:
            return [""] * len(jobs)
        return [
            prompt if isinstance(prompt, str) else self._vocabulary.decode(job.prompt)
            for prompt, job in zip(request.prompts, jobs, strict=True)
        ]


class _UnderWay:
    """A request of some jobs. It may be left or held before they are known."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._jobs: Sequence[Job] = ()
        self._lock = threading.Lock()
        self.is_left = False
        self._is_held = False

    def begin(self, jobs: Sequence[Job]) -> None:
        """The jobs are known. Raises `Overloaded`."""
        with self._lock:
            self._jobs = jobs
            self._mark()
        if not self.is_left:
            self._scheduler.submit(jobs)

    def leave(self) -> None:
        """As `Answering` has it."""
        with self._lock:
            self.is_left = True
            self._mark()
        self._scheduler.changed()

    def hold(self) -> None:
        """As `Answering` has it."""
        with self._lock:
            self._is_held = True
            self._mark()

    def go_on(self) -> None:
        """As `Answering` has it."""
        with self._lock:
            if not self._is_held:
                return
            self._is_held = False
            self._mark()
        self._scheduler.changed()

    def _mark(self) -> None:
        for job in self._jobs:
            job.is_left = job.is_left or self.is_left
            job.is_held = self._is_held


def context_length(config: Any, tokenizer: Any, options: Options) -> int | None:
    """How many tokens a model looks at: what the parameter says within what the model can; `None` when neither says."""
    text = config.get_text_config()
    names = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx")
    able = next((value for name in names if isinstance(value := getattr(text, name, None), int) and value > 0), None)
    if able is None or getattr(config, "is_encoder_decoder", False):
        known = getattr(tokenizer, "model_max_length", None)
        able = int(known) if isinstance(known, int) and known < 10**9 else able
    if options.max_length is not None:
        return options.max_length if able is None else min(able, options.max_length)
    return able


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end a text: one, or several for models that chat."""
    said = model.generation_config.eos_token_id
    if said is None:
        said = model.config.eos_token_id
    listed = said if isinstance(said, list | tuple) else [said]
    return frozenset(int(one) for one in (*listed, tokenizer.eos_token_id) if one is not None)
