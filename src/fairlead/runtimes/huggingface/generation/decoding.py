"""Running a model: prompts in pieces, then one token at a time for several sequences together.

Sequences of different lengths share one call where the model's cache is the plain one: their keys and values stand in
one array, filled up on the left, with a mask over the filling. Whether a model answers the same that way as alone is
tried when it is loaded, because it depends on how it reckons positions; a model that does not, and one with another
sort of memory (sliding windows, states, an encoder), is asked for each sequence by itself, in turn.
"""

import copy
import inspect
import logging
from collections.abc import Sequence
from typing import Any, Protocol

_log = logging.getLogger(__name__)
_TOLERANCE = 1e-3
_TOLERANCE_SHORT = 5e-2  # sixteen bits


class State:
    """What is remembered of one sequence: `length` tokens that the model has seen."""

    def __init__(self) -> None:
        self.length = 0
        self.cache: Any = None
        self.encoded: Any = None
        self.seen: list[int] = []


class Decoder(Protocol):
    """A model that goes on with sequences. Nothing here is called from two threads."""

    def begin(self, prompt: Sequence[int]) -> tuple[State, list[int]]:
        """A new sequence, and the tokens to feed before its first token can be chosen."""

    def feed(self, state: State, tokens: Sequence[int], *, wants_all: bool) -> Any:
        """Read on in one sequence. Gives the scores after its last token, [1, vocabulary], or after every one."""

    def copy(self, state: State) -> State:
        """Another sequence that goes on from the same place."""

    def step(self, states: Sequence[State], tokens: Sequence[int]) -> Any:
        """One more token for each of these sequences; the scores after it, [sequences, vocabulary]."""

    def forget(self, state: State) -> None:
        """A sequence is over."""


class OneByOne:
    """A causal model, each sequence with a cache of its own."""

    def __init__(self, torch: Any, model: Any) -> None:
        self._torch = torch
        self._model = model
        takes = inspect.signature(model.forward).parameters
        self._takes_keep = "logits_to_keep" in takes

    def begin(self, prompt: Sequence[int]) -> tuple[State, list[int]]:
        return State(), list(prompt)

    def feed(self, state: State, tokens: Sequence[int], *, wants_all: bool) -> Any:
        keep = {"logits_to_keep": 1} if self._takes_keep and not wants_all else {}
        state.seen += tokens
        # A model that gave no memory reads everything again.
        given = state.seen if state.length and state.cache is None else tokens
        state.length += len(tokens)
        mask = self._torch.ones((1, state.length), dtype=self._torch.long)
        out = self._called(
            input_ids=self._torch.tensor([list(given)]),
            attention_mask=mask,
            past_key_values=state.cache,
            use_cache=True,
            **keep,
        )
        state.cache = getattr(out, "past_key_values", None)
        return out.logits[0, -len(tokens) if wants_all else -1 :].float()

    def copy(self, state: State) -> State:
        return copy.deepcopy(state)

    def step(self, states: Sequence[State], tokens: Sequence[int]) -> Any:
        rows = [self.feed(state, [token], wants_all=False) for state, token in zip(states, tokens, strict=True)]
        return self._torch.cat(rows)

    def forget(self, state: State) -> None:
        state.cache = state.encoded = None

    def _called(self, **given: Any) -> Any:
        with self._torch.inference_mode():
            return self._model(**given)


class EncoderDecoder(OneByOne):
    """A model that reads the prompt with one half and writes with the other."""

    def begin(self, prompt: Sequence[int]) -> tuple[State, list[int]]:
        state = State()
        ids = self._torch.tensor([list(prompt)])
        with self._torch.inference_mode():
            state.encoded = self._model.get_encoder()(input_ids=ids, attention_mask=self._torch.ones_like(ids))
        config = self._model.generation_config
        start = config.decoder_start_token_id
        if start is None:
            start = self._model.config.decoder_start_token_id
        first = config.bos_token_id if start is None else start
        return state, [int(first if first is not None else 0)]

    def feed(self, state: State, tokens: Sequence[int], *, wants_all: bool) -> Any:
        state.length += len(tokens)
        state.seen += tokens
        width = state.encoded[0].shape[1]
        out = self._called(
            encoder_outputs=state.encoded,
            attention_mask=self._torch.ones((1, width), dtype=self._torch.long),
            decoder_input_ids=self._torch.tensor([list(state.seen if state.cache is None else tokens)]),
            past_key_values=state.cache,
            use_cache=True,
        )
        state.cache = out.past_key_values
        return out.logits[0, -len(tokens) if wants_all else -1 :].float()


class Batched(OneByOne):
    """A causal model with the plain cache: one call for all sequences."""

    def __init__(self, torch: Any, model: Any, cache_kind: Any) -> None:
        super().__init__(torch, model)
        self._kind = cache_kind
        self._takes_positions = "position_ids" in inspect.signature(model.forward).parameters
        self._rows: list[State] = []
        self._cache: Any = None
        self._width = 0

    def step(self, states: Sequence[State], tokens: Sequence[int]) -> Any:
        torch = self._torch
        self._arrange(states)
        by_state = dict(zip(map(id, states), tokens, strict=True))
        lengths = torch.tensor([state.length for state in self._rows])
        filling = (self._width - lengths).unsqueeze(1)
        mask = (torch.arange(self._width + 1).unsqueeze(0) >= filling).long()
        where = {"position_ids": lengths.unsqueeze(1)} if self._takes_positions else {}
        out = self._called(
            input_ids=torch.tensor([[by_state[id(state)]] for state in self._rows]),
            attention_mask=mask,
            past_key_values=self._cache,
            use_cache=True,
            **where,
        )
        self._width += 1
        for state in self._rows:
            state.length += 1
        places = {id(state): row for row, state in enumerate(self._rows)}
        return out.logits[:, -1].float()[[places[id(state)] for state in states]]

    def forget(self, state: State) -> None:
        # Its row goes at the next step, with the others that leave then; the last one takes all with it.
        super().forget(state)
        state.length = 0
        if not any(row.length for row in self._rows):
            self._rows, self._cache = [], None

    def _arrange(self, states: Sequence[State]) -> None:
        """Make the rows of the cache these sequences. Those that leave keep theirs, unless they are forgotten."""
        wanted = {id(state) for state in states}
        here = {id(state) for state in self._rows}
        if wanted == here:
            return
        for row, state in enumerate(self._rows):
            if id(state) not in wanted and state.length:
                # Copies, so that the others' memory does not stay with them.
                state.cache = [(keys.clone(), values.clone()) for keys, values in self._cut(row, state.length)]
        stay = [row for row, state in enumerate(self._rows) if id(state) in wanted]
        joining = [state for state in states if id(state) not in here]
        parts = [self._cut(row, self._rows[row].length) for row in stay] + [_pairs(state.cache) for state in joining]
        self._rows = [self._rows[row] for row in stay] + joining
        for state in joining:
            state.cache = None
        self._width = max(state.length for state in self._rows)
        self._cache = self._joined(parts)

    def _cut(self, row: int, length: int) -> Any:
        """One row without its filling."""
        layers = _pairs(self._cache)
        return [(keys[row : row + 1, :, -length:], values[row : row + 1, :, -length:]) for keys, values in layers]

    def _joined(self, parts: Sequence[Any]) -> Any:
        cache = self._kind()
        for layer in range(len(parts[0])):
            keys = self._torch.cat([self._filled(part[layer][0]) for part in parts])
            values = self._torch.cat([self._filled(part[layer][1]) for part in parts])
            cache.update(keys, values, layer)
        return cache

    def _filled(self, one: Any) -> Any:
        missing = self._width - one.shape[-2]
        return self._torch.nn.functional.pad(one, (0, 0, missing, 0)) if missing else one


def _pairs(cache: Any) -> Any:
    """The keys and values of a cache, layer by layer."""
    return cache if isinstance(cache, list) else [(layer.keys, layer.values) for layer in cache.layers]


def decoder_of(torch: Any, model: Any, *, unit: str) -> Decoder:
    """The quickest way to run a model that gives right answers."""
    if getattr(model.config, "is_encoder_decoder", False):
        return EncoderDecoder(torch, model)
    alone = OneByOne(torch, model)
    try:
        from transformers.cache_utils import DynamicCache, DynamicLayer
    except ImportError:
        return alone
    state, _ = alone.begin([0])
    alone.feed(state, [0], wants_all=False)
    plain = type(state.cache) is DynamicCache and all(type(layer) is DynamicLayer for layer in state.cache.layers)
    if not plain:
        _log.info("unit %s: its cache holds one sequence, so requests take turns, token by token", unit)
        return alone
    together = Batched(torch, model, DynamicCache)
    if not _agree(torch, together, alone, model):
        _log.info("unit %s: in a batch the model answers otherwise than alone, so requests take turns", unit)
        return alone
    return Batched(torch, model, DynamicCache)


def _agree(torch: Any, together: Decoder, alone: Decoder, model: Any) -> bool:
    """Whether two sequences of different lengths get the same scores in one call as in two."""
    size = int(model.config.get_text_config().vocab_size)
    prompts = [[index * 7 % size for index in range(1, length)] for length in (4, 7)]
    tokens = [size // 2, size // 3]
    try:
        ones: list[State] = []
        both: list[State] = []
        for prompt in prompts:
            for decoder, states in ((alone, ones), (together, both)):
                state, ids = decoder.begin(prompt)
                decoder.feed(state, ids, wants_all=False)
                states.append(state)
        apart = alone.step(ones, tokens)
        joined = together.step(both, tokens)
    except Exception as error:
        _log.info("the model takes no batch: %s: %s", type(error).__name__, error)
        return False
    tolerance = _TOLERANCE if model.dtype == torch.float32 else _TOLERANCE_SHORT
    return bool((apart - joined).abs().max() <= tolerance * apart.abs().max().clamp(min=1e-6))
