"""What a worker counts, as plain numbers in the hot path; text is made only when somebody asks.

Names and labels are those of Seldon's orchestrator (`seldon_api_executor_*`, specs 3.10) and of its Python wrapper
for the metrics units report themselves (specs 4.8), so that dashboards keep working.
"""

import os
import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from fairlead.plan.model import Unit

if TYPE_CHECKING:
    from prometheus_client.core import Metric

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
QUANTILES = (0.5, 0.75, 0.9, 0.98, 0.99, 1.0)
# 50 bounds from one millisecond to 30 seconds, evenly spaced on a logarithmic scale.
TIMER_BOUNDS = tuple(0.001 * 30000 ** (step / 49) for step in range(50))
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

_SERVER = "seldon_api_executor_server_requests_seconds"
_CLIENT = "seldon_api_executor_client_requests_seconds"
_LOGGED = "fairlead_payload_log_events"
_RECENT = 1024
_MISSING = "NOT_IMPLEMENTED"
_METHODS = {
    "predict": "predict",
    "transform-input": "inputtransform",
    "transform-output": "outputtransform",
    "route": "router",
    "aggregate": "aggregate",
    "feedback": "feedback",
    "health": "health",
}
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_:]")
_NOT_IN_LABELS = re.compile(r"[^a-zA-Z0-9_]")

Labels = dict[str, str]


class Latency:
    """Durations of one labelled series: a histogram, and the latest ones for quantiles."""

    __slots__ = ("_recent", "buckets", "count", "labels", "total")

    def __init__(self, labels: Labels, bounds: int = len(BOUNDS)) -> None:
        self.labels = labels
        self.buckets = [0] * (bounds + 1)
        self.count = 0
        self.total = 0.0
        self._recent: deque[float] = deque(maxlen=_RECENT)

    def observe(self, seconds: float) -> None:
        """Count one call."""
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.count += 1
        self.total += seconds
        self._recent.append(seconds)

    def quantiles(self) -> Iterator[tuple[float, float]]:
        """Quantiles of the latest calls, with their values."""
        ordered = sorted(self._recent)
        for quantile in QUANTILES:
            yield quantile, ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]


@dataclass(slots=True)
class _Custom:
    """One series a unit reports: a sum, a last value, or a histogram of seconds."""

    labels: Labels
    value: float = 0.0
    count: int = 0
    buckets: list[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which deployment, predictor and version a worker serves."""

    deployment: str
    predictor: str
    version: str = ""


class PayloadCounts(Protocol):
    """What became of the events of a payload log."""

    sent: int
    dropped: int
    failed: int


class Meters:
    """All series of one worker."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._base = {
            "deployment_name": place.deployment,
            "predictor_name": place.predictor,
            "predictor_version": place.version,
        }
        self._server: dict[tuple[str, str, str], Latency] = {}
        self._client: dict[tuple[str, str, str, str], Latency] = {}
        self._custom: dict[tuple[str, str], dict[tuple[tuple[str, str], ...], _Custom]] = {}
        self.payload_log: Mapping[str, PayloadCounts] = {}

    def server(self, service: str, method: str, code: str) -> Latency:
        """The series of requests to this worker. Keep it: looking it up costs more than counting."""
        key = (service, method, code)
        series = self._server.get(key)
        if series is None:
            series = self._server[key] = Latency(self._base | {"service": service, "method": method, "code": code})
        return series

    def client(self, unit: Unit, service: str, code: str, *, method: str = "post") -> Latency:
        """The series of calls to one unit."""
        key = (unit.name, service, method, code)
        series = self._client.get(key)
        if series is None:
            image, version = _image_parts(unit.image)
            labels = {"model_name": unit.name, "model_image": image, "model_version": version}
            series = self._client[key] = Latency(
                self._base | labels | {"service": service, "method": method, "code": code}
            )
        return series

    def custom(self, unit: Unit, method: str, metrics: Iterable[dict[str, Any]]) -> None:
        """Count what a unit reported in one call. Entries must be valid metrics (`runtimes` checks them)."""
        for metric in metrics:
            kind = str(metric["type"])
            series = self._custom_series(unit, method, kind, str(metric["key"]), metric.get("tags") or {})
            value = float(metric["value"])
            if kind == "COUNTER":
                series.value += value
            elif kind == "GAUGE":
                series.value = value
            else:
                _observe_timer(series, value / 1000)

    def rewarded(self, unit: Unit, reward: float) -> None:
        """Count one reward."""
        counted = [{"type": "COUNTER", "key": "seldon_api_model_feedback", "value": 1}]
        if reward:
            counted.append({"type": "COUNTER", "key": "seldon_api_model_feedback_reward", "value": reward})
        self.custom(unit, "feedback", counted)

    def render(self) -> bytes:
        """Everything in Prometheus' text format."""
        return _exposition([*self._orchestrator_families(), *self._log_families(), *self._custom_families()])

    def render_custom(self) -> bytes:
        """What a bare unit exposes: the metrics it reports itself."""
        return _exposition(self._custom_families())

    def _custom_series(self, unit: Unit, method: str, kind: str, key: str, tags: dict[str, Any]) -> _Custom:
        family = self._custom.setdefault((kind, key), {})
        labels = {_NOT_IN_LABELS.sub("_", str(name)): str(value) for name, value in tags.items()}
        labels |= self._custom_labels(unit, method)
        found = family.get(marks := tuple(sorted(labels.items())))
        if found is None:
            buckets = [0] * (len(TIMER_BOUNDS) + 1) if kind == "TIMER" else None
            found = family[marks] = _Custom(labels, buckets=buckets)
        return found

    def _custom_labels(self, unit: Unit, method: str) -> Labels:
        image, _, version = unit.image.rpartition(":") if ":" in unit.image else (unit.image, "", "")
        place = self._place
        known = {
            "deployment_name": place.deployment,
            "seldon_deployment_name": place.deployment,
            "predictor_name": place.predictor,
            "predictor_version": place.version,
            "model_name": unit.name,
            "model_image": image,
            "model_version": version,
            "image_name": image,
            "image_version": version,
        }
        return {name: value or _MISSING for name, value in known.items()} | {
            "method": _METHODS.get(method, method),
            "worker_id": str(os.getpid()),
        }

    def _orchestrator_families(self) -> Iterator["Metric"]:
        for name, who, series in (
            (_SERVER, "requests to this predictor", self._server.values()),
            (_CLIENT, "calls to its units", self._client.values()),
        ):
            counted = [one for one in series if one.count]
            if counted:
                yield _histogram(name, f"Seconds spent in {who}.", counted)
                yield _summary(f"{name}_summary", f"Seconds spent in recent {who}.", counted)

    def _log_families(self) -> Iterator["Metric"]:
        if not self.payload_log:
            return
        from prometheus_client.core import CounterMetricFamily

        family = CounterMetricFamily(_LOGGED, "Payload log events, by what became of them.")
        for where, counts in self.payload_log.items():
            for outcome in ("sent", "dropped", "failed"):
                labels = self._base | {"sink": where, "outcome": outcome}
                family.add_sample(f"{_LOGGED}_total", labels, getattr(counts, outcome))
        yield family

    def _custom_families(self) -> Iterator["Metric"]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        for (kind, key), family in self._custom.items():
            name = _NOT_IN_NAMES.sub("_", key)
            metric: Metric
            if kind == "COUNTER":
                metric = CounterMetricFamily(name.removesuffix("_total"), "")
                for one in family.values():
                    metric.add_sample(f"{metric.name}_total", one.labels, one.value)
            elif kind == "GAUGE":
                metric = GaugeMetricFamily(name, "")
                for one in family.values():
                    metric.add_sample(name, one.labels, one.value)
            else:
                metric = HistogramMetricFamily(name, "")
                for one in family.values():
                    _add_histogram(metric, one.labels, TIMER_BOUNDS, one.buckets or [], one.count, one.value)
            yield metric


def _observe_timer(series: _Custom, seconds: float) -> None:
    assert series.buckets is not None  # made with them
    series.buckets[bisect_left(TIMER_BOUNDS, seconds)] += 1
    series.count += 1
    series.value += seconds


def _image_parts(image: str) -> tuple[str, str]:
    """Name and version; a version only when there is exactly one colon, as dashboards know it."""
    parts = image.split(":")
    return (parts[0], parts[1]) if len(parts) == 2 else (image, "")


def _histogram(name: str, text: str, series: list[Latency]) -> "Metric":
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(name, text)
    for one in series:
        _add_histogram(family, one.labels, BOUNDS, one.buckets, one.count, one.total)
    return family


def _add_histogram(
    family: "Metric", labels: Labels, bounds: tuple[float, ...], buckets: list[int], count: int, total: float
) -> None:
    seen = 0
    for bound, bucket in zip((*map(repr, bounds), "+Inf"), buckets, strict=True):
        seen += bucket
        family.add_sample(f"{family.name}_bucket", labels | {"le": bound}, seen)
    family.add_sample(f"{family.name}_count", labels, count)
    family.add_sample(f"{family.name}_sum", labels, total)


def _summary(name: str, text: str, series: list[Latency]) -> "Metric":
    from prometheus_client.core import SummaryMetricFamily

    family = SummaryMetricFamily(name, text)
    for one in series:
        for quantile, value in one.quantiles():
            family.add_sample(name, one.labels | {"quantile": str(quantile)}, value)
        family.add_sample(f"{name}_count", one.labels, one.count)
        family.add_sample(f"{name}_sum", one.labels, one.total)
    return family


def _exposition(families: Iterable["Metric"]) -> bytes:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    gathered = list(families)

    class _Everything(Collector):
        def collect(self) -> Iterable["Metric"]:
            return gathered

    registry = CollectorRegistry()
    registry.register(_Everything())
    return generate_latest(registry)
