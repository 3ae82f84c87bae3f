"""The answers of OpenAI's endpoints, whole and in chunks, as plain objects for JSON.

What was generated is told by `Piece`s: some text with the tokens it was made of, and at the end why it ended.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

Object = dict[str, Any]


class Candidate(NamedTuple):
    """A token that was or might have been chosen."""

    token: str
    data: bytes
    """Its bytes as far as they are known; a token may be a part of a letter."""
    logprob: float


class Token(NamedTuple):
    """A chosen token; `logprob` is `None` for the first of a prompt. `others` are the likeliest, best first."""

    chosen: Candidate
    has_logprob: bool = True
    others: tuple[Candidate, ...] = ()


@dataclass(slots=True)
class Piece:
    """A part of one choice. `finish` is `stop` or `length` on the last."""

    text: str = ""
    tokens: list[Token] = field(default_factory=list)
    finish: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What every object of one answer repeats."""

    id: str
    created: int
    model: str


def usage(prompt: int, completion: int | None = None) -> Object:
    """Counts of tokens; embeddings have no completion."""
    if completion is None:
        return {"prompt_tokens": prompt, "total_tokens": prompt}
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def completion(head: Head, choices: Sequence[Piece], counts: Object, *, tells_logprobs: bool) -> Object:
    """A whole answer of `/v1/completions`."""
    told = [_text_choice(index, one, 0, tells_logprobs=tells_logprobs) for index, one in enumerate(choices)]
    return _object(head, "text_completion", told) | {"usage": counts}


def completion_chunk(head: Head, index: int, piece: Piece, offset: int, *, tells_logprobs: bool) -> Object:
    """A part of a streamed answer. `offset` is how much text of this choice was told before."""
    choice = _text_choice(index, piece, offset, tells_logprobs=tells_logprobs)
    return _object(head, "text_completion", [choice])


def chat(head: Head, choices: Sequence[Piece], counts: Object, *, tells_logprobs: bool) -> Object:
    """A whole answer of `/v1/chat/completions`."""
    told = [
        {
            "index": index,
            "message": {"role": "assistant", "content": one.text, "refusal": None},
            "logprobs": _chat_logprobs(one.tokens) if tells_logprobs else None,
            "finish_reason": one.finish,
        }
        for index, one in enumerate(choices)
    ]
    return _object(head, "chat.completion", told) | {"usage": counts}


def chat_opening(head: Head, index: int) -> Object:
    """The first chunk of a choice: who speaks."""
    return _chat_chunk(head, index, {"role": "assistant", "content": "", "refusal": None}, None, None)


def chat_chunks(head: Head, index: int, piece: Piece, *, tells_logprobs: bool) -> list[Object]:
    """The chunks for a part of a choice: its text, and by itself why it ended."""
    chunks = []
    if piece.text or piece.tokens:
        logprobs = _chat_logprobs(piece.tokens) if tells_logprobs else None
        chunks.append(_chat_chunk(head, index, {"content": piece.text}, logprobs, None))
    if piece.finish is not None:
        chunks.append(_chat_chunk(head, index, {}, None, piece.finish))
    return chunks


def usage_chunk(head: Head, *, is_chat: bool, counts: Object) -> Object:
    """The chunk after the last choice, for clients that asked for it."""
    return _object(head, "chat.completion.chunk" if is_chat else "text_completion", []) | {"usage": counts}


def embeddings(model: str, vectors: np.ndarray[Any, Any], tokens: int, *, is_base64: bool) -> Object:
    """The answer of `/v1/embeddings`."""
    told = [
        {"object": "embedding", "index": index, "embedding": _base64(vector) if is_base64 else vector.tolist()}
        for index, vector in enumerate(vectors)
    ]
    return {"object": "list", "data": told, "model": model, "usage": usage(tokens)}


def rerank(head: Head, ranked: Sequence[tuple[int, float]], documents: Sequence[str] | None, tokens: int) -> Object:
    """The answer of `/v1/rerank`: places in the request with their scores, best first."""
    results: list[Object] = []
    for index, score in ranked:
        told: Object = {"index": index, "relevance_score": score}
        if documents is not None:
            told["document"] = {"text": documents[index]}
        results.append(told)
    return {"id": head.id, "model": head.model, "usage": usage(tokens), "results": results}


def model_object(name: str, created: int) -> Object:
    """One entry of the list of models."""
    return {"id": name, "object": "model", "created": created, "owned_by": ""}


def model_list(names: Sequence[str], created: int) -> Object:
    """The answer of `/v1/models`."""
    return {"object": "list", "data": [model_object(name, created) for name in names]}


def _object(head: Head, kind: str, choices: list[Object]) -> Object:
    return {"id": head.id, "object": kind, "created": head.created, "model": head.model, "choices": choices}


def _chat_chunk(head: Head, index: int, delta: Object, logprobs: Object | None, finish: str | None) -> Object:
    choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    return _object(head, "chat.completion.chunk", [choice])


def _text_choice(index: int, piece: Piece, offset: int, *, tells_logprobs: bool) -> Object:
    return {
        "index": index,
        "text": piece.text,
        "logprobs": _text_logprobs(piece.tokens, offset) if tells_logprobs else None,
        "finish_reason": piece.finish,
    }


def _text_logprobs(tokens: Sequence[Token], offset: int) -> Object:
    offsets = []
    for one in tokens:
        offsets.append(offset)
        offset += len(one.chosen.token)
    return {
        "tokens": [one.chosen.token for one in tokens],
        "token_logprobs": [one.chosen.logprob if one.has_logprob else None for one in tokens],
        "top_logprobs": [
            {other.token: other.logprob for other in reversed((one.chosen, *one.others))} if one.has_logprob else None
            for one in tokens
        ],
        "text_offset": offsets,
    }


def _chat_logprobs(tokens: Sequence[Token]) -> Object:
    def told(one: Candidate) -> Object:
        return {"token": one.token, "logprob": one.logprob, "bytes": list(one.data)}

    content = [told(one.chosen) | {"top_logprobs": [told(other) for other in one.others]} for one in tokens]
    return {"content": content, "refusal": None}


def _base64(vector: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()
