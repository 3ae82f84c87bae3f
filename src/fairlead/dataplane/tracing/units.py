"""A span for each step of a graph that asks a unit, and the headers that carry it to units behind an address."""

import copy
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fairlead.dataplane.graph.contracts import SELDON_PATHS
from fairlead.dataplane.graph.parcel import Parcel, Walk
from fairlead.dataplane.graph.remote_unit import RemoteUnit
from fairlead.dataplane.graph.units import GraphUnit
from fairlead.dataplane.tracing.kinds import Kind
from fairlead.dataplane.tracing.tracer import Tracer
from fairlead.plan.model import Method
from fairlead.protocols.message import Reward

T = TypeVar("T")


class TracedUnit:
    """A unit that is asked with a span around. Nothing is answered at once, so that every call has one."""

    def __init__(self, unit: GraphUnit, tracer: Tracer) -> None:
        self.unit = unit.unit
        self.columns = unit.columns
        self._inner = unit
        self._tracer = tracer
        # A service of its own has no code here either.
        self._is_remote = isinstance(unit, RemoteUnit) or unit.unit.runtime == "remote"

    def at_once(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel | None:  # noqa: ARG002 - a seam's signature
        """Never."""
        return None

    def aggregate_at_once(self, parcels: list[Parcel], walk: Walk) -> Parcel | None:  # noqa: ARG002 - same seam
        """Never."""
        return None

    async def call(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel:
        """Ask the unit."""
        return await self._within(method, walk, lambda walk: self._inner.call(method, parcel, walk))

    async def route(self, parcel: Parcel, walk: Walk) -> int:
        """The branch the unit chooses."""
        return await self._within(Method.ROUTE, walk, lambda walk: self._inner.route(parcel, walk))

    async def aggregate(self, parcels: list[Parcel], walk: Walk) -> Parcel:
        """The unit's one answer for several."""
        return await self._within(Method.AGGREGATE, walk, lambda walk: self._inner.aggregate(parcels, walk))

    async def feedback(self, parcel: Parcel, reward: Reward, walk: Walk) -> Parcel:
        """Tell the unit."""
        return await self._within(Method.FEEDBACK, walk, lambda walk: self._inner.feedback(parcel, reward, walk))

    async def status(self) -> Parcel:
        """What the unit says of its health."""
        return await self._inner.status()

    async def metadata(self) -> dict[str, Any]:
        """What the unit says of itself."""
        return await self._inner.metadata()

    async def is_ready(self) -> bool:
        """As the unit says."""
        return await self._inner.is_ready()

    def close(self) -> None:
        """Let the unit go."""
        self._inner.close()

    async def _within(self, method: Method, walk: Walk, ask: Callable[[Walk], Awaitable[T]]) -> T:
        tracer = self._tracer
        # Seldon's orchestrator names its calls by the path of the node.
        name = SELDON_PATHS[method] if self._is_remote else f"{self.unit.name} {method.value}"
        kind = Kind.CLIENT if self._is_remote else Kind.INTERNAL
        about = {"fairlead.unit": str(self.unit.name), "fairlead.method": method.value}
        span = tracer.start(name, tracer.parent_of(walk.headers), kind, about)
        try:
            answer = await ask(_inside(walk, tracer.carried(walk.headers, span)))
        except Exception as error:
            span.end(str(error))
            raise
        span.end()
        return answer


def _inside(walk: Walk, headers: list[tuple[bytes, bytes]]) -> Walk:
    """The same walk as seen from inside the span: what is called from there belongs to it, and is called back with all
    the rest when the client goes."""
    if walk.waits_for is None:
        walk.waits_for = []
    inside = copy.copy(walk)  # the branches it takes are noted in the one dict
    inside.headers = headers
    return inside
