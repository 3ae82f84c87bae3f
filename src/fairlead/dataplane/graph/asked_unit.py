"""What the units of graphs of services have in common: they are asked, and do nothing else that a unit can do."""

from typing import Any

from fairlead.dataplane.graph.outcome import Outcome
from fairlead.dataplane.graph.parcel import Parcel, Stopped, Walk
from fairlead.errors import NotOffered
from fairlead.plan.model import Method, Unit
from fairlead.protocols.message import Reward
from fairlead.runtimes.base import Columns


class AskedUnit:
    """A unit that answers bytes with bytes and a status."""

    columns: Columns | None = None

    def __init__(self, unit: Unit) -> None:
        self.unit = unit

    def at_once(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel | None:  # noqa: ARG002 - a seam's signature
        """Never."""
        return None

    def aggregate_at_once(self, parcels: list[Parcel], walk: Walk) -> Parcel | None:  # noqa: ARG002 - same seam
        """Never."""
        return None

    async def call(self, method: Method, parcel: Parcel, walk: Walk) -> Outcome:
        """The answer, whatever its status."""
        raise NotImplementedError

    async def route(self, parcel: Parcel, walk: Walk) -> int:  # noqa: ARG002 - same seam
        """It chooses nothing."""
        raise self._refused()

    async def aggregate(self, parcels: list[Parcel], walk: Walk) -> Parcel:  # noqa: ARG002 - same seam
        """It combines nothing."""
        raise self._refused()

    async def feedback(self, parcel: Parcel, reward: Reward, walk: Walk) -> Parcel:  # noqa: ARG002 - same seam
        """It learns nothing."""
        return parcel

    async def status(self) -> Parcel:
        """It has a health of its own, which is not this worker's."""
        return Outcome.of(b"")

    async def metadata(self) -> dict[str, Any]:
        """Nothing is known of it."""
        return {}

    async def is_ready(self) -> bool:
        """Always: a service may be at zero, and is started by being asked."""
        return True

    def close(self) -> None:
        """Let it go."""

    def _refused(self) -> Stopped:
        return Stopped(self.unit.name, NotOffered(f"{self.unit.name} is a service: it is asked for answers alone"))
