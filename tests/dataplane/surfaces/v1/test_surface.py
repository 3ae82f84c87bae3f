"""KServe's V1 protocol over a graph in this process: bodies, texts and headers of its model server."""

import asyncio
import gzip
import json
from typing import Any

import numpy as np
import pytest
from cloudevents.v1.conversion import to_structured
from cloudevents.v1.http import CloudEvent, from_http
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.errors import BadRequest, Overloaded, UnitFailed
from fairlead.plan.model import Node, Protocol, UnitName
from fairlead.protocols.exchange import Request, Response
from fairlead.protocols.message import Form, Message, Payload
from fairlead.protocols.tensors import Tensor, tensor
from support.serving import JSON, Fake, Served, Times, ask, call, header, served, unit, worker_spec

pytestmark = pytest.mark.anyio

PREDICT = "/v1/models/m:predict"
EVENT = [(b"ce-specversion", b"1.0"), (b"ce-id", b"7"), (b"ce-source", b"t"), (b"ce-type", b"t.t")]


def v1(fake: Fake | None = None, **fields: Any) -> Served:
    spec = worker_spec([unit("m")], call("m"), **({"protocol": Protocol.V1} | fields))
    return served(spec, m=fake or Fake("m", rows=Times()))


def error(response: Response) -> Any:
    return json.loads(response.body)["error"]


async def test_rows_are_answered_as_predictions_without_spaces() -> None:
    response = await v1().post(PREDICT, {"instances": [[1, 2], [3, 4.5]]})

    assert (response.status, response.body) == (200, b'{"predictions":[[2.0,4.0],[6.0,9.0]]}')
    assert response.headers == b"Content-Type: application/json\r\n"


async def test_inputs_are_rows_too() -> None:
    assert (await v1().post(PREDICT, {"inputs": [[1.5]]})).body == b'{"predictions":[[3.0]]}'


async def test_a_model_of_several_outputs_answers_an_object_for_each_row() -> None:
    outputs: list[Tensor] = [tensor("label", np.array(["a", "b"])), tensor("score", np.array([[0.5], [0.25]]))]
    fake = Fake("m", predict=lambda rows: Message(Payload(Form.TENSORS, outputs)))

    response = await v1(fake).post(PREDICT, {"instances": [[1], [2]]})

    assert json.loads(response.body) == {
        "predictions": [{"label": "a", "score": [0.5]}, {"label": "b", "score": [0.25]}]
    }


async def test_an_object_of_a_models_own_code_is_answered_as_it_is() -> None:
    value = {"predictions": [1], "more": {"b": None, "a": "é"}}
    fake = Fake("m", predict=lambda rows: Message(Payload(Form.JSON, value)))

    response = await v1(fake).post(PREDICT, {"instances": [[1]]})

    assert response.body == '{"predictions":[1],"more":{"b":null,"a":"é"}}'.encode()


@pytest.mark.parametrize(
    ("value", "kind"), [("text <b>", "text/plain; charset=utf-8"), (b"\x00", "application/octet-stream")]
)
async def test_text_and_bytes_of_a_models_own_code_are_bodies(value: Any, kind: str) -> None:
    form = Form.STRING if isinstance(value, str) else Form.BINARY
    fake = Fake("m", predict=lambda rows: Message(Payload(form, value)))

    response = await v1(fake).post(PREDICT, {"instances": [[1]]})

    assert response.body == (value.encode() if isinstance(value, str) else value)
    assert header(response, "Content-Type") == kind


async def test_a_model_of_its_own_keys_gets_the_whole_object_and_the_requests_headers() -> None:
    seen: list[Message] = []

    class Own(Fake):
        def invoke(self, method: Any, message: Message) -> Message:
            seen.append(message)
            return Message(Payload(Form.JSON, {"ok": True}))

    response = await v1(Own("m")).post(PREDICT, {"prompt": "x"}, (b"x-request-id", b"r1"))

    assert response.body == b'{"ok":true}'
    assert seen[0].raw == {"prompt": "x"}
    assert seen[0].asked is not None
    assert (b"x-request-id", b"r1") in seen[0].asked.headers


async def test_headers_that_a_unit_wants_are_on_the_answer_and_stay_lines_of_their_own() -> None:
    made = {"x-mine": "1\r\nx-other: 2"}
    fake = Fake("m", predict=lambda rows: Message(Payload(Form.JSON, {}), response_headers=made))

    response = await v1(fake).post(PREDICT, {"instances": []})

    assert header(response, "x-mine") == "1??x-other: 2"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"instances": [[1,2]', "Unrecognized request format: unexpected end of data: line 1 column 21 (char 20)"),
        (b"", "Unrecognized request format: Input is a zero-length, empty document: line 1 column 1 (char 0)"),
        (b'{"instances": 1}', 'Expected "instances" to be a list'),
        (b'{"inputs": {"a": 1}}', 'Expected "inputs" to be a list'),
        (b"{}", 'Expected a JSON object with the key "instances" or "inputs", a list of rows'),
        (b"[[1]]", 'Expected a JSON object with the key "instances" or "inputs", a list of rows'),
        (b'{"instances": [[1], [2, 3]]}', 'Expected "instances" to be rows of one length, of numbers or of text'),
        (b'{"instances": [{"b64": "?"}]}', '{"b64": …} holds no base64 text: Only base64 data is allowed'),
    ],
)
async def test_a_request_that_a_model_of_arrays_cannot_take_is_refused(body: bytes, words: str) -> None:
    response = await v1().post(PREDICT, body)

    assert (response.status, error(response)) == (400, words)


@pytest.mark.parametrize(
    ("failure", "status", "words"),
    [(BadRequest("too short"), 400, "too short"), (UnitFailed("broken"), 500, "broken")],
)
async def test_a_models_refusal_keeps_its_status(failure: Exception, status: int, words: str) -> None:
    def refuse(rows: Any) -> Any:
        raise failure

    response = await v1(Fake("m", predict=refuse)).post(PREDICT, {"instances": [[1]]})

    assert (response.status, error(response)) == (status, words)


async def test_an_exception_of_a_models_code_goes_by_its_type() -> None:
    def fail(rows: Any) -> Any:
        try:
            raise ValueError("shapes differ")
        except ValueError as error:
            raise UnitFailed(str(error)) from error

    response = await v1(Fake("m", predict=fail)).post(PREDICT, {"instances": [[1]]})

    assert (response.status, error(response)) == (500, "ValueError : shapes differ")


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/", 200, b'{"status":"alive"}'),
        ("/v1/models", 200, b'{"models":["m"]}'),
        ("/v1/models/m", 200, b'{"name":"m","ready":true}'),
        ("/v1/models/dep", 200, b'{"name":"dep","ready":true}'),
        ("/v1/models/nope", 404, b'{"error":"Model with name nope does not exist."}'),
        ("/v1/models/m:predict", 404, b'{"error":"Model with name m:predict does not exist."}'),
        ("/v1/models/a%2Fb", 404, b'{"detail":"Not Found"}'),
        ("/v1/other", 404, b'{"detail":"Not Found"}'),
        ("/nowhere", 404, b'{"detail":"Not Found"}'),
        ("/api/v1.0/feedback", 405, b'{"detail":"Method Not Allowed"}'),
    ],
)
async def test_what_may_be_looked_at(path: str, status: int, body: bytes) -> None:
    response = await v1().get(path)

    assert (response.status, response.body) == (status, body)


async def test_verbs_that_a_path_does_not_take_are_named_with_those_it_does() -> None:
    response = await v1().post("/v1/models/m", {})

    assert (response.status, response.body) == (405, b'{"detail":"Method Not Allowed"}')
    assert header(response, "Allow") == "GET"


async def test_a_seldon_graph_says_in_its_own_words_what_is_not_there() -> None:
    response = await v1(drawing=Node(unit=UnitName("m"), kind="model")).get("/nowhere")

    assert (response.status, json.loads(response.body)["status"]["info"]) == (404, "404 page not found")


async def test_a_model_that_is_not_ready_says_so() -> None:
    surface = v1()

    async def is_ready() -> bool:
        return False

    surface.executor.units["m"].is_ready = is_ready  # type: ignore[method-assign]  # a unit that is not ready
    response = await surface.get("/v1/models/m")

    assert (response.status, error(response)) == (503, "Model with name m is not ready.")


async def test_a_model_without_an_explainer_explains_nothing() -> None:
    response = await v1().post("/v1/models/m:explain", {"instances": [[1]]})

    assert (response.status, error(response)) == (501, "Could not find explainer_host.")


async def test_explanations_have_a_key_of_their_own() -> None:
    fake = Fake("m", explain=lambda rows: rows * 0.5)

    response = await v1(fake).post("/v1/models/m:explain", {"instances": [[1, 2]]}, (b"authorization", b"secret"))

    assert response.body == b'{"explanations":[[0.5,1.0]]}'
    assert b"secret" not in response.headers
    assert fake.asked[0][0] == "explain"


async def test_a_compressed_body_is_read() -> None:
    body = gzip.compress(b'{"instances":[[1]]}')

    response = await v1().post(PREDICT, body, (b"content-encoding", b"gzip"))

    assert response.body == b'{"predictions":[[2.0]]}'


async def test_a_body_that_inflates_past_the_limit_is_refused() -> None:
    body = gzip.compress(b" " * 100_000)

    response = await v1(max_body_bytes=1000).post(PREDICT, body, (b"content-encoding", b"gzip"))

    assert (response.status, error(response)) == (413, "the body inflates to more than 1000 bytes")


@pytest.mark.parametrize(
    "kind", [b"application/json; charset=utf-8", b"text/plain", b"application/x-www-form-urlencoded", b""]
)
async def test_json_is_read_whatever_its_media_type(kind: bytes) -> None:
    headers = [(b"content-type", kind)] if kind else []

    response = await ask(v1().handler, Request("POST", PREDICT, b"", headers, b'{"instances":[[1]]}'))

    assert response.body == b'{"predictions":[[2.0]]}'


async def test_what_is_no_json_by_its_media_type_reaches_a_models_own_code_as_bytes() -> None:
    fake = Fake("m", predict=lambda given: Message(Payload(Form.JSON, {"length": len(given)})))
    headers = [(b"content-type", b"application/avro")]

    response = await ask(v1(fake).handler, Request("POST", PREDICT, b"", headers, b"\xff\x00"))

    assert response.body == b'{"length":2}'


async def test_an_event_is_answered_as_one() -> None:
    response = await v1().post(PREDICT, {"instances": [[1.5]]}, *EVENT)

    event = from_http(
        dict(line.split(": ", 1) for line in response.headers.decode().lower().split("\r\n") if line), response.body
    )
    assert response.body == b'{"predictions": [[3.0]]}'
    assert (event["source"], event["type"]) == ("io.kserve.inference.m", "io.kserve.inference.response")
    assert event["id"] != "7"


async def test_an_event_in_one_piece_is_answered_as_one_with_the_units_words() -> None:
    headers, body = to_structured(CloudEvent({"type": "t", "source": "s"}, {"instances": [[1]]}))
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]

    surface = v1(env={"CE_SOURCE": "me"})
    response = await ask(surface.handler, Request("POST", PREDICT, b"", sent, body))

    assert header(response, "Content-Type") == "application/cloudevents+json"
    assert json.loads(response.body)["data"] == {"predictions": [[2.0]]}
    assert json.loads(response.body)["source"] == "me"


async def test_an_event_that_cannot_be_read_is_refused() -> None:
    response = await v1().post(PREDICT, b'{"instances"', *EVENT)

    assert response.status == 400
    assert error(response).startswith("Failed to decode or parse binary json cloudevent: ")


async def test_a_seldon_graph_has_the_orchestrators_headers_and_safe_json() -> None:
    drawing = Node(unit=UnitName("m"), kind="model")
    fake = Fake("m", predict=lambda rows: Message(Payload(Form.JSON, {"predictions": ["<b>"]})))

    response = await v1(fake, drawing=drawing).post(PREDICT, {"instances": [[1]]}, (b"seldon-puid", b"p"))

    assert header(response, "Seldon-Puid") == "p"
    assert header(response, "Access-Control-Allow-Methods") == "OPTIONS,POST"
    assert response.body == b'{"predictions":["\\u003cb\\u003e"]}'


async def test_the_root_path_belongs_to_the_protocol_only_where_it_is_spoken() -> None:
    assert (await v1(protocol=Protocol.SELDON).get("/")).status == 404
    assert (await v1(protocol=Protocol.SELDON, also=(Protocol.V1,)).post(PREDICT, {"instances": [[1]]})).status == 200


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.just("b64"), inner, max_size=3)
    ),
    max_leaves=12,
)
bodies = st.binary(max_size=20) | st.one_of(
    values, st.dictionaries(st.sampled_from(["instances", "inputs", "x"]), values, max_size=2)
).map(lambda value: json.dumps(value).encode())


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(bodies, st.sampled_from([[], EVENT, [(b"content-encoding", b"gzip")]]), st.sampled_from(["predict", "explain"]))
def test_whatever_is_sent_is_answered_and_is_never_our_failure(
    body: bytes, headers: list[tuple[bytes, bytes]], verb: str
) -> None:
    async def send() -> Response:
        own = lambda rows: Message(Payload(Form.JSON, {}))  # noqa: E731
        fake = Fake("m", explain=own, predict=own)
        request = Request("POST", f"/v1/models/m:{verb}", b"", [JSON, *headers], body)
        return await ask(v1(fake).handler, request)

    response = asyncio.run(send())

    assert response.status in (200, 400)


async def test_a_refusal_that_may_be_tried_again_says_when() -> None:
    def late(rows: Any) -> Any:
        raise Overloaded("too many", after_s=2.5)

    response = await v1(Fake("m", predict=late)).post(PREDICT, {"instances": [[1]]})

    assert (response.status, error(response)) == (503, "too many")
    assert header(response, "Retry-After") == "3"


async def test_a_seldon_graph_answers_an_event_with_the_orchestrators_headers_alone() -> None:
    surface = v1(drawing=Node(unit=UnitName("m"), kind="model"))

    response = await surface.post(PREDICT, {"instances": [[1]]}, *EVENT)

    assert response.headers.decode().lower().count("ce-id: ") == 1
    assert response.body == b'{"predictions":[[2.0]]}'
