"""Logs of builders as clients follow them."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from fairlead.backends.local.logs import LogFile
from fairlead.control.builder_lines import with_builder_lines
from fairlead.registry.deploying.place import LogPart

pytestmark = pytest.mark.anyio


def write(path: Path, *lines: str) -> None:
    log = LogFile(path)
    for line in lines:
        log.write(line.encode(), now=0.0)
    log.close()


async def told(until: asyncio.Event | None = None) -> AsyncGenerator[bytes, None]:
    yield b"fetching\n"
    if until is not None:
        await until.wait()
    yield b"Bento is generated\n"


async def test_lines_come_while_the_builder_writes_them(tmp_path: Path) -> None:
    path, goes_on = tmp_path / "builder.log", asyncio.Event()
    lines = with_builder_lines(told(goes_on), path, LogPart(follows=True))

    assert await anext(lines) == b"fetching\n"
    write(path, "STEP 1/2", "STEP 2/2")
    assert [await anext(lines), await anext(lines)] == [b"STEP 1/2\n", b"STEP 2/2\n"]
    write(path, "pushed")
    goes_on.set()

    assert sorted([line async for line in lines]) == [b"Bento is generated\n", b"pushed\n"]


async def test_without_a_builder_there_is_what_was_told(tmp_path: Path) -> None:
    lines = with_builder_lines(told(), tmp_path / "none.log", LogPart(follows=True))

    assert [line async for line in lines] == [b"fetching\n", b"Bento is generated\n"]


async def test_whoever_hangs_up_leaves_nothing_running(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    lines = with_builder_lines(told(asyncio.Event()), tmp_path / "none.log", LogPart(follows=True))

    await anext(lines)
    await lines.aclose()

    assert asyncio.all_tasks() == before


async def test_times_are_given_when_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "builder.log", "STEP 1/1")

    lines = [line async for line in with_builder_lines(told(), tmp_path / "builder.log", LogPart(has_times=True))]

    assert b"1970-01-01T00:00:00.000000Z STEP 1/1\n" in lines
