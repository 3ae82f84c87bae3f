"""Request ids and trace headers through a gateway that neither logs nor traces."""

import pytest

from fairlead.backends.local.gateway.trails import _without_traces
from fairlead.protocols.frames import decode_request_head, encode_request_head
from support.gateways import bench, pool, service
from support.wire import post, wire_to

pytestmark = pytest.mark.anyio

PARENT = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"


async def test_a_clients_request_id_reaches_the_worker_and_comes_back() -> None:
    async with bench() as made, wire_to(made.port) as wire:
        worker = await made.worker("w")
        await made.serve(service("iris", {"default": pool(worker)}))

        answer = await wire.ask(post("/seldon/ns/iris/x", b"{}", "X-Request-Id: mine", f"traceparent: {PARENT}"))

    assert answer.headers["x-request-id"] == "mine"
    assert worker.requests[0].header(b"x-request-id") == b"mine"
    assert worker.requests[0].header(b"traceparent") == PARENT.encode()


async def test_a_refusal_has_the_id_too() -> None:
    async with bench() as made, wire_to(made.port) as wire:
        await made.serve(service("iris", {"default": pool(refusal="it is off")}))

        answer = await wire.ask(post("/seldon/ns/iris/x", b"{}", "X-Request-Id: mine"))

    assert (answer.status, answer.headers["x-request-id"]) == (503, "mine")


async def test_no_id_is_made_that_nobody_would_look_for() -> None:
    async with bench() as made, wire_to(made.port) as wire:
        worker = await made.worker("w")
        await made.serve(service("iris", {"default": pool(worker)}))

        answer = await wire.ask(post("/seldon/ns/iris/x", b"{}"))

    assert "x-request-id" not in answer.headers
    assert worker.requests[0].header(b"x-request-id") == b""


def test_our_trace_headers_replace_those_of_the_client() -> None:
    kept = [(b"host", b"h"), (b"x-request-id", b"mine")]
    head = encode_request_head(
        "POST", "/x", b"q=1", [(b"traceparent", b"t"), *kept, (b"b3", b"0"), (b"tracestate", b"")]
    )

    read = decode_request_head(_without_traces(head))

    assert (read.method, read.path, read.query, read.headers) == ("POST", "/x", b"q=1", kept)
