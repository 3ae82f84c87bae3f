"""What a worker counts under the names that the servers of its protocol use, for the dashboards made for them.

KServe's servers time the hooks of a model, MLServer counts inferences, TensorFlow Serving requests by status. All of it
is in the series of calls to units already, so it costs a request nothing; only the hooks of KServe's convention are
timed where they run.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from fairlead.dataplane.tallies import BOUNDS, Latency, Tally
from fairlead.plan.model import Protocol
from fairlead.protocols.exposition import Family, counter

if TYPE_CHECKING:
    from fairlead.dataplane.metering import Place

_HOOKS = {
    "preprocess": ("request_preprocess_seconds", "pre-process request latency"),
    "predict": ("request_predict_seconds", "predict request latency"),
    "explain": ("request_explain_seconds", "explain request latency"),
    "postprocess": ("request_postprocess_seconds", "post-process request latency"),
}
_METHODS = {"/predict": "predict", "/explain": "explain"}
_SUCCESS, _FAILURE = "model_infer_request_success", "model_infer_request_failure"
_DURATION = "model_infer_request_duration"
_TENSORFLOW = ":tensorflow:serving:request_count"


def families(place: "Place", calls: Iterable[Latency], hooks: Mapping[tuple[str, str], Tally]) -> Iterator[Family]:
    """Those of the protocol that the worker speaks."""
    counted = [one for one in calls if one.count]
    if place.spoken in (Protocol.V1, Protocol.V2) and not place.is_seldon:
        yield from _kserve(counted, hooks)
    if place.spoken is Protocol.V2:
        yield from _mlserver(counted)
    elif place.spoken is Protocol.TENSORFLOW:
        yield _tensorflow(counted)


def _kserve(calls: list[Latency], hooks: Mapping[tuple[str, str], Tally]) -> Iterator[Family]:
    made = {hook: Family(name, "histogram", text) for hook, (name, text) in _HOOKS.items()}
    for (unit, hook), tally in hooks.items():
        made[hook].add_histogram({"model_name": unit}, BOUNDS, tally.buckets, tally.total)
    for (unit, hook), series in _by_method(calls).items():
        if (unit, hook) not in hooks:  # a model without hooks: all of the call is its prediction
            buckets = [sum(slot) for slot in zip(*(one.buckets for one in series), strict=True)]
            made[hook].add_histogram({"model_name": unit}, BOUNDS, buckets, sum(one.total for one in series))
    yield from made.values()


def _mlserver(calls: list[Latency]) -> Iterator[Family]:
    success: list[tuple[dict[str, str], float]] = []
    failure: list[tuple[dict[str, str], float]] = []
    duration = Family(_DURATION, "summary", "Model infer request duration")
    for (unit, hook), series in _by_method(calls).items():
        if hook != "predict":
            continue
        labels = {"model": unit, "version": ""}
        good = sum(one.count for one in series if _is_good(one))
        count = sum(one.count for one in series)
        success.append((labels, good))
        failure.append((labels, count - good))
        duration.add(labels, count, "_count")
        duration.add(labels, sum(one.total for one in series), "_sum")
    yield counter(_SUCCESS, "Model infer request success count", *success)
    yield counter(_FAILURE, "Model infer request failure count", *failure)
    yield duration


def _tensorflow(calls: list[Latency]) -> Family:
    # A counter whose name does not end in `_total`, as that server has it.
    family = Family(_TENSORFLOW, "untyped", "The total number of requests.")
    by_status: dict[tuple[str, str], float] = {}
    for (unit, _), series in _by_method(calls).items():
        for one in series:
            key = (unit, "OK" if _is_good(one) else _STATUSES.get(one.labels["code"], "INTERNAL"))
            by_status[key] = by_status.get(key, 0) + one.count
    for (unit, status), count in by_status.items():
        family.add({"model_name": unit, "status": status}, count)
    return family


_STATUSES = {"400": "INVALID_ARGUMENT", "404": "NOT_FOUND", "503": "UNAVAILABLE", "504": "DEADLINE_EXCEEDED"}


def _is_good(one: Latency) -> bool:
    return one.labels["code"] in ("200", "OK")


def _by_method(calls: list[Latency]) -> dict[tuple[str, str], list[Latency]]:
    """The series of each unit's predictions and explanations."""
    found: dict[tuple[str, str], list[Latency]] = {}
    for one in calls:
        hook = _METHODS.get(one.labels["service"])
        if hook is not None:
            found.setdefault((one.labels["model_name"], hook), []).append(one)
    return found
