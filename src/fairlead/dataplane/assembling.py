"""From a worker's spec and its loaded units to a graph that can be walked."""

import asyncio
from collections.abc import Callable, Mapping

from fairlead.dataplane.graph.batching import Lane, RowQueue
from fairlead.dataplane.graph.contracts import CONTRACTS
from fairlead.dataplane.graph.executor import Executor, Watcher
from fairlead.dataplane.graph.passthrough import PassthroughUnit
from fairlead.dataplane.graph.remote import Peer
from fairlead.dataplane.graph.remote_unit import RemoteUnit
from fairlead.dataplane.graph.units import GraphUnit, LocalUnit
from fairlead.dataplane.loading import is_elsewhere
from fairlead.dataplane.metering import Meters, Place
from fairlead.dataplane.spec import Placement, WorkerSpec
from fairlead.errors import ConfigError
from fairlead.plan.model import Unit
from fairlead.runtimes.base import Servable


def assemble(
    spec: WorkerSpec, servables: Mapping[str, Servable], loop: asyncio.AbstractEventLoop
) -> tuple[Executor, Meters]:
    """Bind every unit of the revision to its code or its address. Raises `ConfigError` for an address that is none."""
    version = dict(spec.revision.labels).get("version", "")
    meters = Meters(Place(deployment=spec.service, predictor=spec.component, version=version))
    placements = {placement.unit: placement for placement in spec.placements}
    units: dict[str, GraphUnit] = {}
    for unit in spec.revision.units:
        placement = placements.get(unit.name)
        if is_elsewhere(unit, placement):
            units[unit.name] = _remote(unit, placement, spec, meters)
        else:
            units[unit.name] = _local(unit, servables[unit.name], spec, meters, loop)
    watchers: dict[str, Watcher] = {}
    closers: list[Callable[[], None]] = []
    if spec.revision.loggers:
        from fairlead.dataplane.payload_log.opening import PayloadLog

        log = PayloadLog(spec)
        watchers |= log.taps
        closers.append(log.close)
        meters.payload_log = log.counts
    return Executor(spec.revision.graph, units, watchers, closers=closers), meters


def _local(
    unit: Unit, servable: Servable, spec: WorkerSpec, meters: Meters, loop: asyncio.AbstractEventLoop
) -> LocalUnit:
    lane = Lane(unit.name, loop, threads=spec.threads)
    queue = RowQueue(servable.rows, lane, loop) if servable.rows is not None else None
    kind = LocalUnit if servable.predict_bytes is None else PassthroughUnit
    return kind(unit, servable, lane, queue, meters)


def _remote(unit: Unit, placement: Placement | None, spec: WorkerSpec, meters: Meters) -> RemoteUnit:
    address = (placement.address if placement is not None else "") or unit.url
    where, _, base = address.removeprefix("http://").partition("/")
    host, _, port = where.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigError(f"unit {unit.name!r}: {address!r} is no address; expected host:port")
    peer = Peer(host, int(port), base=f"/{base}".rstrip("/"), limit_bytes=spec.max_body_bytes)
    contract = CONTRACTS[spec.revision.protocol]
    return RemoteUnit(unit, peer, meters, contract, timeout_s=spec.revision.timeout_s, limit_bytes=spec.max_body_bytes)
