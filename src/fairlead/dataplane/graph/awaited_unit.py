"""Units whose calls spend their time waiting for somebody else: a transformer for its predictor, an explainer too.

Nothing of them runs on this loop or takes a turn: each request is under way by itself, so one that waits for a service
at zero holds up no other.
"""

import asyncio
from collections.abc import Callable
from time import perf_counter

from fairlead.dataplane.graph.driving import Later
from fairlead.dataplane.graph.parcel import Parcel, Walk
from fairlead.dataplane.graph.units import LocalUnit
from fairlead.plan.model import Method
from fairlead.protocols.message import Message
from fairlead.runtimes.base import Waiting


class _Begun(Later[Message]):
    """A call under way."""

    __slots__ = ("call_off",)

    def __init__(self) -> None:
        super().__init__()
        self.call_off: Callable[[], None] | None = None

    def abandon(self, error: Exception) -> None:
        """Have whoever works on it stop."""
        super().abandon(error)
        self.stop()

    def stop(self) -> None:
        """The same for a call that nobody waits for because its time is over."""
        call_off, self.call_off = self.call_off, None
        if call_off is not None:
            call_off()


class AwaitedUnit(LocalUnit):
    """A local unit whose servable is `Waiting`."""

    def at_once(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel | None:
        """Never for what waits: who knows how long?"""
        return None if method in self._waiting.awaited else super().at_once(method, parcel, walk)

    async def call(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel:
        """Ask the unit; the answer is a message."""
        if method not in self._waiting.awaited:
            return await super().call(method, parcel, walk)
        started = perf_counter()
        begun = _Begun()
        try:
            message = parcel.decoded or parcel.message()
            begun.call_off = self._begun(method, message, begun)
            answer = await self._in_time(begun, walk)
        except Exception as error:
            if begun.is_abandoned:
                begun.stop()
            raise self._stopped(method, error, started) from error
        elapsed = perf_counter() - started
        self._inside.observe(elapsed)
        if answer.own_metrics or answer.raw is not None or answer.http_status != 200:
            self._look_at(method, message, answer, started)
        self._ok[method].observe(elapsed)
        return Parcel(answer)

    def _begun(self, method: Method, message: Message, later: Later[Message]) -> Callable[[], None]:
        loop = asyncio.get_running_loop()

        def done(value: Message | None, error: Exception | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(later.settle, value, error)

        return self._waiting.begin(method, message, done)

    @property
    def _waiting(self) -> Waiting:
        return self.servable  # type: ignore[return-value]  # what makes it such a unit
