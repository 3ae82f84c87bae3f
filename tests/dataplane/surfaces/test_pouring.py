"""Generators of models as bodies in pieces: over V1 and V2, direct and through the gateway."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fairlead.dataplane.net.server import HttpServer, Limits
from fairlead.dataplane.spec import TcpSocket
from fairlead.plan.model import Chain, Logger, Method, Protocol, UnitName
from support.gateways import bench, pool, service, until
from support.serving import Fake, Served, call, served, unit, worker_spec
from support.units import unit as user_unit
from support.user_files import forgotten, load, write
from support.wire import Wire, post, wire_to

pytestmark = pytest.mark.anyio

HEAD = """
import threading
made, ended, may_go = [], threading.Event(), threading.Event()
"""
KSERVE = f"""
import asyncio
from kserve import Model
{HEAD}
class Mine(Model):
    def __init__(self, name):
        super().__init__(name)
        self.ready = True

    async def predict(self, payload, headers=None, response_headers=None):
        return self.pieces()

    async def pieces(self):
"""
PLAIN = f"{HEAD}\ndef predict(x):\n"
FOREVER = """
try:
    while True:
        made.append(1)
        yield "x" * 65536
        AWAIT
finally:
    ended.set()
"""
WAITING = """
yield b"data: 1\\n\\n"
try:
    WAIT
    yield b"data: 2\\n\\n"
finally:
    ended.set()
"""
ROWS: dict[Protocol, Any] = {Protocol.V1: {"instances": [[1.0, 2.0]]}}
ROWS[Protocol.V2] = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [1.0, 2.0]}]}
PATHS = {Protocol.V1: "/v1/models/m:predict", Protocol.V2: "/v2/models/m/infer"}
KINDS = ("kserve", "plain")


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    with forgotten():
        yield


def surface(folder: Path, kind: str, body: str, protocol: Protocol = Protocol.V1, **fields: Any) -> Served:
    """A worker with a model whose predict is this generator. `AWAIT` and `WAIT` in it are a pause, and waiting for
    `may_go`, in the manner of its kind."""
    is_async = kind == "kserve"
    body = body.replace("AWAIT", "await asyncio.sleep(0)" if is_async else "pass")
    body = body.replace("WAIT", "await asyncio.to_thread(may_go.wait, 10)" if is_async else "may_go.wait(10)")
    lines = body.strip().splitlines()
    if is_async:
        code = write(folder, "Mine", KSERVE + "".join(f"        {line}\n" for line in lines))
    else:
        code = write(folder, "Mine", PLAIN + "".join(f"    {line}\n" for line in lines), "predict")
    model = load(user_unit(name="m", code=code), protocol=protocol)
    return served(worker_spec([unit("m")], call("m"), protocol=protocol, **fields), m=model)


def state() -> Any:
    """The model's module."""
    return sys.modules["Mine"]


@asynccontextmanager
async def asked(over: Served, protocol: Protocol = Protocol.V1) -> AsyncIterator[Wire]:
    """A connection on which the model was asked."""
    server = HttpServer(over.handler, limits=Limits(half_closed_timeout_s=0.02))
    port = await server.listen(TcpSocket("127.0.0.1", 0))
    try:
        async with wire_to(port) as wire:
            await wire.send(question(PATHS[protocol], protocol))
            yield wire
    finally:
        state().may_go.set()
        await server.drain(0)
        over.executor.close()


def question(path: str, protocol: Protocol = Protocol.V1) -> bytes:
    return post(path, json.dumps(ROWS[protocol]).encode(), "Content-Type: application/json")


async def chunks(wire: Wire) -> list[bytes]:
    """The chunks of a body up to its end."""
    found = []
    while size := int((await wire.reader.readline()).strip(), 16):
        found.append((await wire.reader.readexactly(size + 2))[:-2])
    return found


async def head(wire: Wire) -> str:
    return (await wire.reader.readuntil(b"\r\n\r\n")).decode().lower()


@pytest.mark.parametrize("protocol", [Protocol.V1, Protocol.V2])
@pytest.mark.parametrize("kind", KINDS)
async def test_each_piece_leaves_before_the_next_is_made(kind: str, protocol: Protocol, tmp_path: Path) -> None:
    async with asked(surface(tmp_path, kind, WAITING, protocol), protocol) as wire:
        lines = await head(wire)
        assert lines.startswith("http/1.1 200")
        assert "content-type: text/event-stream\r\n" in lines
        assert "transfer-encoding: chunked\r\n" in lines
        assert await wire.reader.readexactly(14) == b"9\r\ndata: 1\n\n\r\n"
        assert not state().ended.is_set()
        state().may_go.set()
        assert await chunks(wire) == [b"data: 2\n\n"]


@pytest.mark.parametrize("kind", KINDS)
async def test_text_and_bytes_without_a_type_are_octets(kind: str, tmp_path: Path) -> None:
    async with asked(surface(tmp_path, kind, "yield 'a'\nyield b''\nyield b'b'\nyield 3")) as wire:
        assert "content-type: application/octet-stream\r\n" in await head(wire)
        assert await chunks(wire) == [b"a", b"b", b"3"]


async def test_a_model_may_name_the_type_itself(tmp_path: Path) -> None:
    naming = "response_headers.update({'Content-Type': 'application/x-ndjson', 'X-Mine': '1'})"
    source = KSERVE.replace("__init__(name)", "__init__(name, return_response_headers=True)")
    source = source.replace("        return self.pieces()", f"        {naming}\n        return self.pieces()")
    model = load(
        user_unit(name="m", code=write(tmp_path, "Mine", f"{source}        yield '{{}}'\n")), protocol=Protocol.V1
    )
    over = served(worker_spec([unit("m")], call("m"), protocol=Protocol.V1), m=model)
    async with asked(over) as wire:
        lines = await head(wire)
        assert lines.count("content-type") == 1
        assert "content-type: application/x-ndjson\r\n" in lines
        assert "x-mine: 1\r\n" in lines


@pytest.mark.parametrize("kind", KINDS)
async def test_a_failure_before_the_first_piece_is_an_ordinary_one(kind: str, tmp_path: Path) -> None:
    async with asked(surface(tmp_path, kind, "raise ValueError('no')\nyield 1")) as wire:
        answer = await wire.receive()

    assert (answer.status, json.loads(answer.body)) == (500, {"error": "ValueError : no"})


@pytest.mark.parametrize("kind", KINDS)
async def test_a_failure_later_cuts_the_answer(kind: str, tmp_path: Path) -> None:
    async with asked(surface(tmp_path, kind, "yield b'1'\nraise ValueError('no')")) as wire:
        assert (await head(wire)).startswith("http/1.1 200")
        assert await wire.rest() == b"1\r\n1\r\n"  # and no last chunk


@pytest.mark.parametrize("kind", KINDS)
async def test_a_generator_ends_when_its_client_leaves(kind: str, tmp_path: Path) -> None:
    over = surface(tmp_path, kind, WAITING)
    async with asked(over) as wire:
        await wire.reader.readuntil(b"data: 1\n\n")
        wire.writer.transport.abort()
        if kind == "plain":  # which nothing can interrupt
            state().may_go.set()
        assert await asyncio.to_thread(state().ended.wait, 10)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_slow_client_behind_the_gateway_holds_the_generator_back_and_ends_it(kind: str, tmp_path: Path) -> None:
    over = surface(tmp_path, kind, FOREVER)
    async with bench() as made:
        worker = await made.worker("w", over.handler)
        await made.serve(service("m", {"main": pool(worker)}))
        async with wire_to(made.port) as wire:
            await wire.send(question("/seldon/ns/m/v1/models/m:predict"))
            await head(wire)
            await until(_is_still(lambda: len(state().made)))
            assert len(state().made) < 500
            before = len(state().made)
            await wire.reader.readexactly(8 << 20)
            await until(lambda: len(state().made) > before)
            wire.writer.transport.abort()
        assert await asyncio.to_thread(state().ended.wait, 10)
    over.executor.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stream_that_others_see_is_joined(kind: str, tmp_path: Path) -> None:
    sink = f"file://{tmp_path}/log"
    over = surface(tmp_path, kind, "yield 'a'\nyield 'b'", loggers=(Logger(unit=UnitName("m"), url=sink, mode="all"),))
    async with asked(over) as wire:
        answer = await wire.receive()

    assert (answer.status, answer.body) == (200, b"ab")


async def test_a_graph_joins_what_a_unit_in_it_streams(tmp_path: Path) -> None:
    code = write(tmp_path, "Mine", PLAIN + "    yield 'a'\n    yield 'b'\n", "predict")
    model = load(user_unit(name="m", code=code), protocol=Protocol.V1)
    root = Chain(steps=(call("m", Method.TRANSFORM_INPUT), call("then")))
    over = served(worker_spec([unit("m"), unit("then")], root, protocol=Protocol.V1), m=model, then=Fake("then"))

    assert (await over.post("/v1/models/m:predict", ROWS[Protocol.V1])).body == b"ab"
    over.executor.close()


def _is_still(count: Any) -> Any:
    """Whether a number stopped growing: the same a hundred looks long."""
    seen = [-1, 0]

    def look() -> bool:
        now = count()
        seen[1] = seen[1] + 1 if now == seen[0] else 0
        seen[0] = now
        return bool(now and seen[1] > 20)

    return look
