"""Classes of KServe's SDK that answer OpenAI's requests, served by a worker's own handler."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fairlead.errors import NotOffered
from fairlead.plan.model import Method, Protocol
from fairlead.protocols.exchange import Request, Response, ServerReply
from fairlead.runtimes.base import Servable
from support.serving import JSON, Served, call, served, worker_spec
from support.units import unit
from support.user_files import forgotten, load, v1, write

pytestmark = pytest.mark.anyio

SOURCE = """
import asyncio
from kserve.protocol.rest.openai import OpenAIChatAdapterModel, OpenAIEncoderModel, ChatPrompt, CompletionRequest
from kserve.protocol.rest.openai.errors import OpenAIError, create_error_response
from kserve.protocol.rest.openai.types import Completion, CompletionChoice, Embedding, EmbeddingResponseData, UsageInfo

left = []


class Echo(OpenAIChatAdapterModel):
    def load(self):
        self.ready = True
        return True

    def apply_chat_template(self, request):
        return ChatPrompt(prompt=" ".join(one["content"] for one in request.messages))

    async def create_completion(self, request: CompletionRequest, raw_request=None, context=None):
        if request.prompt == "refuse":
            return create_error_response("not this", err_type="Refusal", status_code=422, param="prompt")
        if request.prompt == "raise":
            raise OpenAIError(create_error_response("never this"))
        if request.prompt == "break":
            raise ValueError("broken")
        if request.stream:
            return self.words(request)
        text = f"{request.prompt} {raw_request.headers.get('x-who', 'nobody')} {request.zebra or ''}".strip()
        return Completion(
            model=request.model, choices=[CompletionChoice(text=text, finish_reason="stop")],
            usage=UsageInfo(prompt_tokens=1, completion_tokens=2, total_tokens=3),
        )

    async def words(self, request):
        try:
            for word in request.prompt.split():
                chunk = Completion(id="c", created=1, model=request.model, choices=[CompletionChoice(text=word)])
                yield f"data: {chunk.model_dump_json(exclude_none=True)}\\n\\n"
            while request.prompt.startswith("endless"):
                yield "data: {}\\n\\n"
                await asyncio.sleep(0)
            yield "data: [DONE]\\n\\n"
        finally:
            left.append(request.prompt)


class Embedder(OpenAIEncoderModel):
    async def create_embedding(self, request, raw_request=None, context=None):
        return Embedding(model=request.model, data=[EmbeddingResponseData(embedding=[1.0, 2.0])])
"""


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    with forgotten():
        yield


def loaded(folder: Path, target: str = "Echo") -> Servable:
    return load(unit(code=write(folder, "user_openai", SOURCE, target), name="m"), protocol=Protocol.V1)


@pytest.fixture
async def echo(tmp_path: Path) -> Served:
    return serving(loaded(tmp_path))


def serving(model: Servable) -> Served:
    return served(worker_spec([unit(name="m")], call("m"), protocol=Protocol.V1), m=model)


async def completed(server: Served, **body: Any) -> Response:
    return await server.post("/openai/v1/completions", {"model": "m", "zebra": None, **body})


async def test_a_class_answers_with_what_it_makes(echo: Served) -> None:
    asked = {"model": "m", "prompt": "hello", "zebra": "z"}

    answer = await echo.post("/openai/v1/completions", asked, (b"x-who", b"me"))

    document = json.loads(answer.body)
    assert (answer.status, document["choices"][0]["text"]) == (200, "hello me z")
    assert document["usage"]["total_tokens"] == 3


async def test_a_stream_leaves_as_it_is_said_with_one_end(echo: Served) -> None:
    answer = await completed(echo, prompt="a b", stream=True)

    *events, last, rest = answer.body.decode().split("\n\n")
    texts = [json.loads(event.removeprefix("data: "))["choices"][0]["text"] for event in events]
    assert (texts, last, rest) == (["a", "b"], "data: [DONE]", "")


async def test_a_conversation_becomes_a_prompt_and_its_answer_a_message(echo: Served) -> None:
    asked = {"model": "m", "messages": [{"role": "user", "content": "hi there"}], "zebra": None}

    whole = json.loads((await echo.post("/openai/v1/chat/completions", asked)).body)
    streamed = (await echo.post("/openai/v1/chat/completions", {**asked, "stream": True})).body.decode()

    assert whole["choices"][0]["message"]["content"] == "hi there nobody"
    chunks = [json.loads(event.removeprefix("data: ")) for event in streamed.split("\n\n")[:-2]]
    assert [chunk["object"] for chunk in chunks] == ["chat.completion.chunk"] * 2
    assert [chunk["choices"][0]["delta"]["content"] for chunk in chunks] == ["hi", "there"]


@pytest.mark.parametrize(
    ("prompt", "status", "error"),
    [
        ("refuse", 422, {"message": "not this", "type": "Refusal", "param": "prompt", "code": "422"}),
        ("raise", 400, {"message": "never this", "type": "BadRequestError", "param": "", "code": "400"}),
        ("break", 500, {"message": "ValueError : broken", "type": "InternalServerError", "param": "", "code": "500"}),
    ],
)
async def test_refusals_keep_their_words_and_status(
    echo: Served, prompt: str, status: int, error: dict[str, str]
) -> None:
    answer = await completed(echo, prompt=prompt)

    assert (answer.status, json.loads(answer.body)["error"]) == (status, error)


async def test_requests_that_the_types_refuse_are_the_clients_mistake(echo: Served) -> None:
    answer = await completed(echo, prompt="a", max_tokens="many")

    error = json.loads(answer.body)["error"]
    assert (answer.status, error["param"]) == (400, "max_tokens")
    assert error["message"].startswith("max_tokens: Input should be a valid integer")


async def test_a_class_has_the_endpoints_that_it_has_methods_for(tmp_path: Path) -> None:
    server = serving(loaded(tmp_path, "Embedder"))

    embedded = await server.post("/openai/v1/embeddings", {"model": "m", "input": "a"})
    ranked = await server.post("/openai/v1/rerank", {"model": "m", "query": "a", "documents": ["b"]})

    assert json.loads(embedded.body)["data"][0]["embedding"] == [1.0, 2.0]
    assert json.loads(ranked.body)["error"]["message"] == "Model m does not support Rerank API"


async def test_a_class_without_hooks_refuses_predictions(tmp_path: Path) -> None:
    model = loaded(tmp_path)

    with pytest.raises(NotOffered, match="this model answers OpenAI's requests alone"):
        model.invoke(Method.PREDICT, v1({"instances": [[1]]}))


class Leaving(ServerReply):
    """It hangs up after the first piece."""

    is_wanted = True

    def __init__(self) -> None:
        self.on_gone: Any = None
        self.is_full = False
        self.when_free: Any = None
        self.has_some = asyncio.Event()

    def __call__(self, response: Response) -> None:
        raise AssertionError("a stream was asked for")

    def begin(self, status: int, headers: bytes) -> Any:
        return self

    def send(self, data: bytes) -> None:
        self.has_some.set()


async def test_a_client_that_leaves_ends_the_generator(echo: Served) -> None:
    left: list[str] = sys.modules["user_openai"].left
    client = Leaving()
    body = json.dumps({"model": "m", "prompt": "endless", "stream": True}).encode()
    echo.handler(Request("POST", "/v1/completions", b"", [JSON], body), client)
    await asyncio.wait_for(client.has_some.wait(), 30)

    client.on_gone()

    async with asyncio.timeout(30):
        while not left:
            await asyncio.sleep(0.001)
    assert left == ["endless"]
