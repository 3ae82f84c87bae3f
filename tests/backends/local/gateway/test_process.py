"""The gateway as a process of its own: start, kill, drain, and what it says when it cannot start."""

import asyncio
import os
import signal
import socket
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fairlead.backends.local.gateway import Demand, GatewayClient
from fairlead.errors import NotReady
from fairlead.plan.routing import RouteTable
from support.certificates import make_certificate
from support.gateways import Worker, pool, service
from support.wire import Wire, get, post, wire_to

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's folder: its paths may be too long for a Unix socket.
    with tempfile.TemporaryDirectory(prefix="gw-") as name:
        yield Path(name)


class Process:
    """One gateway process."""

    def __init__(self, child: asyncio.subprocess.Process, folder: Path) -> None:
        self.child = child
        self.client = GatewayClient(folder / "a.sock")
        self.port = 0

    async def wait_until_serving(self) -> None:
        assert self.child.stdout is not None
        line = (await asyncio.wait_for(self.child.stdout.readline(), 30)).decode()
        assert line.startswith("fairlead gateway: serving on http"), line
        self.port = int(line.rsplit(":", 1)[1])

    async def end(self, number: signal.Signals) -> int:
        if self.child.returncode is None:
            self.child.send_signal(number)
        await asyncio.wait_for(self.child.communicate(), 30)
        assert self.child.returncode is not None
        return self.child.returncode


async def start(folder: Path, *flags: str, port: int = 0) -> Process:
    argv = ["-m", "fairlead.backends.local.gateway", "--port", str(port), "--admin", str(folder / "a.sock")]
    argv += ["--table", str(folder / "t.json"), *flags]
    pipe = asyncio.subprocess.PIPE
    return Process(await asyncio.create_subprocess_exec(sys.executable, *argv, stdout=pipe, stderr=pipe), folder)


@asynccontextmanager
async def gateway(folder: Path, *flags: str) -> AsyncIterator[Process]:
    process = await start(folder, *flags)
    try:
        await process.wait_until_serving()
        yield process
    finally:
        await process.end(signal.SIGKILL)


async def test_a_killed_gateway_serves_the_same_when_it_is_started_again(folder: Path) -> None:
    worker = Worker("w", folder)
    await worker.start()
    async with gateway(folder) as first:
        await first.client.publish(RouteTable(services=(service("iris", {"default": pool(worker)}),)))

    async with gateway(folder) as second, wire_to(second.port) as wire:
        answer = await wire.ask(post("/seldon/ns/iris/x"))
    await worker.server.drain(0)

    assert (answer.status, answer.body) == (200, b"w")


async def test_who_waited_at_a_gateway_that_was_killed_may_wait_again_at_the_next(folder: Path) -> None:
    wanted = service("iris", {"default": pool(protocol="v2")})
    listener = GatewayClient(folder / "a.sock").demand()
    async with gateway(folder) as first, wire_to(first.port) as wire:
        await first.client.publish(RouteTable(services=(wanted,)))
        await anext(listener)
        await wire.send(post("/seldon/ns/iris/x"))
        lost = await poked(listener)
        await first.end(signal.SIGKILL)
        assert await wire.rest() == b""

    async with gateway(folder) as second, wire_to(second.port) as wire:
        await wire.send(post("/seldon/ns/iris/x"))
        again = await poked(listener)
        worker = Worker("w", folder)
        await worker.start()
        await second.client.publish(RouteTable(services=(service("iris", {"default": pool(worker)}),)))
        answer = await wire.receive()
    await listener.aclose()
    await worker.server.drain(0)

    assert (lost, again, answer.body) == (1, 1, b"w")


async def poked(listener: AsyncIterator[Demand]) -> int:
    """How many wait, when it is told that some do in vain."""
    async with asyncio.timeout(20):
        async for demand in listener:
            for one in demand.components:
                if one.is_poke:
                    return one.waiting
    raise AssertionError("demand has no end")


async def test_sigterm_answers_what_is_held_and_ends_with_status_0(folder: Path) -> None:
    worker = Worker("w", folder)
    worker.holds = True
    await worker.start()
    async with gateway(folder) as process, wire_to(process.port) as wire:
        await process.client.publish(RouteTable(services=(service("iris", {"default": pool(worker)}),)))
        await wire.send(post("/seldon/ns/iris/x"))
        async with asyncio.timeout(10):
            while not worker.held:
                await asyncio.sleep(0.005)
        process.child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            while await accepts(process.port):
                await asyncio.sleep(0.005)
        worker.release()
        answer = await wire.receive()
        wire.writer.close()
        status = await asyncio.wait_for(process.child.wait(), 20)
    await worker.server.drain(0)

    assert (answer.status, answer.headers["connection"], status) == (200, "close", 0)


async def accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return False
    writer.close()
    return True


async def test_a_port_in_use_is_one_clear_line_and_the_status_of_a_wrong_setting(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = await start(folder, port=port)
        out, err = await asyncio.wait_for(process.child.communicate(), 30)

    assert out == b""
    assert err.decode().splitlines() == [
        f"fairlead gateway: 127.0.0.1:{port} is in use by another program; choose another port or stop that program"
    ]
    assert process.child.returncode == os.EX_CONFIG


async def test_the_data_port_speaks_tls_when_it_is_given_a_certificate(folder: Path) -> None:
    cert, key = make_certificate(folder)
    trusting = ssl.create_default_context(cafile=cert)

    flags = ("--tls-cert", str(cert), "--tls-key", str(key), "--inside", str(folder / "inside.sock"))
    async with gateway(folder, *flags) as process, wire_to(process.port, tls=trusting) as wire:
        answer = await wire.ask(get("/-/healthy"))
        reader, writer = await asyncio.open_unix_connection(folder / "inside.sock")
        in_clear = await Wire(reader, writer).ask(get("/-/healthy"))
        writer.close()

    assert (answer.status, in_clear.status) == (200, 200)


@pytest.mark.parametrize("flag", ["--tls-cert", "--tls-key"])
async def test_a_certificate_that_cannot_be_used_is_said(folder: Path, flag: str) -> None:
    process = await start(folder, flag, str(folder / "none.pem"))
    _, err = await asyncio.wait_for(process.child.communicate(), 30)

    assert process.child.returncode == os.EX_CONFIG
    assert err.startswith(b"fairlead gateway: ")
    assert b"TLS" in err


_WORKER = """
import asyncio, sys
from fairlead.dataplane.net.frame_server import FrameServer
from fairlead.dataplane.spec import UnixSocket

async def main() -> None:
    print("up", flush=True)
    server = FrameServer(lambda request, reply: print("held", flush=True))
    await server.listen(UnixSocket(sys.argv[1]))
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_worker_killed_with_a_request_in_its_hands_fails_that_request_only(folder: Path) -> None:
    doomed, survivor = Worker("doomed", folder), Worker("survivor", folder)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WORKER, str(doomed.path), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    async with gateway(folder) as process, wire_to(process.port) as wire:
        await process.client.publish(RouteTable(services=(service("iris", {"default": pool(doomed)}),)))
        await wire.send(post("/seldon/ns/iris/x"))
        assert await child.stdout.readline() == b"up\n"
        assert await asyncio.wait_for(child.stdout.readline(), 10) == b"held\n"
        child.kill()
        failed = await wire.receive()
        await child.communicate()

        await survivor.start()
        await process.client.publish(RouteTable(services=(service("iris", {"default": pool(survivor)}),)))
        after = await wire.ask(post("/seldon/ns/iris/x"))
    await survivor.server.drain(0)

    assert (failed.status, after.status, after.body) == (502, 200, b"survivor")


async def test_a_client_of_a_gateway_that_was_killed_hears_that_nobody_is_there(folder: Path) -> None:
    async with gateway(folder) as process:
        await process.client.stats()

    with pytest.raises(NotReady):
        await process.client.stats()
