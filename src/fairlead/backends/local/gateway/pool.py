"""The replicas of one component, and the requests that wait while none is ready.

A request goes to the replica that holds the fewest. With none connected, or all holding as many as they may, it waits
its turn, first come first served, until one is free, or its time or the queue is up.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from fairlead.backends.local.gateway.link import Dial, Link, Passenger, Replica, dial_worker
from fairlead.backends.local.gateway.metering import Load
from fairlead.backends.local.gateway.refusals import overflow
from fairlead.errors import FairleadError, NotReady
from fairlead.plan import routing

_LARGE_BYTES = 64 * 1024
_MOST_WAITING_BYTES = 256 * 1024 * 1024
_GATHER_S = 0.01
"""How long those who wait are kept for replicas that are being connected to besides the one that is ready."""


class Waiter(Passenger, Protocol):
    """A request that may have to wait."""

    def depart(self, link: Link) -> None: ...
    def wait(self, limit_s: float) -> None: ...
    def refuse(self, error: FairleadError) -> None: ...
    def move(self, pool: "Pool") -> None: ...


class Pool:
    """Live counterpart of `fairlead.plan.routing.Pool`; it outlives the tables that describe it."""

    def __init__(
        self,
        name: str,
        *,
        on_counts: Callable[[str, bytes | None], None] = lambda path, body: None,  # noqa: ARG005
        on_poke: Callable[[], None] = lambda: None,
        dial: Dial = dial_worker,
    ) -> None:
        self.name = name
        self._dial = dial
        self._on_poke = on_poke
        self._on_counts = on_counts
        self.wanted = routing.Pool()
        self._replicas: list[Replica] = []
        self._retired: list[Replica] = []
        self._turn = 0
        # A dict keeps the order and lets a request leave from the middle.
        self._waiting: dict[Waiter, None] = {}

    def update(self, wanted: routing.Pool) -> None:
        """Take the endpoints of a new table. Requests at a replica that is no longer listed are still answered."""
        self.wanted = wanted
        listed = {endpoint.frames: endpoint for endpoint in wanted.endpoints}
        kept = [replica for replica in self._replicas if listed.get(replica.path) is not None]
        for replica in self._replicas:
            if replica not in kept:
                replica.retire()
                self._retired.append(replica)
        known = {replica.path for replica in kept}
        for path, endpoint in listed.items():
            if path not in known:
                made = Replica(
                    endpoint.replica,
                    path,
                    limit=wanted.replica_limit,
                    counts_streams=wanted.counts_streams,
                    on_ready=self._share_waiting,
                    on_counts=self._on_counts,
                    dial=self._dial,
                )
                kept.append(made)
        self._replicas = kept
        for replica in kept:
            replica.set_limit(wanted.replica_limit, counts_streams=wanted.counts_streams)
        self._retired = [replica for replica in self._retired if replica.in_flight]
        if wanted.refusal:
            self._refuse_waiting()

    def hand_over(self, heir: "Pool") -> None:
        """No route leads here any more. What waits goes to the one that has its place."""
        waiting, self._waiting = self._waiting, {}
        for waiter in waiting:
            waiter.move(heir)

    def retire(self) -> None:
        """The component is gone from the table."""
        self.update(routing.Pool(refusal=f"{self.name} was removed", protocol=self.wanted.protocol))

    @property
    def replicas(self) -> list[Replica]:
        """Those that are listed now."""
        return self._replicas

    def submit(self, waiter: Waiter) -> None:
        """Send a request, or let it wait. Raises `NotReady` or `Overloaded` when it may not even wait."""
        link = self.choose() if not self._waiting else None
        if link is not None:
            waiter.depart(link)
            return
        wanted = self.wanted
        if wanted.refusal and not self.is_busy:
            raise NotReady(wanted.refusal)
        if len(self._waiting) >= self._queue_limit:
            words = f"{self.name}: {len(self._waiting)} requests wait already, the most allowed"
            raise overflow(wanted.protocol, words)
        if wanted.wait_s <= 0:
            raise NotReady(self.why_not_ready())
        if len(waiter.body) > _LARGE_BYTES:
            self._refuse_bulk(len(waiter.body))
        self._waiting[waiter] = None
        waiter.wait(wanted.wait_s)
        if len(self._waiting) == 1 and not self.is_busy:
            self._on_poke()

    def _refuse_bulk(self, size_bytes: int) -> None:
        """What waits is held in memory, and the queue's limit counts requests."""
        held_bytes = sum(len(waiter.body) for waiter in self._waiting)
        if held_bytes + size_bytes > _MOST_WAITING_BYTES:
            raise overflow(self.wanted.protocol, f"{self.name}: requests of {held_bytes} bytes wait already")

    @property
    def _queue_limit(self) -> int:
        wanted = self.wanted
        ready = wanted.replica_queue_limit and sum(1 for replica in self._replicas if replica.link is not None)
        return ready * wanted.replica_queue_limit or wanted.queue_limit

    def choose(self) -> Link | None:
        """The replica with the fewest open requests, if it may take one more; equals take turns."""
        replicas = self._replicas
        if len(replicas) == 1:
            link = replicas[0].link
            return link if link is not None and not link.is_full else None
        best: Link | None = None
        count = len(replicas)
        self._turn += 1
        for offset in range(count):
            link = replicas[(self._turn + offset) % count].link
            if link is not None and not link.is_full and (best is None or len(link.open) < len(best.open)):
                best = link
        return best

    def withdraw(self, waiter: Waiter) -> None:
        """A request waits no longer."""
        self._waiting.pop(waiter, None)

    def why_not_ready(self) -> str:
        """A sentence for a request that waited in vain."""
        if not self._replicas:
            return f"{self.name} has no ready replica"
        names = ", ".join(replica.name for replica in self._replicas)
        if self.is_busy:
            return f"{self.name}: every replica holds as many requests as it may ({names})"
        return f"{self.name}: no replica can be reached ({names})"

    @property
    def waits_in_vain(self) -> bool:
        """Whether requests wait and no replica can be reached."""
        return bool(self._waiting) and not self.is_busy

    @property
    def is_busy(self) -> bool:
        """Whether there are replicas, so that who waits does so for others to be answered."""
        return any(replica.link is not None for replica in self._replicas)

    @property
    def load(self) -> Load:
        """What it carries now."""
        ready = sum(1 for replica in self._replicas if replica.link is not None)
        in_flight = sum(replica.in_flight for replica in (*self._replicas, *self._retired))
        return Load(ready, in_flight, len(self._waiting))

    def _share_waiting(self) -> None:
        """A replica is ready. When others are about to be, they share what waits."""
        if self._waiting and any(replica.is_awaited for replica in self._replicas):
            asyncio.get_running_loop().call_later(_GATHER_S, self._serve_waiting)
        else:
            self._serve_waiting()

    def _serve_waiting(self) -> None:
        while self._waiting and (link := self.choose()) is not None:
            waiter = next(iter(self._waiting))
            del self._waiting[waiter]
            waiter.depart(link)

    def _refuse_waiting(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for waiter in waiting:
            waiter.refuse(NotReady(self.wanted.refusal))
