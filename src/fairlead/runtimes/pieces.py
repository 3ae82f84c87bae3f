"""Answers that user code gives piece by piece, from a generator or an asynchronous one.

The pieces of an asynchronous generator are made on its unit's own loop, beside whatever else runs there. Those of a
plain generator are made by blocking calls, for which the data plane has a turn of the unit's.
"""

import asyncio
import contextvars
import inspect
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from fairlead.errors import UnitFailed
from fairlead.protocols.message import TakePiece
from fairlead.runtimes.loop_thread import LoopThread

_EVENTS = "text/event-stream"
_OCTETS = "application/octet-stream"
_EVENT_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")
_OVER = object()
_UNKNOWN = object()


def comes_in_pieces(value: Any) -> bool:
    """Whether user code gave a stream rather than a value."""
    return hasattr(value, "__aiter__") or inspect.isgenerator(value)


def joined(value: Any, loop: LoopThread) -> str | bytes:
    """All pieces as one body: bytes when all of them are. Blocks."""
    return _whole(loop.settled(_all_of(value)) if hasattr(value, "__aiter__") else list(value))


async def joined_on_loop(value: Any) -> str | bytes:
    """The same from a coroutine on the unit's loop."""
    return _whole(await _all_of(value) if hasattr(value, "__aiter__") else list(value))


def _whole(parts: list[Any]) -> str | bytes:
    if all(isinstance(part, bytes) for part in parts):
        return b"".join(parts)
    return b"".join([_as_bytes(part) for part in parts]).decode("utf-8", "replace")


class Streamed:
    """A stream (`fairlead.protocols.message.Pieces`). Its first piece is there already, so that a failure before it is
    an ordinary one and raised as it is. `failure` puts an exception of user code into clients' words."""

    def __init__(
        self,
        source: Any,
        loop: LoopThread,
        headers: Mapping[str, str],
        failure: Callable[[Exception], Exception],
        *,
        first: Any = _UNKNOWN,
    ) -> None:
        self.is_blocking = not hasattr(source, "__aiter__")
        self._source = source if self.is_blocking else aiter(source)
        self._loop = loop
        self._failure = failure
        self._context = contextvars.copy_context()
        self._task: asyncio.Task[Any] | None = None
        self.first: bytes | None = self._made() if first is _UNKNOWN else first
        said = {name.lower(): value for name, value in headers.items()}
        self.media_type = said.get("content-type") or _media_type(self.first)

    def next(self) -> bytes | None:
        """The next piece, `None` after the last. Blocks."""
        try:
            return self._made()
        except Exception as error:
            raise self._failure(error) from error

    def pull(self, take: TakePiece) -> None:
        """The same without blocking: `take` hears the piece, or what went wrong, on another thread."""

        def done(future: Future[Any]) -> None:
            if future.cancelled():
                return
            error = future.exception()
            if error is not None:
                take(None, self._failure(error) if isinstance(error, Exception) else RuntimeError(repr(error)))
            else:
                piece = future.result()
                take(None if piece is _OVER else _as_bytes(piece), None)

        future = self._context.run(self._loop.begin, self._next())
        if future is None:
            take(None, UnitFailed("the unit is stopping"))
        else:
            future.add_done_callback(done)

    def close(self) -> None:
        """Nobody wants the rest. A plain generator must not be at work; an asynchronous one is cancelled where it
        waits."""
        if self.is_blocking:
            self._source.close()
        else:
            self._loop.begin(self._stop())

    def _made(self) -> bytes | None:
        if self.is_blocking:
            piece = self._context.run(next, self._source, _OVER)
        else:
            piece = self._context.run(self._loop.settled, self._next())
        return None if piece is _OVER else _as_bytes(piece)

    async def _next(self) -> Any:
        self._task = asyncio.current_task()
        try:
            return await anext(self._source)
        except StopAsyncIteration:
            return _OVER

    async def _stop(self) -> None:
        task = self._task
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait((task,))
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()


async def begun(
    source: Any, loop: LoopThread, headers: Mapping[str, str], failure: Callable[[Exception], Exception]
) -> Streamed:
    """A stream whose first piece is waited for here, on the unit's own loop."""
    if not hasattr(source, "__aiter__"):
        return Streamed(source, loop, headers, failure)
    pieces = aiter(source)
    piece = await anext(pieces, _OVER)
    return Streamed(pieces, loop, headers, failure, first=None if piece is _OVER else _as_bytes(piece))


async def _all_of(value: Any) -> list[Any]:
    return [piece async for piece in value]


def _as_bytes(piece: Any) -> bytes:
    return bytes(piece) if isinstance(piece, bytes | bytearray | memoryview) else str(piece).encode()


def _media_type(first: bytes | None) -> str:
    """Events when it begins as they do; else octets, which promise nothing."""
    return _EVENTS if first is not None and first.startswith(_EVENT_FIELDS) else _OCTETS
