"""How every surface asks its graph, whatever its answers look like: wait for the step, write its value or its failure,
count it, and let go when the client leaves."""

from collections.abc import Callable
from time import perf_counter
from typing import TypeVar

from fairlead.dataplane.graph.driving import Step, drive
from fairlead.dataplane.graph.parcel import Parcel, Walk
from fairlead.dataplane.metering import Meters
from fairlead.errors import FairleadError
from fairlead.protocols.exchange import Reply, Response

T = TypeVar("T")

Count = Callable[[int], None]
"""Counts a request by the status of its answer."""


def counting(meters: Meters, service: str, method: str) -> Count:
    """Counts one request that begins now, under the service and verb of Seldon's orchestrator."""
    started = perf_counter()
    verb = method.lower()

    def count(status: int) -> None:
        meters.server(service, verb, str(status)).observe(perf_counter() - started)

    return count


def uncounted(status: int) -> None:
    """For questions whose number tells nobody anything."""


def ask(
    step: Step[T],
    walk: Walk,
    reply: Reply,
    respond: Callable[[T | None, Exception | None], Response | None],
    count: Count,
) -> None:
    """Answer with what `respond`, which never raises, makes of the step's value or failure; it gives `None` for a value
    that it answers and counts by itself, in pieces."""

    def done(value: T | None, error: Exception | None) -> None:
        response = respond(value, error)
        if response is not None:
            reply(response)
            count(response.status)

    drive(step, done)
    walk.follow(reply)


async def failing(error: FairleadError) -> Parcel:
    """A step of what could not be asked at all, so that its failure is worded and counted as every other."""
    raise error
