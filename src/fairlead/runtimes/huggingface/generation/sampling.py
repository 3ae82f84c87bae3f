"""Choosing the next token of one sequence from the model's scores."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fairlead.protocols.openai import Sampling

_GREEDY_BELOW = 1e-5
_NEVER = float("-inf")


class Choice(NamedTuple):
    """A token by its id. `logprob` is the model's own, before anything that the request asks for; `None` when nobody
    wants it, or there is none (the first token of a prompt)."""

    token: int
    logprob: float | None = None
    others: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What the model's own `generation_config.json` says, for requests that do not."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "Defaults":
        """From the fields that the file sets."""
        known = {name: said[name] for name in cls.__slots__ if isinstance(said.get(name), int | float)}
        return cls(**known)


class Chooser:
    """The choices of one sequence; the same seed makes the same ones."""

    def __init__(self, torch: Any, sampling: Sampling, defaults: Defaults, *, ends: Sequence[int], which: int) -> None:
        self._torch = torch
        self._sampling = sampling
        self._ends = list(ends)
        self._temperature = _either(sampling.temperature, defaults.temperature)
        self._top_p = _either(sampling.top_p, defaults.top_p)
        self._top_k = _either(sampling.top_k, defaults.top_k)
        self._min_p = _either(sampling.min_p, defaults.min_p)
        self._repetition = _either(sampling.repetition_penalty, defaults.repetition_penalty)
        seed = secrets.randbits(63) if sampling.seed is None else (sampling.seed + which) % 2**63
        self._generator = torch.Generator().manual_seed(seed)

    def choose(self, logits: Any, prompt: Sequence[int], tokens: Sequence[int]) -> Choice:
        """The token after `tokens`, from the scores of the whole vocabulary."""
        scores = self._adjusted(logits, prompt, tokens)
        if self._temperature < _GREEDY_BELOW:
            token = int(scores.argmax())
        else:
            shares = self._shares(scores / self._temperature)
            token = int(self._torch.multinomial(shares, 1, generator=self._generator))
        return told(self._torch, logits, token, self._sampling.logprobs)

    def _adjusted(self, logits: Any, prompt: Sequence[int], tokens: Sequence[int]) -> Any:
        """The scores with what the request wants more or less of."""
        said = self._sampling
        scores = logits.clone()
        if self._repetition != 1.0:
            seen = self._torch.tensor(sorted({*prompt, *tokens}))
            values = scores[seen]
            scores[seen] = self._torch.where(values > 0, values / self._repetition, values * self._repetition)
        if tokens and (said.frequency_penalty or said.presence_penalty):
            seen, counts = self._torch.tensor(list(tokens)).unique(return_counts=True)
            scores[seen] -= said.frequency_penalty * counts + said.presence_penalty
        for token, bias in said.logit_bias:
            scores[token] += bias
        if len(tokens) < said.min_tokens:
            scores[self._ends] = _NEVER
        return scores

    def _shares(self, scores: Any) -> Any:
        torch = self._torch
        if 0 < self._top_k < len(scores):
            scores = scores.masked_fill(scores < torch.topk(scores, self._top_k).values[-1], _NEVER)
        shares = torch.softmax(scores, dim=-1)
        if self._min_p > 0:
            shares = shares.masked_fill(shares < self._min_p * shares.max(), 0.0)
        if self._top_p < 1:
            ordered, places = shares.sort(descending=True)
            # Those before a token must not have reached the share yet, so the likeliest always stays.
            is_over = ordered.cumsum(dim=-1) - ordered >= self._top_p
            is_over[0] = False
            shares = shares.index_fill(0, places[is_over], 0.0)
        return shares


def told(torch: Any, logits: Any, token: int, logprobs: int | None) -> Choice:
    """A token with as many alternatives as somebody wants to know of."""
    if logprobs is None:
        return Choice(token)
    all_ = torch.log_softmax(logits, dim=-1)
    values, ids = all_.topk(min(logprobs, len(all_))) if logprobs else (all_[:0], all_[:0].long())
    others = tuple(zip(ids.tolist(), values.tolist(), strict=True))
    return Choice(token, float(all_[token]), others)


def _either(asked: Any, default: Any) -> Any:
    return default if asked is None else asked
