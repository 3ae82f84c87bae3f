"""Embeddings and ranking: rows of tokens that are read once, together with those of other requests.

A thread of its own takes what waits, a few rows of each request in turn, so that a short request does not wait for a
long one. A model that embeds ranks by how near a document is to the query; one that classifies pairs (a cross-encoder)
reads both together and its score is what counts.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from fairlead.errors import FairleadError, Overloaded, UnitFailed
from fairlead.protocols import openai
from fairlead.protocols import openai_answers as answers
from fairlead.protocols.exchange import Headers
from fairlead.protocols.openai import EmbeddingRequest, Endpoint, RerankRequest
from fairlead.protocols.openai_errors import Unusable
from fairlead.runtimes.generative import Answering, Listener
from fairlead.runtimes.huggingface.generating import context_length
from fairlead.runtimes.huggingface.options import Options
from fairlead.runtimes.huggingface.tasks import FEATURES, Loaded
from fairlead.runtimes.huggingface.telling import head_of

_log = logging.getLogger(__name__)
_ROWS = 32
_MOST_ROWS = 2048
"""The most inputs of one request: OpenAI's limit."""

Array = np.ndarray[Any, Any]


@dataclass(eq=False, slots=True, kw_only=True)
class _Task:
    """One request: its texts, what they become, and what is made of the results."""

    texts: Sequence[Any]
    name: str
    write: Callable[[Array, int], dict[str, Any]]
    listener: Listener
    rows: list[dict[str, list[int]]] = field(default_factory=list)
    results: list[Array] = field(default_factory=list)
    tokens: int = 0
    is_left: bool = False

    def leave(self) -> None:
        """As `Answering` has it."""
        self.is_left = True

    def hold(self) -> None:
        """The answer comes whole: there is nothing to hold."""

    def go_on(self) -> None:
        """The same."""


class Encoding:
    """A `Generative` for models that read and do not write."""

    def __init__(self, torch: Any, loaded: Loaded, tokenizer: Any, options: Options, *, unit: str) -> None:
        self._torch = torch
        self._model = loaded.model
        self._embeds = loaded.task == FEATURES
        self.endpoints = frozenset((Endpoint.EMBEDDINGS, Endpoint.RERANK) if self._embeds else (Endpoint.RERANK,))
        self._tokenizer = tokenizer
        self._options = options
        self._longest = context_length(loaded.model.config, tokenizer, options)
        self._size = int(loaded.model.config.get_text_config().vocab_size)
        self._unit = unit
        self._tasks: deque[_Task] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def start(
        self,
        endpoint: Endpoint,
        model: str,
        body: Mapping[str, Any],
        headers: Headers,  # noqa: ARG002 - the seam's signature
        listener: Listener,
    ) -> Answering:
        """Answer a request. Raises `Unusable` and `Overloaded`."""
        if endpoint is Endpoint.EMBEDDINGS:
            task = self._embedding(openai.embedding_request(body), model, listener)
        else:
            task = self._ranking(openai.rerank_request(body), model, listener)
        if len(task.texts) > _MOST_ROWS:
            raise Unusable(f"{task.name} has {len(task.texts)} texts; at most {_MOST_ROWS} are allowed", task.name)
        with self._changed:
            if self._is_closed:
                raise Overloaded("the model is stopping")
            if len(self._tasks) >= self._options.most_waiting:
                raise Overloaded(f"{len(self._tasks)} requests wait already, the most allowed", after_s=1)
            self._tasks.append(task)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"encode-{self._unit}", daemon=True)
                self._thread.start()
            self._changed.notify()
        return task

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _embedding(self, request: EmbeddingRequest, model: str, listener: Listener) -> _Task:
        hidden = int(self._model.config.get_text_config().hidden_size)
        if request.dimensions is not None and request.dimensions > hidden:
            raise Unusable(f"dimensions must be from 1 to {hidden}; got {request.dimensions}", "dimensions")

        def write(vectors: Array, tokens: int) -> dict[str, Any]:
            if request.dimensions is not None:
                vectors = _of_length_one(vectors[:, : request.dimensions])
            return answers.embeddings(model, vectors, tokens, is_base64=request.is_base64)

        return _Task(texts=request.inputs, name="input", write=write, listener=listener)

    def _ranking(self, request: RerankRequest, model: str, listener: Listener) -> _Task:
        def write(results: Array, tokens: int) -> dict[str, Any]:
            scores = results[1:] @ results[0] if self._embeds else results[:, 0]
            order = np.argsort(-scores, kind="stable")[: request.top_n]
            ranked = [(int(index), float(scores[index])) for index in order]
            told = request.documents if request.returns_documents else None
            return answers.rerank(head_of("rerank", model), ranked, told, tokens)

        texts: Sequence[Any] = [(request.query, document) for document in request.documents]
        if self._embeds:
            texts = [request.query, *request.documents]
        return _Task(texts=texts, name="documents", write=write, listener=listener)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._is_closed and not self._tasks:
                    self._changed.wait()
                tasks = list(self._tasks)
                if self._is_closed:
                    break
            share = max(1, _ROWS // len(tasks))
            batch = [(task, row) for task in tasks[:_ROWS] for row in self._next_rows(task, share)]
            if batch:
                self._answer(batch)
            with self._changed:
                # Those that had their turn go to the end.
                self._tasks.rotate(-min(len(tasks), _ROWS))
                self._tasks = deque(task for task in self._tasks if not self._is_over(task))
        for task in tasks:
            self._fail(task, Overloaded("the model is stopping"))

    def _next_rows(self, task: _Task, share: int) -> list[dict[str, list[int]]]:
        if task.is_left:
            return []
        try:
            if not task.rows:
                task.rows = [self._encoded(text, task.name) for text in task.texts]
                task.tokens = sum(len(row["input_ids"]) for row in task.rows)
        except Exception as error:
            self._fail(task, error)
            return []
        done = len(task.results)
        return task.rows[done : done + share]

    def _encoded(self, text: Any, name: str) -> dict[str, list[int]]:
        if isinstance(text, list):
            wrong = next((token for token in text if not 0 <= token < self._size), None)
            if wrong is not None:
                raise Unusable(f"{name}: {wrong} is no token of this model, which has {self._size}", name)
            encoded: dict[str, list[int]] = {"input_ids": list(text), "attention_mask": [1] * len(text)}
        else:
            given = text if isinstance(text, tuple) else (text,)
            encoded = dict(self._tokenizer(*given, add_special_tokens=self._options.special_tokens))
        length = len(encoded["input_ids"])
        if not length:
            raise Unusable(f"{name} has an empty text", name)
        if self._longest is not None and length > self._longest:
            raise Unusable(
                f"This model's maximum context length is {self._longest} tokens. However, you requested {length} "
                f"tokens in the {name} for embedding generation. Please reduce the length of the {name}.",
                name,
            )
        return encoded

    def _answer(self, batch: Sequence[tuple[_Task, dict[str, list[int]]]]) -> None:
        try:
            results = self._results([row for _, row in batch])
        except Exception as error:
            for task in {id(task): task for task, _ in batch}.values():
                self._fail(task, error)
            return
        for (task, _), result in zip(batch, results, strict=True):
            task.results.append(result)

    def _results(self, rows: Sequence[dict[str, list[int]]]) -> Array:
        torch = self._torch
        names = [name for name in self._tokenizer.model_input_names if any(name in row for row in rows)]
        encoded = self._tokenizer.pad(
            [{name: row.get(name, [0] * len(row["input_ids"])) for name in names} for row in rows], return_tensors="pt"
        )
        with torch.inference_mode():
            output = self._model(**encoded)
        if not self._embeds:
            scores: Array = torch.sigmoid(output.logits.float()).numpy()
            return scores
        weights = encoded["attention_mask"].float().unsqueeze(-1)
        mean = (output.last_hidden_state.float() * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)
        return _of_length_one(mean.numpy())

    def _is_over(self, task: _Task) -> bool:
        """Whether a task is done with; it is answered here when all of it is there."""
        if task.is_left:
            return True
        if not task.rows or len(task.results) < len(task.rows):
            return False
        try:
            task.listener.answered(orjson.dumps(task.write(np.stack(task.results), task.tokens)))
        except Exception as error:
            self._fail(task, error)
        return True

    def _fail(self, task: _Task, error: Exception) -> None:
        task.is_left = True
        if not isinstance(error, FairleadError):
            _log.error("%s: encoding failed: %s", self._unit, error, exc_info=error)
            error = UnitFailed(f"{type(error).__name__}: {error}")
        task.listener.failed(error)


def _of_length_one(vectors: Array) -> Array:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Array = vectors / np.maximum(lengths, 1e-12)
    return scaled
