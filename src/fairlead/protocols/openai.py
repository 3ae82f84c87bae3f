"""What a request to OpenAI's endpoints asks for, read and checked: completions, chat, embeddings and rerank.

Fields that the API does not have are passed over, as OpenAI does. Of the ones it has, those that cannot be done here
are refused in words rather than ignored, so that nobody takes an answer for what it is not. Beside OpenAI's own
sampling fields there are those that vLLM has taught its clients (`top_k`, `min_p`, `min_tokens`, …).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fairlead.protocols.openai_errors import Unusable

Json = Mapping[str, Any]
Prompt = str | list[int]

MOST_CHOICES = 128
_MOST_STOPS = 64
_MOST_LOGPROBS = 20
_DEFAULT_TOKENS = 16
"""What `/v1/completions` generates when nothing is said."""


class Endpoint(StrEnum):
    """What a model may be asked, by the end of its path."""

    COMPLETIONS = "completions"
    CHAT = "chat/completions"
    EMBEDDINGS = "embeddings"
    RERANK = "rerank"


TITLES = {
    Endpoint.COMPLETIONS: "Completions",
    Endpoint.CHAT: "Chat Completions",
    Endpoint.EMBEDDINGS: "Embeddings",
    Endpoint.RERANK: "Rerank",
}
"""What KServe calls them when a model has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How tokens are chosen and when to stop. `None` is what the request leaves to the model."""

    max_tokens: int | None = None
    min_tokens: int = 0
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    seed: int | None = None
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    ignores_eos: bool = False
    logprobs: int | None = None
    """How many alternatives to tell of for each token; 0 for the chosen one alone, `None` for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """What completions and chat have in common. `candidates` are generated, the best `n` of them are told."""

    sampling: Sampling
    n: int = 1
    candidates: int = 1
    is_streamed: bool = False
    tells_usage: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest(Generation):
    """`POST /v1/completions`."""

    prompts: tuple[Prompt, ...]
    echoes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest(Generation):
    """`POST /v1/chat/completions`."""

    messages: tuple[Json, ...]
    tools: tuple[Json, ...] = ()
    adds_generation_prompt: bool = True
    continues_last: bool = False
    template_arguments: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRequest:
    """`POST /v1/embeddings`. `dimensions` cuts the vectors, where it is set."""

    inputs: tuple[Prompt, ...]
    is_base64: bool = False
    dimensions: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankRequest:
    """`POST /v1/rerank`. Without `top_n` every document is told of."""

    query: str
    documents: tuple[str, ...]
    top_n: int | None = None
    returns_documents: bool = True


def completion_request(body: Json) -> CompletionRequest:
    """Read and check. Raises `Unusable`."""
    if body.get("suffix"):
        raise Unusable("suffix is not supported: the model goes on from a prompt and fills no gaps", "suffix")
    if body.get("prompt") is None and body.get("prompt_embeds") is not None:
        raise Unusable("prompt_embeds is not supported; expected prompt", "prompt_embeds")
    logprobs = _integer(body, "logprobs", 0, _MOST_LOGPROBS)
    max_tokens = _integer(body, "max_tokens", 0)
    sampling = _sampling(body, _DEFAULT_TOKENS if max_tokens is None else max_tokens, logprobs)
    shared = _generation(body, sampling)
    best_of = _integer(body, "best_of", 1, MOST_CHOICES)
    if best_of is not None:
        if best_of < shared["n"]:
            raise Unusable(f"best_of must be at least n, which is {shared['n']}; got {best_of}", "best_of")
        if shared["is_streamed"] and best_of > shared["n"]:
            raise Unusable("best_of cannot be streamed: the best is known at the end", "best_of")
        shared["candidates"] = best_of
    return CompletionRequest(
        prompts=_prompts(body.get("prompt"), "prompt"), echoes=_flag(body, "echo", default=False), **shared
    )


def chat_request(body: Json) -> ChatRequest:
    """Read and check. Raises `Unusable`."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Unusable("messages must be a list with at least one message", "messages")
    top = _integer(body, "top_logprobs", 0, _MOST_LOGPROBS)
    tells = _flag(body, "logprobs", default=False)
    if top and not tells:
        raise Unusable("top_logprobs needs logprobs to be true", "top_logprobs")
    newer, older = _integer(body, "max_completion_tokens", 1), _integer(body, "max_tokens", 1)
    sampling = _sampling(body, newer if newer is not None else older, (top or 0) if tells else None)
    continues = _flag(body, "continue_final_message", default=False)
    adds = _flag(body, "add_generation_prompt", default=not continues)
    if continues and adds:
        raise Unusable("continue_final_message and add_generation_prompt cannot both be true", "continue_final_message")
    arguments = body.get("chat_template_kwargs") or {}
    if not isinstance(arguments, dict):
        raise Unusable("chat_template_kwargs must be an object", "chat_template_kwargs")
    return ChatRequest(
        messages=tuple(_message(one, index) for index, one in enumerate(messages)),
        tools=_tools(body),
        adds_generation_prompt=adds,
        continues_last=continues,
        template_arguments=arguments,
        **_generation(body, sampling),
    )


def embedding_request(body: Json) -> EmbeddingRequest:
    """Read and check. Raises `Unusable`."""
    form = body.get("encoding_format") or "float"
    if form not in ("float", "base64"):
        raise Unusable(f"encoding_format must be float or base64; got {form!r}", "encoding_format")
    return EmbeddingRequest(
        inputs=_prompts(body.get("input"), "input"),
        is_base64=form == "base64",
        dimensions=_integer(body, "dimensions", 1),
    )


def rerank_request(body: Json) -> RerankRequest:
    """Read and check. Raises `Unusable`."""
    query, documents = body.get("query"), body.get("documents")
    if not isinstance(query, str):
        raise Unusable("query must be a string", "query")
    if not isinstance(documents, list) or not documents:
        raise Unusable("documents must be a list with at least one document", "documents")
    top_n = _integer(body, "top_n", 0)
    return RerankRequest(
        query=query,
        documents=tuple(_document(one, index) for index, one in enumerate(documents)),
        top_n=top_n or None,  # 0 is what clients of vLLM send for all of them
        returns_documents=_flag(body, "return_documents", default=True),
    )


def _document(value: Any, index: int) -> str:
    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise Unusable(f"documents[{index}] must be a string or an object with text", "documents")
    return text


def _generation(body: Json, sampling: Sampling) -> dict[str, Any]:
    """The fields of `Generation`."""
    n = _integer(body, "n", 1, MOST_CHOICES) or 1
    is_streamed = _flag(body, "stream", default=False)
    options = body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise Unusable("stream_options must be an object", "stream_options")
    if options is not None and not is_streamed:
        raise Unusable("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    _refuse_formats(body)
    return {
        "sampling": sampling,
        "n": n,
        "candidates": n,
        "is_streamed": is_streamed,
        "tells_usage": bool(options and options.get("include_usage")),
    }


def _sampling(body: Json, max_tokens: int | None, logprobs: int | None) -> Sampling:
    top_k = _integer(body, "top_k", -1)
    return Sampling(
        max_tokens=max_tokens,
        min_tokens=_integer(body, "min_tokens", 0) or 0,
        temperature=_number(body, "temperature", 0, 2),
        top_p=_number(body, "top_p", 0, 1),
        top_k=top_k,
        min_p=_number(body, "min_p", 0, 1),
        repetition_penalty=_number(body, "repetition_penalty", 0.01, 10),
        presence_penalty=_number(body, "presence_penalty", -2, 2) or 0.0,
        frequency_penalty=_number(body, "frequency_penalty", -2, 2) or 0.0,
        logit_bias=_biases(body.get("logit_bias")),
        seed=_integer(body, "seed", -(2**63), 2**63 - 1),
        stop=_stops(body.get("stop")),
        stop_token_ids=_token_ids(body.get("stop_token_ids") or [], "stop_token_ids"),
        ignores_eos=_flag(body, "ignore_eos", default=False),
        logprobs=logprobs,
    )


def _refuse_formats(body: Json) -> None:
    form = body.get("response_format")
    kind = form.get("type") if isinstance(form, dict) else None
    if form is not None and kind != "text":
        raise Unusable(
            f"response_format {kind!r} is not supported: this back-end cannot hold a model to a form, vLLM can",
            "response_format",
        )
    for name in ("guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs"):
        if body.get(name) is not None:
            raise Unusable(f"{name} is not supported: this back-end cannot hold a model to a form, vLLM can", name)
    if body.get("use_beam_search"):
        raise Unusable("use_beam_search is not supported; best_of chooses among samples", "use_beam_search")


def _message(value: Any, index: int) -> dict[str, Any]:
    """A message whose content is text, however it was divided."""
    where = f"messages[{index}]"
    if not isinstance(value, dict) or not isinstance(value.get("role"), str):
        raise Unusable(f"{where} must be an object with role and content", "messages")
    content = value.get("content")
    if isinstance(content, list):
        content = "\n".join(_part(part, f"{where}.content[{at}]") for at, part in enumerate(content))
    elif content is not None and not isinstance(content, str):
        raise Unusable(f"{where}.content must be a string or a list of parts", "messages")
    return {**value, "content": content}


def _part(value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    kind = value.get("type") if isinstance(value, dict) else None
    text = value.get("text", value.get("refusal")) if isinstance(value, dict) else None
    if kind not in ("text", "input_text", "refusal") or not isinstance(text, str):
        raise Unusable(f"{where}: parts of type {kind!r} are not supported; this model takes text", "messages")
    return text


def _tools(body: Json) -> tuple[Json, ...]:
    tools, choice = body.get("tools"), body.get("tool_choice")
    if tools is not None and (not isinstance(tools, list) or not all(isinstance(one, dict) for one in tools)):
        raise Unusable("tools must be a list of objects", "tools")
    if choice not in (None, "none", "auto"):
        raise Unusable(
            "tool_choice must be none or auto: this back-end cannot make a model call a tool, vLLM can", "tool_choice"
        )
    return () if choice == "none" else tuple(tools or ())


def _prompts(value: Any, name: str) -> tuple[Prompt, ...]:
    """A text, token ids, or a list of either."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and value:
        if all(type(one) is int for one in value):
            return (value,)
        found = tuple(_prompt(one, f"{name}[{index}]", name) for index, one in enumerate(value))
        if len({type(one) for one in found}) == 1:
            return found
    raise Unusable(f"{name} must be a string, a list of strings, token ids, or a list of lists of token ids", name)


def _prompt(value: Any, where: str, name: str) -> Prompt:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(type(one) is int for one in value):
        return value
    raise Unusable(f"{where} must be a string or a list of token ids", name)


def _stops(value: Any) -> tuple[str, ...]:
    listed = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise Unusable("stop must be a string or a list of strings", "stop")
    if len(listed) > _MOST_STOPS:
        raise Unusable(f"stop has {len(listed)} strings; at most {_MOST_STOPS} are allowed", "stop")
    return tuple(one for one in listed if one)


def _biases(value: Any) -> tuple[tuple[int, float], ...]:
    if value is None:
        return ()
    try:
        biases = tuple((int(token), float(bias)) for token, bias in value.items())
    except (AttributeError, TypeError, ValueError) as error:
        raise Unusable("logit_bias must be an object of token ids and numbers", "logit_bias") from error
    wrong = next((bias for _, bias in biases if not -100 <= bias <= 100), None)
    if wrong is not None:
        raise Unusable(f"logit_bias must be from -100 to 100; got {wrong:g}", "logit_bias")
    return biases


def _token_ids(value: Any, name: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(one) is int for one in value):
        raise Unusable(f"{name} must be a list of token ids", name)
    return tuple(value)


def _flag(body: Json, name: str, *, default: bool) -> bool:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise Unusable(f"{name} must be true or false; got {value!r}", name)
    return value


def _integer(body: Json, name: str, least: int, most: int | None = None) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int:
        raise Unusable(f"{name} must be a whole number; got {value!r}", name)
    return int(_within(value, name, least, most))


def _number(body: Json, name: str, least: float, most: float) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if type(value) not in (int, float):
        raise Unusable(f"{name} must be a number; got {value!r}", name)
    return float(_within(value, name, least, most))


def _within(value: float, name: str, least: float, most: float | None) -> float:
    if value < least or (most is not None and value > most):
        range_ = f"from {least:g} up" if most is None else f"from {least:g} to {most:g}"
        raise Unusable(f"{name} must be {range_}; got {value:g}", name)
    return value
