"""What a builder of images wrote, among what is told of the bento that it builds: one stream, as it comes."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from fairlead.backends.local.logs import read_log
from fairlead.registry.deploying.place import LogPart

_LOOKS_EVERY_S = 0.2
_END = b""
"""No line is empty: each has its end."""


async def with_builder_lines(
    told: AsyncGenerator[bytes, None], path: Path, part: LogPart
) -> AsyncGenerator[bytes, None]:
    """The lines of both, each as soon as it is there. It ends when nothing more is told, and all that was written until
    then has been read. A builder that never began has no file."""
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    has_ended = asyncio.Event()
    tasks = [
        asyncio.create_task(_tell(told, lines, has_ended)),
        asyncio.create_task(_read(path, part, lines, has_ended)),
    ]
    try:
        open_ends = len(tasks)
        while open_ends:
            line = await lines.get()
            open_ends -= line == _END
            if line != _END:
                yield line
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await told.aclose()


async def _tell(told: AsyncGenerator[bytes, None], lines: "asyncio.Queue[bytes]", has_ended: asyncio.Event) -> None:
    try:
        async for line in told:
            lines.put_nowait(line)
    finally:
        has_ended.set()
        lines.put_nowait(_END)


async def _read(path: Path, part: LogPart, lines: "asyncio.Queue[bytes]", has_ended: asyncio.Event) -> None:
    try:
        if await _is_there(path, has_ended.is_set):
            kept = read_log(path, tail_lines=part.tail_lines, follow=part.follows, is_finished=has_ended.is_set)
            async for line in kept:
                stamp = line.time.encode() + b" " if part.has_times else b""
                lines.put_nowait(stamp + line.text + b"\n")
    finally:
        lines.put_nowait(_END)


async def _is_there(path: Path, has_ended: Callable[[], bool]) -> bool:
    while not path.exists():
        if has_ended():
            return False
        await asyncio.sleep(_LOOKS_EVERY_S)
    return True
