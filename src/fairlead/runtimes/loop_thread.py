"""One event loop on a thread of its own, for units whose methods are coroutines.

Units are asked from blocking calls, on whichever thread the data plane chose; a user's client session or lock belongs
to one loop for as long as the unit lives. So the unit owns that loop, and every coroutine of it runs there.
"""

import asyncio
import inspect
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any


class LoopThread:
    """The thread starts with the first coroutine: most units have none."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._is_closed = False

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
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
                self._thread.start()
            return self._loop


async def _awaited(value: Any) -> Any:
    return await value


async def _cancel_others() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
