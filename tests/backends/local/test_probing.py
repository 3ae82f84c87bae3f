"""Whether a program serves, and whether it still lives."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from fairlead.backends.local.probing import answers, until_answers, until_silent

pytestmark = pytest.mark.anyio


class Program:
    """Answers each path with a status, which may change; other paths are not found."""

    def __init__(self) -> None:
        self.statuses: dict[str, int] = {}
        self.asked = asyncio.Event()
        self.address = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readline()).split()[1].decode()
        self.asked.set()
        writer.write(f"HTTP/1.1 {self.statuses.get(path, 404)} x\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()


@pytest.fixture
async def program() -> AsyncIterator[Program]:
    made = Program()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield made
    server.close()
    await server.wait_closed()


async def test_without_a_path_any_answer_that_is_no_server_error_counts(program: Program) -> None:
    assert await answers(program.address, is_http=True, timeout_s=5)
    program.statuses["/health/ping"] = 503
    assert not await answers(program.address, is_http=True, timeout_s=5)


async def test_at_a_path_of_its_own_only_success_counts(program: Program) -> None:
    waiting = asyncio.create_task(until_answers(program.address, is_http=True, ready_path="/readyz"))
    await program.asked.wait()  # and found nothing
    assert not waiting.done()

    program.statuses["/readyz"] = 200
    await asyncio.wait_for(waiting, 10)


async def test_one_that_fails_often_enough_in_a_row_is_silent(program: Program) -> None:
    program.statuses["/livez"] = 200
    watching = asyncio.create_task(until_silent(program.address, "/livez", every_s=0.01, within_s=5, missed=3))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(watching), 0.1)
    assert not watching.done()

    program.statuses["/livez"] = 503
    await asyncio.wait_for(watching, 10)
