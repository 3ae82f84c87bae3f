"""Counting requests in plain integers; lines are made of them when somebody asks.

Series keep counting across tables. They end when their service leaves the table, so a machine that served
thousands of short-lived deployments does not carry them for ever.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from fairlead.protocols.exposition import Family, counter, gauge

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Key(NamedTuple):
    """A series' labels: one component of one service."""

    namespace: str
    service: str
    component: str


class Meter:
    """The counts of one component."""

    __slots__ = ("codes", "mirror_failures", "mirrored", "slots", "total_s")

    def __init__(self) -> None:
        self.codes: dict[int | str, int] = {}
        self.slots = [0] * (len(BOUNDS_S) + 1)
        self.total_s = 0.0
        self.mirrored = 0
        self.mirror_failures = 0

    def count(self, status: int | str, duration_s: float) -> None:
        """A request was answered: an HTTP status, or the name of a gRPC code."""
        codes = self.codes
        codes[status] = codes.get(status, 0) + 1
        self.slots[bisect_left(BOUNDS_S, duration_s)] += 1
        self.total_s += duration_s

    @property
    def requests(self) -> int:
        """All that were answered."""
        return sum(self.codes.values())


class Load(NamedTuple):
    """What a component carries now."""

    ready: int
    in_flight: int
    waiting: int


class Meters:
    """Every component's meter. `loads` and `connections` are asked when the metrics are rendered."""

    def __init__(self) -> None:
        self._meters: dict[Key, Meter] = {}
        self.unrouted = 0
        self.loads: Callable[[], Iterable[tuple[Key, Load]]] = lambda: ()
        self.connections: Callable[[], int] = lambda: 0

    def meter(self, key: Key) -> Meter:
        """The meter of a component, the same one every time."""
        return self._meters.setdefault(key, Meter())

    def keep(self, keys: Iterable[Key]) -> None:
        """Forget the components that are not among these."""
        wanted = set(keys)
        self._meters = {key: meter for key, meter in self._meters.items() if key in wanted}

    def families(self) -> Iterator[Family]:
        """All of it."""
        requests = counter("fairlead_gateway_requests", "Requests answered.")
        durations = Family(
            "fairlead_gateway_request_duration_seconds", "histogram", "From the whole request to its answer.", []
        )
        mirrored = counter("fairlead_gateway_mirrored", "Copies sent to a shadow.")
        for key, meter in self._meters.items():
            labels = key._asdict()
            for code, count in meter.codes.items():
                requests.add({**labels, "code": str(code)}, count, "_total")
            durations.add_histogram(labels, BOUNDS_S, meter.slots, meter.total_s)
            if meter.mirrored:
                mirrored.add({**labels, "outcome": "sent"}, meter.mirrored - meter.mirror_failures, "_total")
                mirrored.add({**labels, "outcome": "failed"}, meter.mirror_failures, "_total")
        yield from (requests, durations, mirrored)
        yield from self._gauges()

    def _gauges(self) -> Iterator[Family]:
        loads = list(self.loads())
        for field, text in (
            ("ready", "Replicas that take requests."),
            ("in_flight", "Requests at a replica."),
            ("waiting", "Requests that wait for a replica."),
        ):
            lines = ((key._asdict(), getattr(load, field)) for key, load in loads)
            yield gauge(f"fairlead_gateway_{field}", text, *lines)
        yield counter("fairlead_gateway_unrouted", "Requests that no route takes.", ({}, self.unrouted))
        yield gauge("fairlead_gateway_connections", "Clients connected.", ({}, self.connections()))
