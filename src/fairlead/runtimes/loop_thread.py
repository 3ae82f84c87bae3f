"""One event loop on a thread of its own, for units whose methods are coroutines.

Units are asked from blocking calls, on whichever thread the data plane chose; a user's client session or lock belongs
to one loop for as long as the unit lives. So the unit owns that loop, and every coroutine of it runs there.
"""

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

import uvloop

from fairlead.errors import NotReady

T = TypeVar("T")


class LoopThread:
    """The thread starts with the first coroutine: most units have none."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._is_closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    def settled(self, value: Any) -> Any:
        """The value itself, or what it gives when it is awaited on the loop. Blocks."""
        if not inspect.isawaitable(value):
            return value
        return asyncio.run_coroutine_threadsafe(_awaited(value), self._running()).result()

    def begin(self, work: Coroutine[Any, Any, Any]) -> "Future[Any] | None":
        """Run a coroutine on the loop without waiting for it; `None` once the loop was ended."""
        if self._is_closed:
            work.close()
            return None
        return asyncio.run_coroutine_threadsafe(work, self._running())

    def start(
        self,
        work: Coroutine[Any, Any, T],
        done: Callable[[T | None, Exception | None], None],
        context: contextvars.Context,
    ) -> Callable[[], None]:
        """Run a coroutine on the loop in a context; `done` hears what becomes of it, on the loop's thread. Gives what
        calls it off. Cheaper than `begin`, whose futures have a lock each."""
        if self._is_closed:
            work.close()
            done(None, NotReady("the unit is stopping"))
            return _nothing
        loop, tasks = self._running(), self._tasks
        started: list[asyncio.Task[None]] = []

        async def whole() -> None:
            try:
                value = await work
            except asyncio.CancelledError:
                done(None, NotReady("the unit is stopping"))
                raise
            except Exception as error:
                done(None, error)
            else:
                done(value, None)
            finally:
                tasks.difference_update(started)

        def begin() -> None:
            task = loop.create_task(whole())
            started.append(task)
            tasks.add(task)  # the loop itself would let go of it

        def call_off() -> None:
            if started:
                started[0].cancel()

        def call_off_soon() -> None:
            if not self._is_closed:
                loop.call_soon_threadsafe(call_off)

        loop.call_soon_threadsafe(begin, context=context)
        return call_off_soon

    def close(self) -> None:
        """End the loop; what still runs on it is cancelled."""
        self._is_closed = True
        with self._starting:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(_cancel_others(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = uvloop.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
                self._thread.start()
            return self._loop


def _nothing() -> None:
    """There is nothing to call off."""


async def _awaited(value: Any) -> Any:
    return await value


async def _cancel_others() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
