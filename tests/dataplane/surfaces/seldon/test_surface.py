"""Routes, headers and failures of graphs and of bare units."""

import asyncio
import gzip
import json
import re
import threading
from typing import Any

import pytest

from fairlead.dataplane.graph.parcel import Refused, Stopped
from fairlead.dataplane.surfaces.seldon.surface import refusal
from fairlead.plan.model import Chain, Method
from fairlead.protocols.exchange import Request
from fairlead.protocols.message import Form, Message, Payload
from fairlead.protocols.seldon_json import SELDON_JSON
from fairlead.protocols.wire import Body
from support.serving import JSON, Fake, Times, ask, call, header, served, unit, worker_spec

pytestmark = pytest.mark.anyio

ROW = {"data": {"ndarray": [[1.0, 2.0]]}}


def one(**fields: Any) -> Any:
    spec = worker_spec([unit("m")], call("m"), **fields)
    return served(spec, m=Fake("m", rows=Times(), info={"name": "m", "inputs": [{"shape": [-1, 2]}]}))


def two() -> Any:
    spec = worker_spec([unit("a"), unit("b")], Chain(steps=(call("a"), call("b"))))
    return served(spec, a=Fake("a"), b=Fake("b"))


@pytest.mark.parametrize("path", ["/api/v1.0/predictions", "/api/v0.1/predictions"])
async def test_a_prediction_has_the_orchestrators_headers(path: str) -> None:
    response = await one().post(path, ROW)

    assert response.status == 200
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", header(response, "Seldon-Puid")
    )
    assert header(response, "Content-Type") == "application/json"
    assert header(response, "X-Content-Type-Options") == "nosniff"
    assert header(response, "Access-Control-Allow-Origin") == "*"
    assert header(response, "Access-Control-Allow-Methods") == "OPTIONS,POST"
    assert header(response, "Access-Control-Allow-Headers") == (
        "Accept, Accept-Encoding, Authorization, Content-Length, Content-Type, X-CSRF-Token"
    )


async def test_the_environment_sets_cors() -> None:
    surface = one(env={"CORS_ALLOWED_ORIGINS": "https://a.example", "CORS_ALLOWED_HEADERS": "X-A"})

    response = await surface.post("/api/v1.0/predictions", ROW)

    assert header(response, "Access-Control-Allow-Origin") == "https://a.example"
    assert header(response, "Access-Control-Allow-Headers") == "X-A"


async def test_a_cloud_event_gets_one_back() -> None:
    response = await one().post("/api/v1.0/predictions", ROW, (b"ce-specversion", b"1.0"), (b"seldon-puid", b"p-1"))

    told = {name: header(response, name) for name in ("Ce-Id", "Ce-Specversion", "Ce-Path", "Ce-Type", "Ce-Source")}
    assert told == {
        "Ce-Id": "p-1",
        "Ce-Specversion": "0.3",
        "Ce-Path": "/api/v1.0/predictions",
        "Ce-Type": "seldon.dep.ns.response",
        "Ce-Source": "seldon.dep",
    }


async def test_routing_is_returned_unless_it_is_declined() -> None:
    with_routing = json.loads((await one().post("/api/v1.0/predictions", ROW)).body)
    without = json.loads((await one(include_routing=False).post("/api/v1.0/predictions", ROW)).body)
    declined = one(include_routing=False, env={"SELDON_ENABLE_ROUTING_INJECTION": "false"})

    assert with_routing["meta"]["routing"] == {"m": -1}
    assert "routing" not in without["meta"]
    assert "routing" not in json.loads((await declined.post("/api/v1.0/predictions", ROW)).body)["meta"]


async def test_answers_of_a_graph_are_safe_in_a_page_and_those_of_a_bare_unit_are_not_touched() -> None:
    value = {"strData": "<a>&"}

    graph = await one().post("/api/v1.0/predictions", value)
    bare = await one(single_unit=True).post("/predict", value)

    assert b'"strData":"\\u003ca\\u003e\\u0026"' in graph.body
    assert b'"strData":"<a>&"' in bare.body


async def test_a_preflight_is_200_and_empty() -> None:
    response = await one().get("/api/v1.0/predictions", method="OPTIONS")

    assert (response.status, response.body) == (200, b"")
    assert header(response, "Access-Control-Allow-Methods") == "OPTIONS,POST"


@pytest.mark.parametrize(("path", "method", "status"), [("/nope", "GET", 404), ("/api/v1.0/predictions", "GET", 405)])
async def test_unknown_routes_are_errors_in_json(path: str, method: str, status: int) -> None:
    response = await two().get(path, method=method)

    assert response.status == status
    assert header(response, "Content-Type") == "application/json"
    assert json.loads(response.body)["status"]["status"] == "FAILURE"


@pytest.mark.parametrize("path", ["/ready", "/live", "/api/v1.0/status", "/api/v1.0/health/status"])
async def test_health_of_a_graph_is_200_and_empty(path: str) -> None:
    response = await two().get(path)

    assert (response.status, response.body) == (200, b"")


@pytest.mark.parametrize("path", ["/ready", "/live", "/prometheus"])
async def test_probes_take_any_verb(path: str) -> None:
    assert (await two().get(path, method="POST")).status == 200


async def test_a_single_unit_graph_has_its_units_routes_too() -> None:
    surface = one()

    predicted = json.loads((await surface.post("/predict", ROW)).body)

    assert predicted["data"]["ndarray"] == [[2.0, 4.0]]
    assert "routing" not in predicted["meta"]
    assert (await surface.get("/health/ping")).body == b"pong"
    assert (await two().post("/predict", ROW)).status == 404


async def test_units_of_a_graph_tell_their_status_and_metadata() -> None:
    surface = one()

    assert json.loads((await surface.get("/api/v1.0/status/m")).body)["strData"] == "healthy"
    assert json.loads((await surface.get("/api/v0.1/metadata/m")).body)["name"] == "m"


@pytest.mark.parametrize("kind", ["status", "metadata"])
async def test_a_model_that_is_not_there_is_named(kind: str) -> None:
    response = await one().get(f"/api/v1.0/{kind}/other")

    assert response.status == 500
    assert json.loads(response.body) == {
        "status": {"code": 500, "info": "Failed to find model other", "status": "FAILURE"}
    }


async def test_a_failure_names_its_unit_in_a_header_and_keeps_the_wrappers_body() -> None:
    response = await one().post("/api/v1.0/predictions", {"foo": 1})

    assert response.status == 400
    assert header(response, "Fairlead-Unit") == "m"
    assert header(response, "Content-Type") == "application/json"
    assert json.loads(response.body)["status"] == {
        "code": -1,
        "info": "Invalid request data type: {'foo': 1}",
        "reason": "MICROSERVICE_BAD_DATA",
        "status": 1,
    }


async def test_a_status_that_a_unit_asks_for_ends_the_walk() -> None:
    raw = {"status": {"code": 409}, "strData": "no"}

    def refuse(_: Any) -> Message:
        return Message(Payload(Form.STRING, "no"), raw=raw, http_status=409)

    spec = worker_spec([unit("a"), unit("b")], Chain(steps=(call("a"), call("b"))))
    second = Fake("b")
    response = await served(spec, a=Fake("a", predict=refuse), b=second).post("/api/v1.0/predictions", ROW)

    assert (response.status, json.loads(response.body)) == (409, raw)
    assert second.asked == []


async def test_an_answer_that_cannot_be_written_is_500() -> None:
    def unwritable(_: Any) -> Message:
        return Message(Payload(Form.JSON, {"a": object()}))

    spec = worker_spec([unit("m")], call("m"))
    for path in ("/api/v1.0/predictions", "/predict"):
        response = await served(spec, m=Fake("m", predict=unwritable)).post(path, ROW)
        assert response.status == 500
        assert "not JSON serializable" in json.loads(response.body)["status"]["info"]


async def test_running_out_of_memory_is_an_answer() -> None:
    def hungry(_: Any) -> None:
        raise MemoryError

    response = await served(worker_spec([unit("m")], call("m")), m=Fake("m", predict=hungry)).post(
        "/api/v1.0/predictions", ROW
    )

    assert response.status == 500
    assert json.loads(response.body)["status"]["info"] == "MemoryError"


async def test_compressed_requests_are_read() -> None:
    response = await one().post(
        "/api/v1.0/predictions", gzip.compress(json.dumps(ROW).encode()), (b"content-encoding", b"gzip")
    )

    assert json.loads(response.body)["data"]["ndarray"] == [[2.0, 4.0]]


async def test_aggregating_and_routing_work_on_a_bare_unit() -> None:
    spec = worker_spec([unit("m")], call("m"), single_unit=True)
    surface = served(spec, m=Fake("m", aggregate=sum, route=lambda _: [[1]]))

    aggregated = json.loads((await surface.post("/aggregate", {"seldonMessages": [ROW, ROW]})).body)
    routed = json.loads((await surface.post("/route", ROW)).body)

    assert aggregated["data"]["ndarray"] == [[2.0, 4.0]]
    assert routed["data"]["ndarray"] == [[1]]


async def test_aggregating_nothing_is_the_units_own_affair() -> None:
    nothing = Message(Payload(Form.STRING, "nothing"))
    spec = worker_spec([unit("m")], call("m"), single_unit=True)

    class Empty(Fake):
        def aggregate(self, messages: list[Message]) -> Message:
            assert messages == []
            return nothing

    response = await served(spec, m=Empty("m")).post("/aggregate", [])

    assert (response.status, json.loads(response.body)["strData"]) == (200, "nothing")


async def test_a_bare_unit_has_no_orchestrator() -> None:
    surface = one(single_unit=True)

    response = await surface.post("/api/v1.0/predictions", ROW)

    assert header(response, "Seldon-Puid") == ""
    assert (await surface.get("/api/v1.0/doc/")).status == 404
    assert (await surface.get("/ready")).status == 200


async def test_head_requests_are_answered_as_gets() -> None:
    assert (await one(single_unit=True).get("/health/ping", method="HEAD")).status == 200


async def test_a_bare_router_passes_its_own_errors_on() -> None:
    def refuse(_: Any) -> None:
        answer = Body(b'{"a":1}', b"text/x", b"x")
        raise Stopped("m", Refused(418, "no"), answer=answer, wire=SELDON_JSON)

    spec = worker_spec([unit("m")], call("m", Method.PREDICT), single_unit=True)
    response = await served(spec, m=Fake("m", transform_input=refuse)).post("/transform-input", ROW)

    assert (response.status, response.body) == (418, b'{"a":1}')


async def test_requests_without_a_path_of_ours_never_raise() -> None:
    surface = one()
    for path in ("", "/", "//", "/api/v1.0/status/", "/api/v1.0/doc/../x", "/é"):
        response = await ask(surface.handler, Request("GET", path, b"", [JSON], b""))
        assert response.status in (404, 500)


def test_what_the_server_refuses_is_worded_as_the_protocol_does() -> None:
    assert json.loads(refusal(413, "too large").body) == {
        "status": {"code": 413, "info": "too large", "status": "FAILURE"}
    }


async def test_a_unit_that_hangs_is_a_504_and_does_not_work_for_those_who_left() -> None:
    release = threading.Event()
    asked: list[float] = []

    def slow(value: Any) -> Any:
        asked.append(float(value[0][0]))
        release.wait(20)
        return value

    spec = worker_spec([unit("m")], call("m"), timeout_s=0.05)
    surface = served(spec, m=Fake("m", predict=slow))

    answers = await asyncio.gather(
        *(surface.post("/api/v1.0/predictions", {"data": {"ndarray": [[number]]}}) for number in (1.0, 2.0, 3.0))
    )

    assert [answer.status for answer in answers] == [504] * 3
    assert header(answers[0], "Fairlead-Unit") == "m"
    assert "unit 'm' did not answer within 0.05 s" in json.loads(answers[0].body)["status"]["info"]
    release.set()
    assert (await surface.get("/ready")).status == 200
    surface.executor.close()
    assert asked == [1.0]


async def test_only_what_code_did_wrong_is_logged_with_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """A unit that is too slow under load fails many requests a second; none of them needs ten lines."""
    release = threading.Event()

    def slow(value: Any) -> Any:
        if value[0][0] < 0:
            raise ValueError("no square root")
        release.wait(20)
        return value

    surface = served(worker_spec([unit("m")], call("m"), timeout_s=0.05), m=Fake("m", predict=slow))

    wrong = await surface.post("/api/v1.0/predictions", {"data": {"ndarray": [[-1.0]]}})
    late = await surface.post("/api/v1.0/predictions", {"data": {"ndarray": [[1.0]]}})
    release.set()
    surface.executor.close()

    assert (wrong.status, late.status) == (500, 504)
    first, second = (record for record in caplog.records if record.getMessage().startswith("unit m failed"))
    assert first.exc_info is not None
    assert (second.levelname, second.exc_info) == ("WARNING", None)
