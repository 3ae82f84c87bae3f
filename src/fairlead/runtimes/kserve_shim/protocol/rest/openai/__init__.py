"""`kserve.protocol.rest.openai`: base classes of models that answer OpenAI's requests.

`OpenAIProxyModel` is not here: a unit behind an address is what does its work.
"""

# ruff: noqa: ARG002 (what these methods are given is for those that replace them)
from collections.abc import AsyncIterator
from typing import Any

from pydantic import BaseModel

from fairlead.errors import NotOffered
from fairlead.runtimes.kserve_shim.model import BaseKServeModel
from fairlead.runtimes.kserve_shim.protocol.rest.openai.types import (
    ChatCompletion,
    ChatCompletionChoice,
    ChatCompletionChunk,
    ChatCompletionMessageParam,
    ChatCompletionRequest,
    ChatMessage,
    ChoiceDelta,
    ChunkChoice,
    Completion,
    CompletionRequest,
    EmbeddingRequest,
    RerankRequest,
)

__all__ = [
    "ChatCompletionMessageParam",
    "ChatCompletionRequest",
    "ChatPrompt",
    "CompletionRequest",
    "OpenAIChatAdapterModel",
    "OpenAIEncoderModel",
    "OpenAIGenerativeModel",
    "OpenAIModel",
]

Context = dict[str, Any] | None


class ChatPrompt(BaseModel):
    """A conversation as the text that a model goes on from."""

    response_role: str = "assistant"
    prompt: str


class OpenAIModel(BaseKServeModel):
    """A model that answers some of OpenAI's requests."""


class OpenAIGenerativeModel(OpenAIModel):
    """A model that generates."""

    async def create_completion(
        self, request: CompletionRequest, raw_request: Any = None, context: Context = None
    ) -> Any:
        """A `Completion`, an `ErrorResponse`, or an asynchronous generator of events."""
        raise NotOffered("create_completion is not implemented")

    async def create_chat_completion(
        self, request: ChatCompletionRequest, raw_request: Any = None, context: Context = None
    ) -> Any:
        """A `ChatCompletion`, an `ErrorResponse`, or an asynchronous generator of events."""
        raise NotOffered("create_chat_completion is not implemented")


class OpenAIEncoderModel(OpenAIModel):
    """A model that embeds or ranks."""

    async def create_embedding(
        self, request: EmbeddingRequest, raw_request: Any = None, context: Context = None
    ) -> Any:
        """An `Embedding` or an `ErrorResponse`."""
        raise NotOffered("create_embedding is not implemented")

    async def create_rerank(self, request: RerankRequest, raw_request: Any = None, context: Context = None) -> Any:
        """A `Rerank` or an `ErrorResponse`."""
        raise NotOffered("create_rerank is not implemented")


class OpenAIChatAdapterModel(OpenAIGenerativeModel):
    """A model that completes texts: a conversation is written as a text, and the completion is the next message."""

    def apply_chat_template(self, request: ChatCompletionRequest) -> ChatPrompt:
        """The conversation as a text."""
        raise NotOffered("apply_chat_template is not implemented")

    async def create_chat_completion(
        self, request: ChatCompletionRequest, raw_request: Any = None, context: Context = None
    ) -> Any:
        """The completion of the conversation's text, told as a message."""
        prompt = self.apply_chat_template(request)
        answer = await self.create_completion(_completion_request(request, prompt.prompt), raw_request, context)
        if isinstance(answer, Completion):
            return _chat(answer, prompt.response_role)
        return _chunks(answer, prompt.response_role) if hasattr(answer, "__aiter__") else answer


def _completion_request(request: ChatCompletionRequest, prompt: str) -> CompletionRequest:
    given = request.model_dump(exclude={"messages", "tools", "tool_choice", "logprobs", "top_logprobs"})
    given["max_tokens"] = request.max_completion_tokens or request.max_tokens
    given["logprobs"] = request.top_logprobs if request.logprobs else None
    return CompletionRequest(**given, prompt=prompt)


def _chat(answer: Completion, role: str) -> ChatCompletion:
    choices = [
        ChatCompletionChoice(
            index=one.index, message=ChatMessage(role=role, content=one.text), finish_reason=one.finish_reason
        )
        for one in answer.choices
    ]
    return ChatCompletion(id=answer.id, created=answer.created, model=answer.model, usage=answer.usage, choices=choices)


async def _chunks(events: AsyncIterator[Any], role: str) -> AsyncIterator[str]:
    async for said in events:
        data = said.removeprefix("data: ").strip() if isinstance(said, str) else said.model_dump_json()
        if not data or data == "[DONE]":
            continue
        part = Completion.model_validate_json(data)
        choices = [
            ChunkChoice(
                index=one.index, delta=ChoiceDelta(role=role, content=one.text), finish_reason=one.finish_reason
            )
            for one in part.choices
        ]
        chunk = ChatCompletionChunk(
            id=part.id, created=part.created, model=part.model, usage=part.usage, choices=choices
        )
        yield f"data: {chunk.model_dump_json()}\n\n"
