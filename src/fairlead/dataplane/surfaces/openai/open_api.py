"""OpenAI's endpoints in the description of a worker's API, beside what its protocol describes: for units that generate,
embed or rank."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from fairlead.dataplane.surfaces.open_api import (
    ANY_OBJECT,
    TEXT,
    YES_OR_NO,
    Json,
    content,
    list_of,
    operation,
    schema,
)
from fairlead.dataplane.surfaces.openai.routes import paths_of
from fairlead.dataplane.surfaces.openai.served import Served
from fairlead.plan.model import Protocol
from fairlead.protocols.openai import Endpoint

if TYPE_CHECKING:
    from fairlead.dataplane.surfaces.composing import Parts

_EVENTS = "text/event-stream"
_ERROR = content("OpenAiError")


def with_openai(description: bytes, parts: "Parts", prefix: str) -> bytes:
    """The description, as it is read at the paths that start with `prefix`, with OpenAI's endpoints where the worker
    has a unit for them."""
    if parts.spec.revision.protocol is Protocol.RAW:
        return description
    served = Served(parts.executor.units, parts.models)
    names, endpoints = served.names, served.endpoints
    if not names or not endpoints:
        return description
    whole: dict[str, Any] = orjson.loads(description)
    base = f"{prefix}{paths_of(parts.spec).prefix}/v1"
    # A list of models that has what clients of both look for is described already.
    whole["paths"] = _paths(base, names, endpoints) | whole["paths"]
    whole["components"]["schemas"] |= _SCHEMAS
    return orjson.dumps(whole)


def _paths(base: str, names: Sequence[str], endpoints: frozenset[Endpoint]) -> dict[str, Json]:
    models = operation("OpenAiModels", "The models, as OpenAI lists them.", content("OpenAiModels"), error=_ERROR)
    asked = {
        f"{base}/{endpoint}": {"post": _ENDPOINTS[endpoint](names[0])} for endpoint in Endpoint if endpoint in endpoints
    }
    return {**asked, f"{base}/models": {"get": models}}


def _completions(model: str) -> Json:
    example = {"model": model, "prompt": "Once upon a time", "max_tokens": 16}
    return _ask("OpenAiCompletion", "What follows a text.", "CompletionRequest", example, "Completion", streams=True)


def _chat(model: str) -> Json:
    example = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 16}
    return _ask("OpenAiChat", "What comes next in a talk.", "ChatRequest", example, "Completion", streams=True)


def _embeddings(model: str) -> Json:
    example = {"model": model, "input": ["a text", "another"]}
    return _ask("OpenAiEmbeddings", "A vector for each text.", "EmbeddingRequest", example, "Embeddings")


def _rerank(model: str) -> Json:
    example = {"model": model, "query": "a text", "documents": ["another", "a third"]}
    return _ask("OpenAiRerank", "Documents, the best for a query first.", "RerankRequest", example, "Ranking")


def _ask(name: str, summary: str, request: str, example: Json, answer: str, *, streams: bool = False) -> Json:
    answers = content(answer) | ({_EVENTS: {}} if streams else {})
    return operation(name, summary, answers, error=_ERROR, body=content(request, example))


_ENDPOINTS: Mapping[Endpoint, Callable[[str], Json]] = {
    Endpoint.COMPLETIONS: _completions,
    Endpoint.CHAT: _chat,
    Endpoint.EMBEDDINGS: _embeddings,
    Endpoint.RERANK: _rerank,
}
_NUMBER: Json = {"type": "number"}
_COUNT: Json = {"type": "integer", "minimum": 1}
_SAMPLING: dict[str, Json] = {
    "model": TEXT,
    "temperature": {"type": "number", "minimum": 0, "maximum": 2},
    "top_p": {"type": "number", "minimum": 0, "maximum": 1},
    "max_tokens": _COUNT,
    "seed": {"type": "integer"},
    "stop": {"anyOf": [TEXT, list_of(TEXT)]},
    "stream": YES_OR_NO,
}
_USAGE = schema((), prompt_tokens={"type": "integer"}, total_tokens={"type": "integer"})
_SCHEMAS: dict[str, Any] = {
    "CompletionRequest": schema(("prompt",), prompt={"anyOf": [TEXT, list_of(TEXT)]}, **_SAMPLING),
    "ChatRequest": schema(
        ("messages",), messages=list_of(schema(("role", "content"), role=TEXT, content=TEXT)), **_SAMPLING
    ),
    "Completion": schema(
        ("id", "object", "model", "choices"),
        id=TEXT,
        object=TEXT,
        created={"type": "integer"},
        model=TEXT,
        choices=list_of(ANY_OBJECT),
        usage=_USAGE,
    ),
    "EmbeddingRequest": schema(
        ("input",),
        model=TEXT,
        input={"anyOf": [TEXT, list_of(TEXT)]},
        encoding_format={"type": "string", "enum": ["float", "base64"]},
        dimensions=_COUNT,
    ),
    "Embeddings": schema(("object", "data"), object=TEXT, data=list_of(ANY_OBJECT), model=TEXT, usage=_USAGE),
    "RerankRequest": schema(
        ("query", "documents"),
        model=TEXT,
        query=TEXT,
        documents=list_of(TEXT),
        top_n=_COUNT,
        return_documents=YES_OR_NO,
    ),
    "Ranking": schema(("results",), id=TEXT, model=TEXT, results=list_of(ANY_OBJECT), usage=ANY_OBJECT),
    "OpenAiModels": schema(
        ("object", "data"),
        object=TEXT,
        data=list_of(schema(("id", "object"), id=TEXT, object=TEXT, created={"type": "integer"}, owned_by=TEXT)),
    ),
    "OpenAiError": schema(("error",), error=schema(("message",), message=TEXT, type=TEXT, param=TEXT, code=TEXT)),
}
