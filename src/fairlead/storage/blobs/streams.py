"""Streams of bytes on their way into a store: in pieces of a good size, read ahead, and hashed beside the writing."""

import asyncio
import hashlib
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from io import FileIO
from typing import Any, Self, TypeVar

_T = TypeVar("_T")

PIECE_BYTES = 2 * 1024 * 1024
# Small enough to stay in a processor's cache between the reading and the hashing.
_HASHED_BYTES = 256 * 1024
# Enough for the network to go on while a disk is slow for a moment.
_AHEAD = 3
_BEHIND = 2


async def in_thread(work: Callable[..., _T], *arguments: Any) -> _T:
    """Do blocking work on a file in a thread. Unlike `asyncio.to_thread` it is done when this returns or raises, also
    when the task is cancelled: a file that is closed under a thread's hands may be another by the time it writes."""
    working = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    cancelled: asyncio.CancelledError | None = None
    while not working.done():
        try:
            await asyncio.shield(working)
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception:
            break
    if cancelled is not None:
        raise cancelled
    return working.result()


class InOrder:
    """A thread that does one piece of blocking work after the other, some behind whoever gives it more. Leaving the
    block waits for what it is doing and forgets the rest."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._waiting: deque[asyncio.Future[Any]] = deque()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for one in self._waiting:
            if not one.cancel() and not one.cancelled():
                # What went wrong after what is being raised is nobody's news.
                one.exception()
        await in_thread(partial(self._thread.shutdown, cancel_futures=True))

    async def do(self, work: Callable[..., object], *arguments: Any) -> None:
        """Have it done, now or soon. Raises what earlier work raised."""
        self._waiting.append(asyncio.wrap_future(self._thread.submit(work, *arguments)))
        while len(self._waiting) > _BEHIND:
            await self._waiting.popleft()

    async def done(self) -> None:
        """Return when all is done. Raises what any of it raised."""
        while self._waiting:
            await self._waiting.popleft()


class Digest:
    """A sha256 that is computed in a thread, beside whatever is done with the bytes."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size = 0

    def __str__(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    async def over(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same bytes; when they end, the digest is that of all of them."""
        async with InOrder() as hashing:
            async for chunk in chunks:
                await hashing.do(self._hash.update, chunk)
                self.size += len(chunk)
                yield chunk
            await hashing.done()


@asynccontextmanager
async def hashed(file: FileIO) -> AsyncIterator[asyncio.Future[str]]:
    """The sha256 of a file from where it stands, read by a thread while the block does something else with it."""
    stopped = threading.Event()

    def read() -> str:
        found, buffer = hashlib.sha256(), memoryview(bytearray(_HASHED_BYTES))
        while not stopped.is_set() and (count := file.readinto(buffer)):
            found.update(buffer[:count])
        return f"sha256:{found.hexdigest()}"

    hashing = asyncio.ensure_future(in_thread(read))
    try:
        yield hashing
    finally:
        stopped.set()
        await asyncio.gather(hashing, return_exceptions=True)


async def gathered(chunks: AsyncIterator[bytes], size: int = PIECE_BYTES) -> AsyncIterator[bytes]:
    """The same bytes in pieces of at least `size`, but for the last: servers hand bodies on in crumbs of 64 KiB, and a
    hop to a thread for each would cost more than the hashing."""
    waiting: list[bytes] = []
    length = 0
    async for chunk in chunks:
        if not waiting and len(chunk) >= size:
            yield chunk
            continue
        waiting.append(chunk)
        length += len(chunk)
        if length >= size:
            yield b"".join(waiting)
            waiting, length = [], 0
    if length:
        yield b"".join(waiting)


@asynccontextmanager
async def ahead(chunks: AsyncIterator[bytes], count: int = _AHEAD) -> AsyncIterator[AsyncIterator[bytes]]:
    """The same chunks, of which up to `count` are taken before they are asked for."""
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=count)

    async def fill() -> None:
        try:
            async for chunk in chunks:
                await queue.put(chunk)
        except Exception:
            await queue.put(None)
            raise
        # Who cancels this reads no more: in a full queue an end would wait for ever.
        await queue.put(None)

    async def taken() -> AsyncIterator[bytes]:
        while (chunk := await queue.get()) is not None:
            yield chunk
        # Whatever ended the stream early is raised here, where it is read.
        await filling

    filling = asyncio.create_task(fill())
    try:
        yield taken()
    finally:
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)


async def abreast(works: Iterable[Callable[[], Awaitable[_T]]], count: int) -> AsyncGenerator[_T]:
    """What each of them gives, in their order, of which up to `count` are done at once."""
    running: deque[asyncio.Future[_T]] = deque()
    try:
        for work in works:
            running.append(asyncio.ensure_future(work()))
            if len(running) >= count:
                yield await running[0]
                running.popleft()
        while running:
            yield await running[0]
            running.popleft()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
