"""Counting requests in plain integers; prometheus_client renders them when somebody asks.

Series keep counting across tables. They end when their service leaves the table, so a machine that served
thousands of short-lived deployments does not carry them for ever.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BOUND_NAMES = [str(bound) for bound in BOUNDS_S] + ["+Inf"]
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


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
        self.slots = [0] * len(_BOUND_NAMES)
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


class Meters(Collector):
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

    def render(self) -> bytes:
        """The text exposition."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client asks for."""
        labels = ["namespace", "service", "component"]
        requests = CounterMetricFamily("fairlead_gateway_requests", "Requests answered.", labels=[*labels, "code"])
        durations = HistogramMetricFamily(
            "fairlead_gateway_request_duration_seconds", "From the whole request to its answer.", labels=labels
        )
        mirrored = CounterMetricFamily(
            "fairlead_gateway_mirrored", "Copies sent to a shadow.", labels=[*labels, "outcome"]
        )
        for key, meter in self._meters.items():
            for code, count in meter.codes.items():
                requests.add_metric([*key, str(code)], count)
            durations.add_metric(key, _cumulative(meter.slots), meter.total_s)
            if meter.mirrored:
                mirrored.add_metric([*key, "sent"], meter.mirrored - meter.mirror_failures)
                mirrored.add_metric([*key, "failed"], meter.mirror_failures)
        yield from (requests, durations, mirrored)
        yield from self._gauges(labels)

    def _gauges(self, labels: list[str]) -> Iterator[Metric]:
        loads = list(self.loads())
        for field, text in (
            ("ready", "Replicas that take requests."),
            ("in_flight", "Requests at a replica."),
            ("waiting", "Requests that wait for a replica."),
        ):
            gauge = GaugeMetricFamily(f"fairlead_gateway_{field}", text, labels=labels)
            for key, load in loads:
                gauge.add_metric(key, getattr(load, field))
            yield gauge
        yield CounterMetricFamily("fairlead_gateway_unrouted", "Requests that no route takes.", value=self.unrouted)
        yield GaugeMetricFamily("fairlead_gateway_connections", "Clients connected.", value=self.connections())


def _cumulative(slots: list[int]) -> list[tuple[str, float]]:
    total = 0
    buckets: list[tuple[str, float]] = []
    for name, count in zip(_BOUND_NAMES, slots, strict=True):
        total += count
        buckets.append((name, total))
    return buckets
