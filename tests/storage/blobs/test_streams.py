"""Streams of bytes: what is read ahead is given in order, and whoever leaves early is not held."""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from io import FileIO
from pathlib import Path

import pytest

from fairlead.storage.blobs.streams import InOrder, abreast, ahead, hashed

pytestmark = pytest.mark.anyio


async def numbered(count: int, *, then: Exception | None = None) -> AsyncIterator[bytes]:
    for number in range(count):
        yield bytes([number])
    if then is not None:
        raise then


async def test_what_is_taken_ahead_comes_in_order() -> None:
    async with ahead(numbered(20), 3) as pieces:
        assert [piece async for piece in pieces] == [bytes([number]) for number in range(20)]


async def test_what_ends_a_stream_early_is_raised_where_it_is_read() -> None:
    async with ahead(numbered(5, then=ValueError("torn")), 3) as pieces:
        assert await anext(pieces) == b"\0"
        with pytest.raises(ValueError, match="torn"):
            async for _ in pieces:
                pass


@pytest.mark.parametrize("error", [None, ValueError("torn")])
async def test_who_leaves_while_as_much_as_may_be_waits_is_not_held(error: Exception | None) -> None:
    async with asyncio.timeout(5):
        async with ahead(numbered(3, then=error), 3) as pieces:
            assert await anext(pieces) == b"\0"
            for _ in range(10):
                await asyncio.sleep(0)
        async with ahead(numbered(200), 3):
            for _ in range(10):
                await asyncio.sleep(0)


async def test_what_is_done_at_once_is_given_in_order_and_no_more_at_once_than_asked_for() -> None:
    under_way: set[int] = set()
    most = 0

    async def work(number: int) -> int:
        nonlocal most
        under_way.add(number)
        most = max(most, len(under_way))
        # Later ones are quicker.
        for _ in range(10 - number % 4):
            await asyncio.sleep(0)
        under_way.discard(number)
        return number

    works = [partial(work, number) for number in range(12)]
    assert [number async for number in abreast(works, 4)] == list(range(12))
    assert most == 4


async def test_who_leaves_ends_what_is_done_at_once() -> None:
    ended: list[int] = []

    async def work(number: int) -> int:
        try:
            await asyncio.sleep(0 if number == 0 else 60)
        finally:
            ended.append(number)
        return number

    async with aclosing(abreast([partial(work, number) for number in range(9)], 3)) as results:
        assert await anext(results) == 0
    assert sorted(ended) == [0, 1, 2]


async def test_work_is_done_in_its_order_and_some_behind() -> None:
    done: list[int] = []
    held = threading.Event()

    def work(number: int) -> None:
        held.wait(20)
        done.append(number)

    async with InOrder() as lane:
        for number in range(2):
            await lane.do(work, number)
        assert done == []
        held.set()
        for number in range(2, 50):
            await lane.do(work, number)
        await lane.done()

    assert done == list(range(50))


async def test_work_that_fails_says_so_and_what_is_behind_it_is_forgotten() -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device")

    async def ten() -> None:
        async with InOrder() as lane:
            for _ in range(10):
                await lane.do(fail)
            await lane.done()

    with pytest.raises(OSError, match="No space"):
        await ten()


async def test_leaving_waits_for_what_is_being_done() -> None:
    begun, leaving = threading.Event(), threading.Event()
    done: list[int] = []

    def work() -> None:
        begun.set()
        leaving.wait(20)
        done.append(1)

    async def two() -> None:
        async with InOrder() as lane:
            await lane.do(work)
            await lane.do(work)
            await asyncio.to_thread(begun.wait, 20)
            asyncio.get_running_loop().call_later(0.05, leaving.set)
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        await two()
    assert done == [1]


async def test_a_file_is_hashed_from_where_it_stands(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5_000
    (tmp_path / "file").write_bytes(content)
    with FileIO(tmp_path / "file") as file:
        file.seek(7)
        async with hashed(file) as digest:
            assert await digest == f"sha256:{hashlib.sha256(content[7:]).hexdigest()}"
