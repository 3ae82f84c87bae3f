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

    kind: str
    namespace: str
    service: str
    component: str

    @property
    def path(self) -> str:
        """How people are told which component is meant."""
        return f"{self.namespace}/{self.service}/{self.component}"


class Meter:
    """The counts of one component.

    How many requests are open, added up over time, needs no clock of its own: it is how long those took that ended, and
    how long those that did not are here. So a request costs an addition when it comes and one when it goes."""

    __slots__ = ("arrived", "codes", "mirror_failures", "mirrored", "since_s", "slots", "total_s")

    def __init__(self) -> None:
        self.arrived = 0
        self.since_s = 0.0
        """When the open ones came, added up."""
        self.codes: dict[int | str, int] = {}
        self.slots = [0] * (len(BOUNDS_S) + 1)
        self.total_s = 0.0
        self.mirrored = 0
        self.mirror_failures = 0

    def begin(self, now: float) -> None:
        """A request came."""
        self.arrived += 1
        self.since_s += now

    def count(self, status: int | str, began: float, duration_s: float) -> None:
        """A request was answered: an HTTP status, or the name of a gRPC code. `began` is what `begin` was told."""
        self.since_s -= began
        codes = self.codes
        codes[status] = codes.get(status, 0) + 1
        self.slots[bisect_left(BOUNDS_S, duration_s)] += 1
        self.total_s += duration_s

    @property
    def requests(self) -> int:
        """All that were answered."""
        return sum(self.codes.values())

    @property
    def open(self) -> int:
        """Those that were not yet."""
        return self.arrived - self.requests

    def presence_s(self, now: float) -> float:
        """For how long requests were here, all of them together, up to now."""
        count = self.open
        if not count:
            self.since_s = 0.0  # or what is lost in rounding would add up
        return self.total_s + count * now - self.since_s


class Load(NamedTuple):
    """What a component carries now."""

    ready: int
    in_flight: int
    waiting: int


class Meters:
    """Every component's meter. `loads`, `connections` and `scales` are asked when the metrics are rendered. `clock` is
    the one that meters are told the time by."""

    def __init__(self) -> None:
        self._meters: dict[Key, Meter] = {}
        self.unrouted = 0
        self.loads: Callable[[], Iterable[tuple[Key, Load]]] = lambda: ()
        self.connections: Callable[[], int] = lambda: 0
        self.clock: Callable[[], float] = lambda: 0.0
        self.scales: Callable[[], Iterable[Family]] = lambda: ()

    def meter(self, key: Key) -> Meter:
        """The meter of a component, the same one every time."""
        return self._meters.setdefault(key, Meter())

    def forget(self, keys: Iterable[Key]) -> None:
        """These components are no more."""
        for key in keys:
            self._meters.pop(key, None)

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
        yield from (requests, durations, mirrored, *self._concurrency())
        yield from self._gauges()
        yield from self.scales()

    def _concurrency(self) -> Iterator[Family]:
        now = self.clock()
        presence = counter(
            "fairlead_gateway_presence_seconds",
            "For how long requests were here, at a replica or waiting for one; its rate is their average number.",
        )
        concurrency = gauge("fairlead_gateway_concurrency", "Requests that are here, at a replica or waiting for one.")
        for key, meter in self._meters.items():
            presence.add(key._asdict(), meter.presence_s(now), "_total")
            concurrency.add(key._asdict(), meter.open)
        yield from (presence, concurrency)

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
