"""What the gateway says, as the loop takes it."""

from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from fairlead.backends.local.gateway.messages import Demand
from fairlead.backends.local.scaling.watching import Load


class Tells(Protocol):
    """What is needed of the gateway's client: says every second what is asked of components, without end."""

    def demand(self) -> AsyncIterator[Demand]: ...


def loads_of(demand: Demand) -> Iterator[Load]:
    """Each component's."""
    for one in demand.components:
        key = f"{one.kind}/{one.namespace}/{one.service}", one.component
        yield Load(key, one.concurrency, one.requests, one.waiting, one.is_poke)
