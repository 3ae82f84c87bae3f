"""The double in a thread of its own, for commands, which have a loop of their own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.cluster.cluster import Cluster, running_cluster


@dataclass
class Apart:
    """A cluster in another thread."""

    cluster: Cluster
    loop: asyncio.AbstractEventLoop

    def create(self, document: dict[str, Any]) -> None:
        asyncio.run_coroutine_threadsafe(self.cluster.create(document), self.loop).result()

    def apply(self, document: dict[str, Any], *, manager: str = "fairlead") -> None:
        asyncio.run_coroutine_threadsafe(self.cluster.apply(document, manager=manager), self.loop).result()

    def options(self, folder: Path) -> list[str]:
        return ["--kubeconfig", str(self.cluster.write_kubeconfig(folder))]


@contextmanager
def cluster_apart() -> Iterator[Apart]:
    """One that answers from a thread of its own, because commands have their own loop."""
    started, stop = threading.Event(), asyncio.Event()
    found: list[Cluster] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with running_cluster() as running:
            found.append(running)
            started.set()
            while not stop.is_set():
                running.settle()
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    started.wait()
    try:
        yield Apart(found[0], loop)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
