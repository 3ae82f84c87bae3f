"""Answers for clients of MLServer's Hugging Face runtime: a request is a call of a pipeline of transformers.

The tensor `args` (or `array_inputs`) holds the texts, any other tensor is an argument by its name. The tensor `output`
holds one JSON value for each result.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from fairlead.errors import BadRequest
from fairlead.protocols.message import Asked, Form, Message, Payload
from fairlead.protocols.tensors import BYTES, Tensor
from fairlead.runtimes.base import TensorSpec
from fairlead.runtimes.huggingface.tasks import TEXT_TO_TEXT, Loaded
from fairlead.runtimes.huggingface.texts import json_bytes, listed_texts, texts_of

_TEXTS = ("args", "array_inputs", "inputs")
_REFUSALS = ("TypeError", "ValueError", "KeyError", "PipelineException")


class PipelineCalls:
    """One pipeline."""

    inputs: tuple[TensorSpec, ...] = (TensorSpec(name="args", datatype=BYTES, shape=(-1,)),)
    outputs: tuple[TensorSpec, ...] = (TensorSpec(name="output", datatype=BYTES, shape=(-1, 1)),)

    def __init__(self, transformers: Any, loaded: Loaded) -> None:
        self._task = loaded.task
        if loaded.task == TEXT_TO_TEXT:
            self._pipeline: Any = _TextToText(loaded)  # transformers 5 has no such pipeline any more
        else:
            self._pipeline = transformers.pipeline(
                loaded.task, model=loaded.model, tokenizer=loaded.tokenizer, device="cpu"
            )

    def answer(self, message: Message, asked: Asked) -> Payload:  # noqa: ARG002 - the seam's signature
        """The results for each text, or the one result of a call without texts."""
        payload = message.payload
        texts, keywords = _arguments(payload)
        try:
            results = self._results(texts, keywords)
        except Exception as error:
            if type(error).__name__ in _REFUSALS:
                raise BadRequest(f"{self._task}: {error}") from error
            raise
        if payload.form is not Form.TENSORS:
            return Payload(Form.JSON, orjson.loads(json_bytes("", [results], shape=(1,)).array[0]))
        output = json_bytes("output", results, shape=(len(results), 1), content_type="hg_jsonlist")
        return Payload(Form.TENSORS, [output])

    def _results(self, texts: list[str], keywords: dict[str, Any]) -> list[Any]:
        if len(texts) > 1:
            return list(self._pipeline(texts, **keywords))
        answer = self._pipeline(*texts, **keywords)
        return list(answer) if isinstance(answer, list) else [answer]


class _TextToText:
    """What the pipeline of that name did."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded

    def __call__(self, texts: str | list[str] = "", **settings: Any) -> list[dict[str, str]]:
        given = [texts] if isinstance(texts, str) else texts
        tokenizer, model = self._loaded.tokenizer, self._loaded.model
        limit = self._loaded.max_length
        encoded = tokenizer(given, return_tensors="pt", padding=True, truncation=True, max_length=limit)
        encoded.pop("token_type_ids", None)
        tokens = model.generate(**encoded, **settings)
        decoded = tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [{"generated_text": text} for text in decoded]


def _arguments(payload: Payload) -> tuple[list[str], dict[str, Any]]:
    """The texts, and the other arguments by name."""
    value = payload.value
    if payload.form is Form.TENSORS:
        return _of_tensors(value)
    if payload.form is Form.JSON and isinstance(value, Mapping):
        keywords = dict(value)
        texts: Any = next((keywords.pop(name) for name in _TEXTS if name in keywords), [])
        return listed_texts(texts), keywords
    return listed_texts(value), {}


def _of_tensors(tensors: list[Tensor]) -> tuple[list[str], dict[str, Any]]:
    if len(tensors) == 1 and tensors[0].datatype == BYTES:
        return texts_of(tensors[0]), {}  # the only tensor is the texts, whatever its name
    texts: list[str] = []
    keywords: dict[str, Any] = {}
    for one in tensors:
        if one.name in _TEXTS:
            texts += texts_of(one)
            continue
        values = texts_of(one) if one.datatype == BYTES else one.array.reshape(-1).tolist()
        keywords[one.name] = values[0] if len(values) == 1 else values
    return texts, keywords
