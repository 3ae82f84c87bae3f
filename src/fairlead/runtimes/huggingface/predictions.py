"""Answers for clients of KServe's Hugging Face server: one prediction for each text.

A class's number, a text, a vector: which it is depends on the task, and the options may ask for probabilities or the
model's raw numbers instead. Requests of the tensor protocols may also bring token ids.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fairlead.errors import BadRequest
from fairlead.protocols.message import Asked, Form, Message, Payload
from fairlead.protocols.tensors import BYTES, DEFAULT_OUTPUT, Tensor, tensor
from fairlead.runtimes.base import TensorSpec
from fairlead.runtimes.huggingface.options import Options
from fairlead.runtimes.huggingface.tasks import CLASSIFICATION, FEATURES, GENERATION, MASK, TEXT_TO_TEXT, TOKENS, Loaded
from fairlead.runtimes.huggingface.texts import json_bytes, listed_texts, texts_of

_GENERATION_SETTINGS = frozenset(
    ("max_new_tokens", "min_new_tokens", "temperature", "top_p", "top_k", "do_sample", "num_beams")
)
_DATATYPES = {CLASSIFICATION: "INT64", FEATURES: "FP32"}


class Predictions:
    """One model."""

    inputs: tuple[TensorSpec, ...] = (TensorSpec(name="input-0", datatype=BYTES, shape=(-1,)),)

    def __init__(self, torch: Any, loaded: Loaded, options: Options) -> None:
        self._torch = torch
        self._task = loaded.task
        self._model = loaded.model
        self._tokenizer = loaded.tokenizer
        self._max_length = loaded.max_length
        self._options = options
        self._asks_numbers = options.probabilities or options.raw_logits
        datatype = BYTES if self._asks_numbers else _DATATYPES.get(loaded.task, BYTES)
        shape = (-1, int(loaded.model.config.hidden_size)) if loaded.task == FEATURES else (-1,)
        self.outputs: tuple[TensorSpec, ...] = (TensorSpec(name=DEFAULT_OUTPUT, datatype=datatype, shape=shape),)
        self._readers: Mapping[str, Callable[[Any, Any], list[Any]]] = {
            CLASSIFICATION: self._classes,
            TOKENS: self._tokens,
            MASK: self._masked,
            FEATURES: self._embeddings,
        }

    def answer(self, message: Message, asked: Asked) -> Payload:
        """A prediction for each text."""
        payload = message.payload
        encoded = self._encoded(payload)
        with self._torch.inference_mode():
            predictions = self._predicted(encoded, _settings(message, asked))
        if payload.form is not Form.TENSORS:
            return Payload(Form.JSON, predictions)
        return Payload(Form.TENSORS, [_tensor(predictions)])

    def _predicted(self, encoded: Any, settings: Mapping[str, Any]) -> list[Any]:
        if self._task in (GENERATION, TEXT_TO_TEXT):
            return self._generated(encoded, settings)
        reader = self._readers.get(self._task)
        if reader is None:
            raise BadRequest(f"{self._task} is served by Seldon's protocol and MLServer's alone")
        return reader(self._model(**encoded), encoded)

    def _encoded(self, payload: Payload) -> Any:
        if payload.form is Form.TENSORS:
            tensors: list[Tensor] = payload.value
            if tensors and all(one.datatype.startswith(("INT", "UINT")) for one in tensors):
                return self._given_ids(tensors)
            if len(tensors) != 1:
                names = ", ".join(repr(one.name) for one in tensors) or "none"
                raise BadRequest(f"this model takes one tensor of BYTES with text; the request has {names}")
            texts = texts_of(tensors[0])
        else:
            texts = listed_texts(payload.value)
        if not texts:
            raise BadRequest("this model takes text; the request has none")
        encoded = self._tokenizer(
            texts,
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=self._max_length,
            add_special_tokens=self._options.special_tokens,
            return_token_type_ids=self._options.token_types,
        )
        return dict(encoded)

    def _given_ids(self, tensors: list[Tensor]) -> dict[str, Any]:
        """Token ids and what belongs to them, by the names the tokenizer has for them."""
        known = list(self._tokenizer.model_input_names)
        unknown = [one.name for one in tensors if one.name not in known]
        if unknown:
            raise BadRequest(f"unknown input {unknown[0]!r}; without text this model takes {', '.join(known)}")
        return {one.name: self._torch.from_numpy(one.array.astype(np.int64)) for one in tensors}

    def _classes(self, output: Any, _: Any) -> list[Any]:
        logits = output.logits.float()
        if self._options.raw_logits:
            return [_numbered(row) for row in logits.tolist()]
        if self._options.probabilities:
            return [_numbered(row) for row in self._torch.softmax(logits, dim=-1).tolist()]
        chosen: list[Any] = logits.argmax(dim=-1).tolist()
        return chosen

    def _tokens(self, output: Any, _: Any) -> list[Any]:
        logits = output.logits.float()
        if self._asks_numbers:
            values = logits if self._options.raw_logits else self._torch.softmax(logits, dim=-1)
            return [[[_numbered(token) for token in row]] for row in values.tolist()]
        # A list of one list for each text: KServe's documentation shows it so, and clients index it so.
        return [[row] for row in logits.argmax(dim=-1).tolist()]

    def _masked(self, output: Any, encoded: Any) -> list[Any]:
        ids, logits = encoded["input_ids"], output.logits.float()
        predictions: list[Any] = []
        for row in range(len(ids)):
            at = (ids[row] == self._tokenizer.mask_token_id).nonzero(as_tuple=True)[0]
            if not len(at):
                raise BadRequest(f"fill-mask: text {row} has no {self._tokenizer.mask_token}")
            values = logits[row, at]
            if self._asks_numbers:
                values = values if self._options.raw_logits else self._torch.softmax(values, dim=-1)
                predictions.append([self._by_token(token) for token in values.tolist()])
            else:
                predictions.append(self._tokenizer.decode(values.argmax(dim=-1)))
        return predictions

    def _by_token(self, values: list[float]) -> dict[str, float]:
        return {self._tokenizer.decode([token]): value for token, value in enumerate(values)}

    def _embeddings(self, output: Any, encoded: Any) -> list[Any]:
        """The mean over a text's tokens, of length 1."""
        states = output.last_hidden_state.float()
        mask = encoded.get("attention_mask")
        weights = self._torch.ones(states.shape[:2]) if mask is None else mask.float()
        summed = (states * weights.unsqueeze(-1)).sum(dim=1)
        mean = summed / weights.sum(dim=1, keepdim=True).clamp(min=1e-9)
        vectors: list[Any] = self._torch.nn.functional.normalize(mean, p=2, dim=1).tolist()
        return vectors

    def _generated(self, encoded: Any, settings: Mapping[str, Any]) -> list[Any]:
        """The new text alone, without the prompt."""
        given = {name: value for name, value in encoded.items() if name != "token_type_ids"}
        tokens = self._model.generate(**given, **settings)
        new = tokens[:, given["input_ids"].shape[1] :] if self._task == GENERATION else tokens
        texts: list[Any] = self._tokenizer.batch_decode(new, skip_special_tokens=True)
        return texts


def _settings(message: Message, asked: Asked) -> dict[str, Any]:
    """How to generate, as the request's `parameters` say."""
    given = asked.parameters or (message.raw or {}).get("parameters")
    if not isinstance(given, Mapping):
        return {}
    return {name: value for name, value in given.items() if name in _GENERATION_SETTINGS}


def _numbered(values: list[float]) -> dict[str, float]:
    return {str(index): value for index, value in enumerate(values)}


def _tensor(predictions: list[Any]) -> Tensor:
    """Numbers and vectors as they are, texts as BYTES, anything else as JSON."""
    first = predictions[0]
    if isinstance(first, int):
        return tensor(DEFAULT_OUTPUT, np.array(predictions, dtype=np.int64))
    if isinstance(first, list) and first and isinstance(first[0], float):
        return tensor(DEFAULT_OUTPUT, np.array(predictions, dtype=np.float32))
    if isinstance(first, str):
        return tensor(DEFAULT_OUTPUT, np.array(predictions, dtype=np.object_))
    return json_bytes(DEFAULT_OUTPUT, predictions, shape=(len(predictions),))
