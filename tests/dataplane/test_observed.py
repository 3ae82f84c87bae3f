"""Traces and access logs of one worker: client, worker, unit, and a unit behind an address."""

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from fairlead.dataplane.access_log import AccessLog
from fairlead.dataplane.assembling import assemble
from fairlead.dataplane.observed import Observed
from fairlead.dataplane.surfaces.composing import Surfaces
from fairlead.dataplane.tracing.settings import settings_of
from fairlead.plan.model import Chain, Method
from fairlead.protocols.exchange import Request, ServerHandler
from support.loopback_server import loopback_server
from support.otlp_collector import Collector, collector
from support.serving import JSON, Fake, ask_as_server, call, unit, worker_spec

pytestmark = pytest.mark.anyio

PARENT = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
BODY = b'{"data":{"ndarray":[[1,2]]}}'


@pytest.fixture
def collected() -> Iterator[Collector]:
    with collector() as made:
        yield made


async def served(
    collected: Collector, env: dict[str, str], port: int, *requests: Request
) -> tuple[list[int], list[dict[str, Any]]]:
    """The statuses of requests to a transformer of ours in front of a model behind that port, and their log."""
    from fairlead.dataplane.tracing.tracer import Tracer

    settings = settings_of({"OTEL_EXPORTER_OTLP_ENDPOINT": collected.url} | env, service="executor")
    assert settings is not None
    tracer = Tracer(settings)
    root = Chain(steps=(call("t", Method.TRANSFORM_INPUT), call("away")))
    spec = worker_spec([unit("t"), unit("away")], root, addresses={"away": f"127.0.0.1:{port}"})
    executor, meters = assemble(spec, {"t": Fake("t")}, asyncio.get_running_loop(), tracer=tracer)
    written: list[bytes] = []
    log = AccessLog(1.0, write=written.append)
    handler: ServerHandler = Observed(Surfaces(spec, executor, meters), spec, log=log, tracer=tracer)
    statuses = [(await ask_as_server(handler, request)).status for request in requests]
    # Its last spans are sent from here, and its collector is in this process.
    await asyncio.to_thread(executor.close)
    return statuses, [json.loads(line) for line in written]


def predict(*headers: tuple[bytes, bytes]) -> Request:
    return Request("POST", "/api/v1.0/predictions", b"key=secret", [JSON, *headers], BODY)


class Peer(BaseHTTPRequestHandler):
    """Answers as it was asked and remembers the headers."""

    seen: list[dict[str, str]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def peer() -> Iterator[tuple[int, list[dict[str, str]]]]:
    seen: list[dict[str, str]] = []
    with loopback_server(type("Answering", (Peer,), {"seen": seen})) as port:
        yield port, seen


async def test_a_trace_goes_from_the_client_to_a_unit_behind_an_address(
    collected: Collector, peer: tuple[int, list[dict[str, str]]]
) -> None:
    port, seen = peer

    statuses, _ = await served(
        collected, {}, port, predict((b"traceparent", PARENT.encode()), (b"x-request-id", b"id-7"))
    )

    spans = {span.name: span for span in collected.spans}
    assert statuses == [200]
    assert set(spans) == {"predictions", "t transform-input", "/predict"}
    server, unit_, remote = spans["predictions"], spans["t transform-input"], spans["/predict"]
    assert server.parent == "00f067aa0ba902b7"
    assert unit_.parent == remote.parent == server.id
    assert {span.trace for span in collected.spans} == {"0af7651916cd43dd8448eb211c80319c"}
    assert (server.kind, unit_.kind, remote.kind) == ("SPAN_KIND_SERVER", "SPAN_KIND_INTERNAL", "SPAN_KIND_CLIENT")
    assert seen[0]["traceparent"] == f"00-{remote.trace}-{remote.id}-01"
    assert seen[0]["x-request-id"] == "id-7"
    assert server.attributes["fairlead.request_id"] == "id-7"


async def test_b3_is_carried_on_as_b3(collected: Collector, peer: tuple[int, list[dict[str, str]]]) -> None:
    port, seen = peer
    env = {"JAEGER_TRACE_PROPAGATION_TYPE": "b3"}
    asked = predict((b"x-b3-traceid", b"a" * 16), (b"x-b3-spanid", b"b" * 16), (b"x-b3-sampled", b"1"))

    await served(collected, env, port, asked)

    (remote,) = [span for span in collected.spans if span.name == "/predict"]
    assert remote.trace == "a" * 16 if len(remote.trace) == 16 else remote.trace == "0" * 16 + "a" * 16
    assert seen[0]["x-b3-spanid"] == remote.id
    assert seen[0]["x-b3-sampled"] == "1"
    assert "traceparent" not in seen[0]


async def test_a_client_that_does_not_want_a_trace_gets_none(
    collected: Collector, peer: tuple[int, list[dict[str, str]]]
) -> None:
    port, seen = peer

    await served(collected, {}, port, predict((b"traceparent", PARENT[:-2].encode() + b"00")))

    assert collected.spans == []
    assert seen[0]["traceparent"].endswith("-00")


async def test_a_share_of_the_traces_that_begin_here_is_recorded(
    collected: Collector, peer: tuple[int, list[dict[str, str]]]
) -> None:
    env = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}

    await served(collected, env, peer[0], predict(), predict((b"traceparent", PARENT.encode())))

    assert {span.trace for span in collected.spans} == {"0af7651916cd43dd8448eb211c80319c"}


async def test_a_unit_that_fails_marks_its_span_and_the_requests(collected: Collector, free_tcp_port: int) -> None:
    statuses, log = await served(collected, {}, free_tcp_port, predict((b"user-agent", b"test")))

    spans = {span.name: span for span in collected.spans}
    assert statuses == [500]
    assert (spans["/predict"].is_failure, spans["predictions"].is_failure) == (True, True)
    assert not spans["t transform-input"].is_failure
    assert (log[0]["status"], log[0]["user_agent"]) == (500, "test")


async def test_the_access_log_holds_no_query_and_no_body(
    collected: Collector, peer: tuple[int, list[dict[str, str]]]
) -> None:
    asked = predict((b"x-request-id", b"id-7"), (b"seldon-puid", b"p-1"), (b"authorization", b"Bearer secret"))
    _, (line,) = await served(collected, {}, peer[0], asked)

    assert "secret" not in json.dumps(line)
    del line["time"], line["duration_s"]
    assert line == {
        "status": 200,
        "at": "worker",
        "request_id": "id-7",
        "puid": "p-1",
        "namespace": "ns",
        "service": "dep",
        "component": "main",
        "replica": "r-0",
        "method": "POST",
        "path": "/api/v1.0/predictions",
        "bytes_in": len(BODY),
        "bytes_out": line["bytes_out"],
    }


async def test_probes_are_neither_traced_nor_logged(
    collected: Collector, peer: tuple[int, list[dict[str, str]]]
) -> None:
    _, log = await served(collected, {}, peer[0], Request("GET", "/live", b"", [], b""))

    assert (collected.spans, log) == ([], [])
