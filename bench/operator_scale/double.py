"""The cluster that the operator works against, in a thread of its own, so that its processor time can be told apart."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from support.cluster import Cluster, hands, running_cluster
from support.cluster.storage import Change

T = TypeVar("T")


@dataclass
class Double:
    """The cluster, in a thread of its own."""

    cluster: Cluster | None = None
    loop: asyncio.AbstractEventLoop | None = None
    thread: threading.Thread | None = None
    _ready: threading.Event = field(default_factory=threading.Event)
    _stop: asyncio.Event | None = None

    def start(self) -> Cluster:
        """Serve until `stop`."""
        self.thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="double", daemon=True)
        self.thread.start()
        self._ready.wait()
        assert self.cluster is not None
        return self.cluster

    async def _serve(self) -> None:
        self.loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with running_cluster() as self.cluster:
            self.cluster.journal.keeps_entries = False
            self.cluster.state.storage.on_change.append(self._roll_out)
            self._ready.set()
            await self._stop.wait()

    def _roll_out(self, change: Change) -> None:
        """A Deployment is ready as soon as it is written, and a route accepted."""
        if change.type != "DELETED" and change.key[1] in ("deployments", "httproutes"):
            generation = (change.document.get("status") or {}).get("observedGeneration")
            if generation != change.document["metadata"]["generation"] and self.loop is not None:
                self.loop.call_soon(self._answer, change)

    def _answer(self, change: Change) -> None:
        assert self.cluster is not None
        state, key, metadata = self.cluster.state, change.key, change.document["metadata"]
        document, resource = state.storage.get(key, metadata["namespace"], metadata["name"]), state.kinds.by_key(key)
        if document is None or resource is None:
            return
        if key[1] == "httproutes":
            self.cluster.world.http_routes.reconcile(document)
            return
        count = document["spec"]["replicas"]
        status = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), count)
        how = {"status": "True", "lastTransitionTime": state.now(), "lastUpdateTime": state.now()}
        conditions = [
            {"type": "Available", "reason": "MinimumReplicasAvailable", **how},
            {"type": "Progressing", "reason": "NewReplicaSetAvailable", **how},
        ]
        whole = {**status, "observedGeneration": document["metadata"]["generation"], "conditions": conditions}
        hands.set_status(state, resource, document, whole)

    def do(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run something in the cluster's thread."""
        assert self.loop is not None
        return asyncio.run_coroutine_threadsafe(work(), self.loop).result()

    def cpu_s(self) -> float:
        """Processor time of the thread so far."""
        assert self.thread is not None
        assert self.thread.ident is not None
        return time.clock_gettime(time.pthread_getcpuclockid(self.thread.ident))

    def stop(self) -> None:
        """End the thread."""
        assert self.loop is not None
        assert self._stop is not None
        assert self.thread is not None
        self.loop.call_soon_threadsafe(self._stop.set)
        self.thread.join()
