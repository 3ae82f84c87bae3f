"""Graphs of services where traces are written."""

import asyncio
from typing import Any

import pytest

from fairlead.dataplane.assembling import assemble
from fairlead.dataplane.observed import Observed
from fairlead.dataplane.surfaces.composing import Surfaces
from fairlead.dataplane.tracing.settings import settings_of
from fairlead.plan.model import Sequence
from fairlead.protocols.exchange import Request, Response, ServerHandler, ServerReply
from support.otlp_collector import collector
from support.service_graphs import hop, service, service_graph_spec
from support.serving import ask_as_server
from support.table_peer import listening, peer, read_head

pytestmark = pytest.mark.anyio

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01".encode()


def traced(url: str, collector_url: str) -> tuple[ServerHandler, Any]:
    """A graph of one step whose worker writes traces, and what to close."""
    from fairlead.dataplane.tracing.tracer import Tracer

    settings = settings_of({"OTEL_EXPORTER_OTLP_ENDPOINT": collector_url}, service="graph")
    assert settings is not None
    tracer = Tracer(settings)
    spec = service_graph_spec([service("a", url)], Sequence(name="root", hops=(hop("a"),)))
    executor, meters = assemble(spec, {}, asyncio.get_running_loop(), tracer=tracer)
    return Observed(Surfaces(spec, executor, meters), spec, log=None, tracer=tracer), executor


async def test_each_step_is_part_of_the_requests_trace() -> None:
    with collector() as collected:
        async with peer({"/p": (200, b"{}")}) as server:
            handler, executor = traced(f"http://127.0.0.1:{server.port}/p", collected.url)
            await ask_as_server(
                handler, Request("POST", "/", b"", [(b"traceparent", PARENT), (b"x-other", b"1")], b"{}")
            )
            await asyncio.to_thread(executor.close)

        headers = server.asked[0][1]
        assert headers["traceparent"].split("-")[1] == TRACE
        assert headers["traceparent"].encode() != PARENT
        assert "x-other" not in headers


class Leaving(ServerReply):
    """A reply whose client hangs up."""

    is_wanted = True

    def __init__(self) -> None:
        self.on_gone: Any = None
        self.answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def __call__(self, response: Response) -> None:
        self.answered.set_result(response)


async def test_a_client_that_hangs_up_is_heard_where_traces_are_written() -> None:
    asked, hung_up = asyncio.Event(), asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        asked.set()
        await reader.read()
        hung_up.set()

    with collector() as collected:
        async with listening(hang) as port:
            handler, executor = traced(f"http://127.0.0.1:{port}/", collected.url)
            reply = Leaving()
            handler(Request("POST", "/", b"", [], b"{}"), reply)
            await asked.wait()
            reply.on_gone()
            await asyncio.wait_for(hung_up.wait(), 5)
            assert (await reply.answered).status == 499
            await asyncio.to_thread(executor.close)
