"""Clients that hang up or cancel: what was not begun for them is not begun, and peers are called back."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairlead.dataplane.spec import Placement
from fairlead.plan.model import Batching, Branch, Chain, Method, UnitName
from support.grpc_servers import grpc_server
from support.leaving_clients import WAYS, asking, until
from support.serving import Fake, Served, call, served, unit, worker_spec
from support.table_peer import listening, read_head

pytestmark = pytest.mark.anyio


class Gate:
    """Work that takes until it is let go on. `seen` are the numbers it was asked for."""

    def __init__(self) -> None:
        self.seen: list[list[float]] = []
        self._may_go = threading.Event()

    def predict(self, rows: Any) -> Any:
        self.seen.append(np.asarray(rows).ravel().tolist())
        assert self._may_go.wait(10)
        return rows

    def open(self) -> None:
        self._may_go.set()


@pytest.mark.parametrize("way", WAYS)
async def test_a_queued_call_whose_client_left_is_not_made(way: str, tmp_path: Path) -> None:
    gate = Gate()
    surface = served(worker_spec([unit("m")], call("m")), m=Fake("m", predict=gate.predict))
    async with asking(way, surface.handler, tmp_path) as clients:
        await clients.ask(1)
        await until(lambda: bool(gate.seen))
        await clients.ask(2)
        await clients.ask(3)
        await clients.leave(1)
        gate.open()
        await clients.all_answered()

    assert gate.seen == [[1], [3]]


@pytest.mark.parametrize("way", WAYS)
async def test_waiting_rows_whose_client_left_are_not_in_the_next_call(way: str, tmp_path: Path) -> None:
    gate = Gate()
    rows = _Rows(gate)
    surface = served(worker_spec([unit("m")], call("m")), m=Fake("m", rows=rows))
    async with asking(way, surface.handler, tmp_path) as clients:
        await clients.ask(1)
        await until(lambda: bool(gate.seen))
        await clients.ask(2)
        await clients.ask(3)
        await clients.leave(1)
        gate.open()
        await clients.all_answered()

    assert gate.seen == [[1], [3]]


@pytest.mark.parametrize("way", WAYS)
async def test_the_next_step_of_a_graph_is_not_begun_for_a_client_that_left(way: str, tmp_path: Path) -> None:
    gate, after = Gate(), Gate()
    after.open()
    root = Chain(steps=(call("first", Method.TRANSFORM_INPUT), call("then")))
    surface = served(
        worker_spec([unit("first"), unit("then")], root),
        first=Fake("first", transform_input=gate.predict),
        then=Fake("then", predict=after.predict),
    )
    async with asking(way, surface.handler, tmp_path) as clients:
        await clients.ask(1)
        await until(lambda: bool(gate.seen))
        await clients.leave(0)
        await clients.ask(2)
        gate.open()
        await clients.all_answered()

    assert (gate.seen, after.seen) == ([[1], [2]], [[2]])


@pytest.mark.parametrize("way", WAYS)
async def test_a_request_that_left_is_not_in_its_batch(way: str, tmp_path: Path) -> None:
    gate = Gate()
    gate.open()
    policy = Batching(max_rows=2, max_latency_s=60)
    surface = served(worker_spec([unit("m")], call("m"), batching=policy), m=Fake("m", predict=gate.predict))
    async with asking(way, surface.handler, tmp_path) as clients:
        await clients.ask(1)
        await clients.leave(0)
        await clients.ask(2)
        await clients.ask(3)
        await clients.all_answered()

    assert gate.seen == [[2, 3]]


@pytest.mark.parametrize("way", WAYS)
async def test_a_slow_peer_is_hung_up_on_when_the_client_leaves(way: str, tmp_path: Path) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        asked.set()
        while await _read(reader):
            pass
        gone.set()

    async with listening(talk) as port, asking(way, _remote(port).handler, tmp_path) as clients:
        await clients.ask(1)
        await asyncio.wait_for(asked.wait(), 10)
        await clients.leave(0)
        await asyncio.wait_for(gone.wait(), 10)


async def test_a_call_to_a_grpc_peer_is_cancelled_when_the_client_leaves(tmp_path: Path) -> None:
    asked, gone = threading.Event(), threading.Event()

    def predict(message: bytes, context: Any) -> bytes:
        context.add_callback(gone.set)
        asked.set()
        gone.wait(10)
        return message

    with grpc_server({"/seldon.protos.Model/Predict": predict}) as server:
        surface = _remote(0, grpc_port=server.port)
        async with asking("http2", surface.handler, tmp_path) as clients:
            await clients.ask(1)
            assert await asyncio.to_thread(asked.wait, 10)
            await clients.leave(0)
            assert await asyncio.to_thread(gone.wait, 10)
        surface.executor.close()


async def test_all_branches_under_way_are_given_up(tmp_path: Path) -> None:
    closed: list[int] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        asked.append(1)
        while await _read(reader):
            pass
        closed.append(1)

    asked: list[int] = []
    async with listening(talk) as port:
        root = Branch(name=UnitName("all"), choices=(call("a"), call("b")), combine=UnitName("c"))
        addresses = {"a": f"127.0.0.1:{port}", "b": f"127.0.0.1:{port}"}
        spec = worker_spec([unit("a"), unit("b"), unit("c")], root, addresses=addresses)
        surface = served(spec, c=Fake("c", aggregate=lambda values: values[0]))
        async with asking("http1", surface.handler, tmp_path) as clients:
            await clients.ask(1)
            await until(lambda: len(asked) == 2)
            await clients.leave(0)
            await until(lambda: len(closed) == 2)


async def test_a_batch_under_way_is_given_up_when_all_its_clients_left(tmp_path: Path) -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        asked.set()
        while await _read(reader):
            pass
        closed.set()

    async with listening(talk) as port:
        surface = _remote(port, batching=Batching(max_rows=2, max_latency_s=60))
        async with asking("http1", surface.handler, tmp_path) as clients:
            await clients.ask(1)
            await clients.ask(2)
            await asyncio.wait_for(asked.wait(), 10)
            await clients.leave(0)
            assert not closed.is_set()
            await clients.leave(1)
            await asyncio.wait_for(closed.wait(), 10)


class _Rows:
    class_names: list[str] | None = None
    output_name = "output-0"

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def predict(self, rows: Any) -> Any:
        return self._gate.predict(rows)


def _remote(port: int, *, grpc_port: int = 0, **fields: Any) -> Served:
    address = f"127.0.0.1:{grpc_port or port}"
    placement = Placement(unit="m", address=address, grpc_address=address if grpc_port else "")
    return served(worker_spec([unit("m")], call("m"), **fields, placements=[placement]))


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65536)
    except ConnectionError:
        return b""
