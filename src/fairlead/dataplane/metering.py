"""What a worker counts, as plain numbers in the hot path; lines are made only when somebody asks.

Names and labels are those of Seldon's orchestrator (`seldon_api_executor_*`), of its Python wrapper for the
metrics units report themselves, and of the servers whose protocol a worker speaks (`dialect_metrics`), so
that dashboards keep working; `fairlead_*` says what none of them does.
"""

import copy
import os
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol

from fairlead.dataplane.tallies import BOUNDS, FINE_BOUNDS, ROW_BOUNDS, Latency, Tally, UnitTally
from fairlead.plan.model import Protocol as Spoken
from fairlead.plan.model import Unit
from fairlead.protocols.exposition import CONTENT_TYPE, Family, Labels, counter, write

__all__ = ["CONTENT_TYPE", "Latency", "Meters", "Place"]

# 50 bounds from one millisecond to 30 seconds, evenly spaced on a logarithmic scale.
TIMER_BOUNDS = tuple(0.001 * 30000 ** (step / 49) for step in range(50))

_SERVER = "seldon_api_executor_server_requests_seconds"
_CLIENT = "seldon_api_executor_client_requests_seconds"
_LOGGED = "fairlead_payload_log_events"
_REFUSED = "fairlead_refused"
_QUEUE, _MODEL, _ROWS = "fairlead_queue_seconds", "fairlead_model_seconds", "fairlead_batch_rows"
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


@dataclass(slots=True)
class _Custom:
    """One series a unit reports: a sum, a last value, or a histogram of seconds."""

    labels: Labels
    value: float = 0.0
    buckets: list[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which deployment, predictor and version a worker serves. `revision` is the plan's hash. `spoken` is the protocol
    whose servers' metrics are wanted beside ours, `None` for none; `is_seldon` says that a SeldonDeployment's
    orchestrator is meant to be in front of it."""

    deployment: str
    predictor: str
    version: str = ""
    revision: str = ""
    spoken: Spoken | None = None
    is_seldon: bool = True


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
        self._units: dict[str, UnitTally] = {}
        self._hooks: dict[tuple[str, str], Tally] = {}
        self._hook_lock = Lock()
        self.refused = 0
        """Requests over the replica's own limit."""
        self._custom: dict[tuple[str, str], dict[tuple[tuple[str, str], ...], _Custom]] = {}
        self.payload_log: Mapping[str, PayloadCounts] = {}

    def inside(self) -> "Meters":
        """The same series but for those of requests to this worker: for services that it asks inside of itself."""
        inside = copy.copy(self)
        inside._server = {}
        return inside

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

    def unit(self, name: str) -> UnitTally:
        """What a unit's calls cost. Keep it."""
        return self._units.setdefault(name, UnitTally())

    def hook_ran(self, unit: str, hook: str, seconds: float) -> None:
        """One hook of user code returned; called from the thread it ran on."""
        with self._hook_lock:
            self._hooks.setdefault((unit, hook), Tally(BOUNDS)).observe(seconds)

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

    def families(self) -> list[Family]:
        """Everything, for whoever adds up several workers."""
        from fairlead.dataplane import dialect_metrics, process_metrics

        return [
            *self._orchestrator_families(),
            *self._unit_families(),
            *dialect_metrics.families(self._place, self._client.values(), self._hooks),
            *self._log_families(),
            *self._custom_families(),
            *process_metrics.families(),
        ]

    def render(self) -> bytes:
        """Everything in Prometheus' text format."""
        return write(self.families())

    def render_custom(self) -> bytes:
        """What a bare unit exposes: the metrics it reports itself."""
        return write(self._custom_families())

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

    def _orchestrator_families(self) -> Iterator[Family]:
        for name, who, series in (
            (_SERVER, "requests to this predictor", self._server.values()),
            (_CLIENT, "calls to its units", self._client.values()),
        ):
            counted = [one for one in series if one.count]
            if counted:
                yield _histogram(name, f"Seconds spent in {who}.", counted)
                yield _summary(f"{name}_summary", f"Seconds spent in recent {who}.", counted)

    def _unit_families(self) -> Iterator[Family]:
        queue = Family(_QUEUE, "histogram", "Seconds that a call waited for its unit.")
        model = Family(_MODEL, "histogram", "Seconds spent in the unit's own code, once for each call of it.")
        rows = Family(_ROWS, "histogram", "Rows in one call of a row-wise model.")
        base = self._base | {"revision": self._place.revision}
        refused = [(base | {"unit": ""}, self.refused)]
        for name, tally in self._units.items():
            labels = base | {"unit": name}
            queue.add_histogram(labels, FINE_BOUNDS, tally.wait_buckets(), tally.waits.total)
            model.add_histogram(labels, FINE_BOUNDS, tally.inside.buckets, tally.inside.total)
            if tally.rows.count:
                rows.add_histogram(labels, ROW_BOUNDS, tally.rows.buckets, tally.rows.total)
            refused.append((labels, tally.refused))
        yield from (queue, model, rows)
        yield counter(_REFUSED, "Requests refused because too many wait: of a unit, or (no unit) of all.", *refused)

    def _log_families(self) -> Iterator[Family]:
        lines = [
            (self._base | {"sink": where, "outcome": outcome}, getattr(counts, outcome))
            for where, counts in self.payload_log.items()
            for outcome in ("sent", "dropped", "failed")
        ]
        yield counter(_LOGGED, "Payload log events, by what became of them.", *lines)

    def _custom_families(self) -> Iterator[Family]:
        for (kind, key), family in self._custom.items():
            name = _NOT_IN_NAMES.sub("_", key)
            if kind == "COUNTER":
                yield counter(name.removesuffix("_total"), "", *((one.labels, one.value) for one in family.values()))
                continue
            made = Family(name, "gauge" if kind == "GAUGE" else "histogram", "")
            for one in family.values():
                if one.buckets is None:
                    made.add(one.labels, one.value)
                else:
                    made.add_histogram(one.labels, TIMER_BOUNDS, one.buckets, one.value)
            yield made


def _observe_timer(series: _Custom, seconds: float) -> None:
    assert series.buckets is not None  # made with them
    series.buckets[bisect_left(TIMER_BOUNDS, seconds)] += 1
    series.value += seconds


def _image_parts(image: str) -> tuple[str, str]:
    """Name and version; a version only when there is exactly one colon, as dashboards know it."""
    parts = image.split(":")
    return (parts[0], parts[1]) if len(parts) == 2 else (image, "")


def _histogram(name: str, text: str, series: list[Latency]) -> Family:
    family = Family(name, "histogram", text)
    for one in series:
        family.add_histogram(one.labels, BOUNDS, one.buckets, one.total)
    return family


def _summary(name: str, text: str, series: list[Latency]) -> Family:
    family = Family(name, "summary", text)
    for one in series:
        for quantile, value in one.quantiles():
            family.add(one.labels | {"quantile": str(quantile)}, value)
        family.add(one.labels, one.count, "_count")
        family.add(one.labels, one.total, "_sum")
    return family
