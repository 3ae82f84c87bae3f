"""The stretches of work that are measured, one after the other, and the hour that is made of them."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.operator_scale.cloning import Recorder, clone
from bench.operator_scale.double import Double
from bench.operator_scale.manifests import MANIFESTS, other_model
from fairlead.backends.kubernetes.install.crds import definitions
from fairlead.backends.kubernetes.operator import Followed, Operator, Options, find_config
from fairlead.backends.kubernetes.operator.leading import Terms
from fairlead.backends.kubernetes.operator.resources import NAMESPACE, OWNED, REFERENCES
from fairlead.backends.kubernetes.operator.sweeping import Sweeper
from fairlead.cli.operator import followed as followed_with
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.kserve import KServeDialect
from fairlead.dialects.seldon import SeldonDialect
from support.cluster import Cluster
from support.cluster_definitions import ROUTES

Document = dict[str, Any]

_SETTINGS = ClusterSettings(namespace="default")
_HOUR_S = 3600.0
_SWEEPS_PER_HOUR = _HOUR_S / 600.0
_RENEWALS_PER_HOUR = _HOUR_S / Terms().retry_s
# An API server ends a watch after 30 to 60 minutes (kube-apiserver, --min-request-timeout).
_REWATCHES_PER_HOUR = _HOUR_S / 2700.0
_FRESH = 100
_QUIET_S = 5.0
_QUICK = Options(
    settings=_SETTINGS,
    host="127.0.0.1",
    metrics_port=0,
    health_port=0,
    elects=False,
    calls_per_s=100_000.0,
    call_burst=100_000,
    sweep_every_s=_HOUR_S,
)


@dataclass
class Meter:
    """Calls, processor time and seconds of a stretch of work."""

    double: Double
    cluster: Cluster
    began: tuple[float, float] = (0.0, 0.0)

    def begin(self) -> None:
        """From here."""
        self.cluster.journal.clear()
        self.began = (self._cpu_s(), time.monotonic())

    def read(self, per: float = 1.0) -> Document:
        """To here, divided by a number of things."""
        cpu_s, began = self.began
        calls = {verb: round(count / per, 3) for verb, count in sorted(self.cluster.journal.by_verb().items())}
        return {
            "calls": calls,
            "calls_total": round(self.cluster.journal.total / per, 3),
            "cpu_ms": round((self._cpu_s() - cpu_s) * 1000 / per, 3),
            "seconds": round(time.monotonic() - began, 3),
        }

    def _cpu_s(self) -> float:
        return time.process_time() - self.double.cpu_s()


@asynccontextmanager
async def _operating(cluster: Cluster, followed: list[Followed], options: Options) -> AsyncIterator[Operator]:
    with tempfile.TemporaryDirectory() as folder:
        config = find_config(cluster.write_kubeconfig(Path(folder)))
    operator, stop = Operator(config, followed, options, Catalog()), asyncio.Event()
    running = asyncio.create_task(operator.run(stop))
    try:
        await _until(lambda: all(is_so() for is_so in operator.is_ready))
        yield operator
    finally:
        stop.set()
        await running


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - of another thread
        await asyncio.sleep(0.02)


async def _calm(cluster: Cluster, operator: Operator) -> None:
    """Until the queue is empty and nothing has been asked for a while."""
    quiet, seen = 0, -1
    while quiet < 15:
        total = cluster.journal.total
        quiet = quiet + 1 if total == seen and not len(operator.queue) and not operator.queue.working else 0
        seen = total
        await asyncio.sleep(0.05)


async def _watching(cluster: Cluster) -> None:
    """Until as many watches are open as before and no more come."""
    seen = -1
    while len(cluster.watches()) != seen or seen < 1:
        seen = len(cluster.watches())
        await asyncio.sleep(1.0)


async def measure(kind: str, count: int) -> Document:
    """All figures of one kind and number of resources."""
    double = Double()
    cluster = double.start()
    try:
        seldon, kserve = SeldonDialect(settings=_SETTINGS), KServeDialect(settings=_SETTINGS)
        runtimes = [dict(seed) for seed in kserve.seeds() if seed["kind"] == "ClusterServingRuntime"]
        double.do(lambda: cluster.install([*definitions([seldon, kserve]), ROUTES, *runtimes]))
        return await _measured(double, cluster, kind, count)
    finally:
        double.stop()


async def _measured(double: Double, cluster: Cluster, kind: str, count: int) -> Document:
    followed = followed_with(_SETTINGS)
    meter, figures = Meter(double, cluster), {"kind": kind, "count": count}
    manifests = [MANIFESTS[kind](f"model-{index}-of-many") for index in range(count)]
    fresh = min(max(count // 2, 1), _FRESH)
    recorder = Recorder(cluster)

    async def create(documents: list[Document]) -> None:
        for document in documents:
            await cluster.create(deepcopy(document))
            await asyncio.sleep(0)

    async def change() -> None:
        for document in manifests[:fresh]:
            await cluster.merge(document, other_model(kind))
            await asyncio.sleep(0)

    if count > fresh:
        async with _operating(cluster, followed, _QUICK) as operator:
            await asyncio.to_thread(double.do, lambda: create(manifests[:1]))
            await _until(lambda: _up(cluster, kind) == 1)
            await _calm(cluster, operator)
        double.do(lambda: clone(cluster, recorder, manifests[:-fresh]))
    meter.begin()
    async with _operating(cluster, followed, _QUICK) as operator:
        await _watching(cluster)
        await _calm(cluster, operator)
        figures["restarted"] = meter.read()
        meter.begin()
        await asyncio.to_thread(double.do, lambda: create(manifests[-fresh:]))
        await _calm(cluster, operator)
        figures["made"] = meter.read(per=fresh)
        meter.begin()
        await asyncio.to_thread(double.do, change)
        await _calm(cluster, operator)
        figures["changed"] = meter.read(per=fresh)
        meter.begin()
        await asyncio.sleep(_QUIET_S)
        figures["still"] = meter.read(per=_QUIET_S)
        meter.begin()
        double.do(_each(cluster.end_watches))
        await _watching(cluster)
        await _calm(cluster, operator)
        figures["rewatched"] = meter.read()
        meter.begin()
        await _sweep(cluster, operator, followed)
        figures["swept"] = meter.read()
    figures["up"] = _up(cluster, kind)
    stored = cluster.state.storage.everything()
    figures["objects"] = sum(1 for _, item in stored if "ownerReferences" in item["metadata"])
    return figures


def _each(do: Callable[[], None]) -> Callable[[], Coroutine[Any, Any, None]]:
    async def done() -> None:
        do()

    return done


def _up(cluster: Cluster, kind: str) -> int:
    """How many say that they are there."""
    found = cluster.state.storage.all(cluster.resource(kind).key)
    return sum(
        (item.get("status") or {}).get("state") == "Available"
        or any(
            one["type"] == "Ready" and one["status"] == "True"
            for one in (item.get("status") or {}).get("conditions") or ()
        )
        for item in found
    )


async def _sweep(cluster: Cluster, operator: Operator, followed: list[Followed]) -> None:
    """List everything once, as the operator does every ten minutes."""
    sweeper = Sweeper(api=operator.api, cache=operator.cache, hear=lambda _change: None)
    for kind in (*(one.type for one in followed), *OWNED, *REFERENCES, NAMESPACE):
        if cluster.state.kinds.by_key((kind.group, kind.plural)) is not None:
            await sweeper.sweep(kind)


async def renewal() -> Document:
    """One renewal of the lease, which costs the same whatever there is in the cluster."""
    double = Double()
    cluster = double.start()
    try:
        kinds = definitions([SeldonDialect(settings=_SETTINGS), KServeDialect(settings=_SETTINGS)])
        double.do(lambda: cluster.install(kinds))
        return await _renewed(cluster, followed_with(_SETTINGS), Meter(double, cluster))
    finally:
        double.stop()


async def _renewed(cluster: Cluster, followed: list[Followed], meter: Meter) -> Document:
    """One renewal of the lease."""
    retry_s = 0.05
    terms = Terms(retry_s=retry_s)
    async with _operating(cluster, followed, replace(_QUICK, elects=True, terms=terms)) as operator:
        await _watching(cluster)
        await _calm_but_for_renewals(operator)
        meter.begin()
        await _until(lambda: cluster.journal.total >= 50)
        return meter.read(per=cluster.journal.by_verb().get("update", 0) or 1)


async def _calm_but_for_renewals(operator: Operator) -> None:
    while len(operator.queue) or operator.queue.working:  # noqa: ASYNC110 - tells nobody
        await asyncio.sleep(0.2)
    await asyncio.sleep(1.0)


def idle_hour(figures: Document) -> Document:
    """What an hour costs in which nothing happens, from its pieces."""
    times = {
        "swept": _SWEEPS_PER_HOUR,
        "renewed": _RENEWALS_PER_HOUR,
        "rewatched": _REWATCHES_PER_HOUR,
        "still": _HOUR_S,
    }
    calls = {piece: round(figures[piece]["calls_total"] * often) for piece, often in times.items() if piece != "still"}
    cpu_s = {piece: round(figures[piece]["cpu_ms"] * often / 1000, 1) for piece, often in times.items()}
    return {
        "calls": calls,
        "calls_total": sum(calls.values()),
        "cpu_s": cpu_s,
        "cpu_total_s": round(sum(cpu_s.values()), 1),
    }
