"""`kserve.protocol.rest.openai.types`: requests and answers of OpenAI's API as objects.

The SDK takes these from vLLM. Here they know the fields that are in the API and keep whatever else is given, so code
that reads or makes the usual ones runs without vLLM.
"""

import time
import uuid
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Open(BaseModel):
    """Keeps the fields that it does not know."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())


class _Sampled(_Open):
    """What requests for text have in common."""

    model: str | None = None
    frequency_penalty: float | None = 0.0
    logit_bias: dict[str, float] | None = None
    max_tokens: int | None = None
    n: int | None = 1
    presence_penalty: float | None = 0.0
    seed: int | None = None
    stop: str | list[str] | None = None
    stream: bool | None = False
    stream_options: dict[str, Any] | None = None
    temperature: float | None = None
    top_p: float | None = None
    user: str | None = None


class CompletionRequest(_Sampled):
    """`POST /v1/completions`."""

    prompt: list[int] | list[list[int]] | str | list[str] | None = None
    best_of: int | None = None
    echo: bool | None = False
    logprobs: int | None = None
    max_tokens: int | None = 16
    suffix: str | None = None


class ChatCompletionRequest(_Sampled):
    """`POST /v1/chat/completions`."""

    messages: list[dict[str, Any]]
    logprobs: bool | None = False
    top_logprobs: int | None = 0
    max_completion_tokens: int | None = None
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None
    add_generation_prompt: bool = True
    chat_template_kwargs: dict[str, Any] | None = None


class EmbeddingRequest(_Open):
    """`POST /v1/embeddings`."""

    model: str | None = None
    input: list[int] | list[list[int]] | str | list[str]
    encoding_format: str = "float"
    dimensions: int | None = None
    user: str | None = None


EmbeddingCompletionRequest = EmbeddingRequest


class RerankRequest(_Open):
    """`POST /v1/rerank`."""

    model: str | None = None
    query: str
    documents: list[str | dict[str, Any]]
    top_n: int | None = None


class UsageInfo(_Open):
    """Counts of tokens."""

    prompt_tokens: int = 0
    total_tokens: int = 0
    completion_tokens: int | None = 0


class _Answer(_Open):
    """What names an answer."""

    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    created: int = Field(default_factory=lambda: int(time.time()))
    model: str | None = None
    usage: UsageInfo | None = None


class CompletionLogProbs(_Open):
    """What is known of the tokens of a completion."""

    text_offset: list[int] = Field(default_factory=list)
    token_logprobs: list[float | None] = Field(default_factory=list)
    tokens: list[str] = Field(default_factory=list)
    top_logprobs: list[dict[str, float] | None] = Field(default_factory=list)


class CompletionChoice(_Open):
    """One text of a completion."""

    index: int = 0
    text: str = ""
    logprobs: CompletionLogProbs | None = None
    finish_reason: str | None = None


CompletionChunkChoice = CompletionChoice


class Completion(_Answer):
    """An answer of `/v1/completions`."""

    object: str = "text_completion"
    choices: list[CompletionChoice] = Field(default_factory=list)


CompletionChunk = Completion


class ChatMessage(_Open):
    """What the model says."""

    role: str = "assistant"
    content: str | None = None


class ChatCompletionLogProb(_Open):
    """A token that might have been chosen."""

    token: str
    logprob: float = -9999.0
    bytes: list[int] | None = None


class ChatCompletionLogProbsContent(ChatCompletionLogProb):
    """A token that was chosen."""

    top_logprobs: list[ChatCompletionLogProb] = Field(default_factory=list)


class ChatCompletionLogProbs(_Open):
    """What is known of the tokens of a message."""

    content: list[ChatCompletionLogProbsContent] | None = None


class ChatCompletionChoice(_Open):
    """One message of an answer."""

    index: int = 0
    message: ChatMessage
    logprobs: ChatCompletionLogProbs | None = None
    finish_reason: str | None = "stop"


class ChatCompletion(_Answer):
    """An answer of `/v1/chat/completions`."""

    object: str = "chat.completion"
    choices: list[ChatCompletionChoice] = Field(default_factory=list)


class ChoiceDelta(_Open):
    """What a chunk adds to a message."""

    role: str | None = None
    content: str | None = None


class ChunkChoice(_Open):
    """A part of one message."""

    index: int = 0
    delta: ChoiceDelta
    logprobs: ChatCompletionLogProbs | None = None
    finish_reason: str | None = None


class ChatCompletionChunk(_Answer):
    """A part of a streamed answer."""

    object: str = "chat.completion.chunk"
    choices: list[ChunkChoice] = Field(default_factory=list)


class EmbeddingResponseData(_Open):
    """One vector."""

    index: int = 0
    object: str = "embedding"
    embedding: list[float] | str


class Embedding(_Answer):
    """An answer of `/v1/embeddings`."""

    object: str = "list"
    data: list[EmbeddingResponseData] = Field(default_factory=list)


class Rerank(_Answer):
    """An answer of `/v1/rerank`."""

    results: list[dict[str, Any]] = Field(default_factory=list)


class Model(_Open):
    """One entry of the list of models."""

    id: str
    object: str = "model"
    created: int = Field(default_factory=lambda: int(time.time()))
    owned_by: str = ""


class ModelList(_Open):
    """The list of models."""

    object: str = "list"
    data: list[Model] = Field(default_factory=list)


class Error(_Open):
    """What went wrong."""

    message: str
    type: str = "BadRequestError"
    param: str | None = ""
    code: str | None = "400"


class ErrorResponse(_Open):
    """A refusal."""

    error: Error


ChatCompletionMessageParam = dict[str, Any]
ChatCompletionContentPartParam = dict[str, Any]
CustomChatCompletionMessageParam = dict[str, Any]
