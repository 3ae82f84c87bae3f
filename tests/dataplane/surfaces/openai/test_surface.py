"""OpenAI's endpoints around a model that a test plays: paths, refusals, streams, clients that are slow or leave."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from fairlead.errors import Overloaded
from fairlead.plan.model import Logger, LogStyle, Protocol, UnitName
from fairlead.protocols.exchange import Headers, Request, Response, ServerReply
from fairlead.protocols.openai import Endpoint
from fairlead.protocols.openai_errors import Unusable
from fairlead.runtimes.generative import Listener
from support.cloud_event_sink import cloud_event_sink
from support.serving import JSON, Fake, Served, call, header, served, unit, worker_spec

pytestmark = pytest.mark.anyio


class Under:
    """As `Answering`; it remembers what happened to it."""

    def __init__(self) -> None:
        self.happened: list[str] = []

    def leave(self) -> None:
        self.happened.append("leave")

    def hold(self) -> None:
        self.happened.append("hold")

    def go_on(self) -> None:
        self.happened.append("go on")


class Model:
    """As `Generative`; the test answers through `listener`."""

    endpoints = frozenset((Endpoint.COMPLETIONS, Endpoint.EMBEDDINGS))

    def __init__(self) -> None:
        self.asked: list[tuple[Endpoint, str, Mapping[str, Any]]] = []
        self.listener: Listener
        self.under_way = Under()
        self.refusal: Exception | None = None
        self.answer = b""

    def start(
        self, endpoint: Endpoint, model: str, body: Mapping[str, Any], headers: Headers, listener: Listener
    ) -> Under:
        self.asked.append((endpoint, model, body))
        self.listener = listener
        if self.refusal is not None:
            raise self.refusal
        if self.answer:
            listener.answered(self.answer)
        return self.under_way


class Client(ServerReply):
    """A client whose speed and presence the test decides."""

    is_wanted = True

    def __init__(self) -> None:
        self.on_gone: Any = None
        self.response: Response | None = None
        self.status = 0
        self.head = b""
        self.body = b""
        self.is_ended = False
        self.is_full = False
        self.when_free: Any = None

    def __call__(self, response: Response) -> None:
        self.response = response

    def begin(self, status: int, headers: bytes) -> "Client":
        self.status, self.head = status, headers
        return self

    def send(self, data: bytes) -> None:
        self.body += data

    def end(self, trailers: bytes = b"") -> None:
        self.is_ended = True

    def abort(self) -> None:
        raise AssertionError("nothing is cut here")


def serving(model: Model | None, protocol: Protocol = Protocol.V1, **fields: Any) -> Served:
    fake = Fake("m")
    if model is not None:
        fake.openai = model  # type: ignore[attr-defined]  # only some units have it
    return served(worker_spec([unit("m")], call("m"), protocol=protocol, **fields), m=fake)


def started(model: Model, **body: Any) -> Client:
    """A client that has asked."""
    client = Client()
    request = Request("POST", "/openai/v1/completions", b"", [JSON], json.dumps({"model": "m", **body}).encode())
    serving(model).handler(request, client)
    return client


async def settle() -> None:
    """Let what was said on other threads arrive."""
    for _ in range(3):
        await asyncio.sleep(0)


def error_of(response: Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(response.body)["error"]
    assert set(found) == {"message", "type", "param", "code"}
    assert found["code"] == str(response.status)
    return found


@pytest.mark.parametrize("path", ["/openai/v1/completions", "/v1/completions", "/openai/v1/embeddings"])
@pytest.mark.parametrize("protocol", [one for one in Protocol if one is not Protocol.RAW])
async def test_the_endpoints_are_there_whatever_else_a_worker_speaks(path: str, protocol: Protocol) -> None:
    model = Model()
    model.answer = b'{"ok":1}'

    answer = await serving(model, protocol).post(path, {"model": "m", "prompt": "a"})

    assert (answer.status, answer.body) == (200, b'{"ok":1}')
    assert [(str(endpoint), name) for endpoint, name, _ in model.asked] == [(path.rpartition("/")[2], "m")]


async def test_the_prefix_may_be_another_or_none() -> None:
    model = Model()
    model.answer = b"{}"
    ask = {"model": "m", "prompt": "a"}

    other = serving(model, env={"KSERVE_OPENAI_ROUTE_PREFIX": "llm/"})
    none = serving(model, env={"KSERVE_OPENAI_ROUTE_PREFIX": ""})

    assert (await other.post("/llm/v1/completions", ask)).status == 200
    assert (await other.post("/openai/v1/completions", ask)).status == 404
    assert (await none.post("/v1/completions", ask)).status == 200


async def test_a_list_of_models_is_v1s_where_v1_is_spoken() -> None:
    both = serving(Model(), Protocol.V1)
    one = serving(Model(), Protocol.V2)

    assert json.loads((await both.get("/v1/models")).body) == {"models": ["m"]}
    assert json.loads((await both.get("/v1/models/m")).body) == {"name": "m", "ready": True}
    assert json.loads((await both.get("/openai/v1/models")).body)["data"][0]["id"] == "m"
    assert json.loads((await one.get("/v1/models")).body)["object"] == "list"
    assert json.loads((await one.get("/v1/models/m")).body)["object"] == "model"
    assert (await one.get("/openai/v1/models/m", method="HEAD")).status == 200


async def test_a_list_of_models_is_for_both_where_there_is_no_prefix() -> None:
    server = serving(Model(), env={"KSERVE_OPENAI_ROUTE_PREFIX": ""})

    listed = json.loads((await server.get("/v1/models")).body)
    found = json.loads((await server.get("/v1/models/m")).body)

    assert (listed["models"], listed["object"], listed["data"][0]["id"]) == (["m"], "list", "m")
    assert {"id": "m", "object": "model", "name": "m", "ready": True}.items() <= found.items()
    assert (await server.post("/v1/models/m:predict", {"instances": [[1.0]]})).status == 200


async def test_the_service_is_a_name_of_its_model_too() -> None:
    model = Model()
    model.answer = b"{}"

    answer = await serving(model).post("/openai/v1/completions", {"model": "dep", "prompt": "a"})
    unnamed = await serving(model).post("/openai/v1/completions", {"prompt": "a"})

    assert (answer.status, unnamed.status) == (200, 200)
    assert [name for _, name, _ in model.asked] == ["dep", "m"]


async def test_workers_without_such_a_model_have_no_such_paths() -> None:
    assert (await serving(None).post("/openai/v1/completions", {})).status == 404
    assert json.loads((await serving(None).post("/v1/completions", {})).body) == {"detail": "Not Found"}


async def test_refusals_have_openais_shape() -> None:
    model = Model()
    server = serving(model)

    async def refused(path: str, value: Any) -> dict[str, Any]:
        return error_of(await server.post(path, value))

    unknown = await refused("/openai/v1/completions", {"model": "x"})
    assert (unknown["message"], unknown["type"]) == ("Model with name x does not exist.", "NotFoundError")
    unable = await refused("/openai/v1/rerank", {"model": "m"})
    assert (unable["message"], unable["type"]) == ("Model m does not support Rerank API", "BadRequestError")
    assert "We could not parse the JSON body" in (await refused("/openai/v1/completions", b"{"))["message"]
    assert (await refused("/openai/v1/completions", [1]))["message"] == "the body must be a JSON object"
    assert (await refused("/openai/v1/completions", {"model": 5}))["param"] == "model"
    assert (await refused("/openai/v1/nothing", {}))["message"] == "Invalid URL (POST /openai/v1/nothing)"
    wrong = await server.get("/openai/v1/completions")
    assert (wrong.status, header(wrong, "Allow")) == (405, "POST")
    model.refusal = Unusable("no", "prompt")
    assert (await refused("/openai/v1/completions", {"model": "m"}))["param"] == "prompt"


async def test_a_model_with_too_much_to_do_says_when_to_come_back() -> None:
    model = Model()
    model.refusal = Overloaded("too many", after_s=2)

    answer = await serving(model).post("/openai/v1/completions", {"model": "m"})

    assert (answer.status, header(answer, "Retry-After")) == (503, "2")
    assert error_of(answer)["type"] == "ServiceUnavailableError"


async def test_events_leave_as_they_come() -> None:
    model = Model()
    client = started(model)

    model.listener.said(b"data: 1\n\n")
    await settle()
    assert (client.status, client.body, client.is_ended) == (200, b"data: 1\n\n", False)
    assert b"Content-Type: text/event-stream" in client.head
    model.listener.said(b"data: 2\n\n")
    model.listener.ended()
    await settle()

    assert client.body == b"data: 1\n\ndata: 2\n\ndata: [DONE]\n\n"
    assert client.is_ended


async def test_a_stream_that_fails_before_it_began_is_a_plain_refusal() -> None:
    model = Model()
    client = started(model)

    model.listener.failed(Unusable("too long", "prompt"))
    await settle()

    assert client.response is not None
    assert (client.response.status, error_of(client.response)["message"]) == (400, "too long")


async def test_a_stream_that_fails_later_says_so_in_its_last_event() -> None:
    model = Model()
    client = started(model)

    model.listener.said(b"data: 1\n\n")
    model.listener.failed(RuntimeError("out of memory"))
    await settle()

    first, second = client.body.decode().strip().split("\n\n")
    assert first == "data: 1"
    assert json.loads(second.removeprefix("data: "))["error"]["message"] == "RuntimeError : out of memory"
    assert client.is_ended


async def test_a_slow_client_holds_its_text_and_a_quick_one_again_lets_it_go_on() -> None:
    model = Model()
    client = started(model)

    client.is_full = True
    model.listener.said(b"data: 1\n\n")
    await settle()
    assert model.under_way.happened == ["hold"]
    client.is_full = False
    client.when_free()

    assert model.under_way.happened == ["hold", "go on"]


async def test_a_client_that_leaves_ends_its_text() -> None:
    model = Model()
    client = started(model)
    model.listener.said(b"data: 1\n\n")
    await settle()

    client.on_gone()
    model.listener.said(b"data: 2\n\n")
    model.listener.ended()
    await settle()

    assert model.under_way.happened == ["leave"]
    assert client.body == b"data: 1\n\n"


async def test_nothing_is_begun_for_a_client_that_has_left() -> None:
    model = Model()
    client = Client()
    client.is_wanted = False

    serving(model).handler(Request("POST", "/openai/v1/completions", b"", [JSON], b'{"model":"m"}'), client)

    assert model.asked == []


async def test_requests_are_counted_with_how_they_ended() -> None:
    model = Model()
    model.answer = b"{}"
    server = serving(model)

    await server.post("/openai/v1/completions", {"model": "m"})
    await server.post("/openai/v1/completions", {"model": "x"})

    lines = server.meters.render().decode()
    assert 'service="completions"' in lines
    assert 'code="404"' in lines


@pytest.mark.parametrize("watched", ["", "m"])
async def test_payload_loggers_see_requests_and_whole_answers(watched: str) -> None:
    model = Model()
    with cloud_event_sink() as sink:
        logger = Logger(unit=UnitName(watched), mode="all", url=sink.url, style=LogStyle.KSERVE)
        server = serving(model, loggers=(logger,))
        client = Client()
        body = b'{"model":"m","stream":true}'

        server.handler(Request("POST", "/openai/v1/completions", b"", [JSON], body), client)
        model.listener.said(b"data: 1\n\n")
        model.listener.ended()
        await settle()

        events = {event.headers["ce-type"].rpartition(".")[2]: event for event in sink.wait(2)}
        assert events["request"].data == body
        assert events["response"].data == client.body == b"data: 1\n\ndata: [DONE]\n\n"
        assert events["response"].headers["content-type"] == "text/event-stream"
        assert events["response"].headers["ce-id"] == events["request"].headers["ce-id"] != ""
        server.executor.close()


async def test_payload_loggers_see_no_refusals() -> None:
    model = Model()
    model.refusal = Unusable("no")
    with cloud_event_sink() as sink:
        server = serving(model, loggers=(Logger(unit=UnitName("m"), mode="all", url=sink.url),))

        refused = await server.post("/openai/v1/completions", {"model": "m"})
        model.refusal = None
        model.answer = b"{}"
        await server.post("/openai/v1/completions", {"model": "m"})

        assert refused.status == 400
        types = [event.headers["ce-type"].rpartition(".")[2] for event in sink.wait(3)]
        assert sorted(types) == ["request", "request", "response"]
        server.executor.close()
