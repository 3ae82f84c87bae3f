"""OpenAI's requests to classes written for KServe's SDK: `create_completion`, `create_chat_completion`,
`create_embedding` and `create_rerank`, as far as a class has them.

They run on the unit's own loop. What an asynchronous generator gives leaves as it comes; while a client is slow it is
not asked for more, and when the client leaves it is cancelled where it waits.
"""

import asyncio
import contextvars
import importlib
import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import orjson

from fairlead.errors import FairleadError, Overloaded
from fairlead.protocols.exchange import Headers
from fairlead.protocols.openai import Endpoint
from fairlead.protocols.openai_errors import Told, Unusable
from fairlead.protocols.openai_events import DONE, as_events
from fairlead.runtimes.generative import Answering, Listener
from fairlead.runtimes.kserve_failures import is_kserves, translated
from fairlead.runtimes.loop_thread import LoopThread

_METHODS: Mapping[Endpoint, tuple[str, str]] = {
    Endpoint.COMPLETIONS: ("create_completion", "CompletionRequest"),
    Endpoint.CHAT: ("create_chat_completion", "ChatCompletionRequest"),
    Endpoint.EMBEDDINGS: ("create_embedding", "EmbeddingRequest"),
    Endpoint.RERANK: ("create_rerank", "RerankRequest"),
}


def openai_of(model: Any, loop: LoopThread) -> "KserveOpenAi | None":
    """A model's side that answers OpenAI's requests; `None` for models without such methods."""
    found = frozenset(endpoint for endpoint, (method, _) in _METHODS.items() if _has(type(model), method))
    return KserveOpenAi(model, loop, found) if found else None


def _has(kind: type, method: str) -> bool:
    """Whether a class has a method that does something: those of the base classes say that they do not."""
    definer = next((base for base in kind.__mro__ if method in vars(base)), None)
    if definer is None:
        return False
    return not is_kserves(definer) or definer.__name__ in ("OpenAIChatAdapterModel", "OpenAIProxyModel")


class KserveOpenAi:
    """A `Generative`."""

    def __init__(self, model: Any, loop: LoopThread, endpoints: frozenset[Endpoint]) -> None:
        self.endpoints = endpoints
        self._model = model
        self._loop = loop
        self._context = contextvars.copy_context()

    def start(
        self, endpoint: Endpoint, model: str, body: Mapping[str, Any], headers: Headers, listener: Listener
    ) -> Answering:
        """Call the method. Raises `Unusable` for a request that the SDK's types refuse."""
        method, kind = _METHODS[endpoint]
        types = importlib.import_module("kserve.protocol.rest.openai.types")
        request = _request(getattr(types, kind), {"model": model, **body})
        told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
        under_way = _UnderWay(listener)
        call = getattr(self._model, method)
        work = under_way.run(lambda: call(request, SimpleNamespace(headers=told), {"headers": told}))
        under_way.task = self._context.copy().run(self._loop.begin, work)
        if under_way.task is None:
            raise Overloaded("the model is stopping")
        return under_way


def _request(kind: Any, body: dict[str, Any]) -> Any:
    try:
        # The SDK's own are unions of several types, which only an adapter reads.
        if hasattr(kind, "model_validate"):
            return kind.model_validate(body)
        return importlib.import_module("pydantic").TypeAdapter(kind).validate_python(body)
    except ValueError as error:
        problems = error.errors() if hasattr(error, "errors") else []
        where = ".".join(str(part) for part in problems[0]["loc"]) if problems else ""
        words = f"{where}: {problems[0]['msg']}" if problems else str(error)
        raise Unusable(words, where.partition(".")[0]) from error


class _UnderWay:
    """As `Answering`: one call on the unit's loop."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._loop: asyncio.AbstractEventLoop | None = None
        self._has_room = asyncio.Event()
        self._has_room.set()
        self.task: Future[Any] | None = None

    def leave(self) -> None:
        if self.task is not None:
            self.task.cancel()

    def hold(self) -> None:
        self._there(self._has_room.clear)

    def go_on(self) -> None:
        self._there(self._has_room.set)

    async def run(self, call: Callable[[], Any]) -> None:
        """Call, and tell what comes of it."""
        self._loop = asyncio.get_running_loop()
        try:
            answer = call()
            answer = await answer if inspect.isawaitable(answer) else answer
            if hasattr(answer, "__aiter__"):
                await self._pour(answer)
                self._listener.ended()
            else:
                self._listener.answered(_written(answer))
        except Exception as error:
            self._listener.failed(_failure(error))

    async def _pour(self, answer: AsyncIterator[Any]) -> None:
        closing = aclosing(answer) if hasattr(answer, "aclose") else _NotClosed(answer)  # type: ignore[type-var]
        async with closing as pieces:
            async for piece in pieces:
                said = as_events(piece if isinstance(piece, str | bytes) else _written(piece))
                said = said.removesuffix(DONE)  # which follows every stream anyway
                if said:
                    self._listener.said(said)
                await self._has_room.wait()

    def _there(self, work: Callable[[], object]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work)


class _NotClosed:
    """An iterator that has nothing to close."""

    def __init__(self, of: AsyncIterator[Any]) -> None:
        self._of = of

    async def __aenter__(self) -> AsyncIterator[Any]:
        return self._of

    async def __aexit__(self, *_: object) -> None:
        """Nothing to do."""


def _written(answer: Any) -> bytes:
    """An answer as JSON. Raises `Told` when it is a refusal."""
    error = getattr(answer, "error", None)
    if error is not None and not isinstance(answer, Mapping):
        raise _told(error)
    if isinstance(answer, str | bytes):
        return answer.encode() if isinstance(answer, str) else answer
    if hasattr(answer, "model_dump_json"):
        return str(answer.model_dump_json()).encode()
    return orjson.dumps(answer)


def _told(error: Any) -> Told:
    code = str(getattr(error, "code", "") or "")
    status = int(code) if code.isdigit() and 400 <= int(code) <= 599 else 400
    return Told(str(error.message), http=status, kind=str(error.type or ""), param=str(error.param or ""))


def _failure(error: Exception) -> FairleadError:
    if type(error).__name__ == "OpenAIError" and is_kserves(type(error)):
        response = getattr(error, "response", None)
        refused = getattr(response, "error", None)
        return Told(str(response), http=500) if refused is None else _told(refused)
    return translated(error)
