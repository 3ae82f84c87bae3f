"""From a worker's spec and its loaded units to a graph that can be walked."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from fairlead.dataplane.addresses import peer_at, service_at, split
from fairlead.dataplane.graph.batching import Lane, RowQueue
from fairlead.dataplane.graph.contracts import CONTRACTS, Contract
from fairlead.dataplane.graph.executor import Executor, Watcher
from fairlead.dataplane.graph.gathering import Gatherer
from fairlead.dataplane.graph.passthrough import PassthroughUnit
from fairlead.dataplane.graph.proto_unit import ProtoUnit
from fairlead.dataplane.graph.remote import Peer
from fairlead.dataplane.graph.remote_unit import RemoteUnit
from fairlead.dataplane.graph.units import GraphUnit, LocalUnit
from fairlead.dataplane.loading import is_elsewhere
from fairlead.dataplane.metering import Meters, Place
from fairlead.dataplane.spec import Checking, Placement, WorkerSpec
from fairlead.plan.model import Protocol, Unit
from fairlead.runtimes.base import Servable

if TYPE_CHECKING:
    from fairlead.dataplane.graph.checking import Check
    from fairlead.dataplane.tracing.tracer import Tracer


def assemble(
    spec: WorkerSpec,
    servables: Mapping[str, Servable],
    loop: asyncio.AbstractEventLoop,
    *,
    tracer: "Tracer | None" = None,
) -> tuple[Executor, Meters]:
    """Bind every unit of the revision to its code or its address. Raises `ConfigError` for an address that is none."""
    version = dict(spec.revision.labels).get("version", "")
    place = Place(
        deployment=spec.service,
        predictor=spec.component,
        version=version,
        revision=spec.revision.hash,
        spoken=spec.revision.protocol,
        # Only Seldon's graphs have a drawing.
        is_seldon=spec.revision.graph.drawing is not None,
    )
    meters = Meters(place)
    placements = {placement.unit: placement for placement in spec.placements}
    units: dict[str, GraphUnit] = {}
    for unit in spec.revision.units:
        placement = placements.get(unit.name)
        if is_elsewhere(unit, placement):
            units[unit.name] = _remote(unit, placement, spec, meters)
        elif spec.revision.protocol is Protocol.RAW:
            units[unit.name] = _inner(unit, servables[unit.name], spec, meters, loop)
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
    policy = spec.revision.batching
    gathered = None if policy is None else (lambda step: Gatherer(step, policy, loop.call_later))
    asked: Mapping[str, GraphUnit] | None = None
    if tracer is not None:
        from fairlead.dataplane.tracing.units import TracedUnit

        asked = {name: TracedUnit(unit, tracer) for name, unit in units.items()}
        closers.append(tracer.close)
    return Executor(spec.revision.graph, units, watchers, closers=closers, gathered=gathered, asked=asked), meters


def _inner(
    unit: Unit, servable: Servable, spec: WorkerSpec, meters: Meters, loop: asyncio.AbstractEventLoop
) -> GraphUnit:
    from fairlead.dataplane.fusing import inner_service

    return inner_service(unit, spec, meters, lambda named, inner: _local(named, servable, inner, meters, loop))


def _local(
    unit: Unit, servable: Servable, spec: WorkerSpec, meters: Meters, loop: asyncio.AbstractEventLoop
) -> LocalUnit:
    lane = Lane(unit.name, loop, threads=spec.threads, tally=meters.unit(unit.name))
    if hasattr(servable, "hook_ran"):
        servable.hook_ran = partial(meters.hook_ran, unit.name)
    queue = RowQueue(servable.rows, lane, loop) if servable.rows is not None else None
    kind = LocalUnit
    if servable.predict_bytes is not None:
        kind = PassthroughUnit
    elif getattr(servable, "takes_protos", False):
        kind = ProtoUnit
    elif getattr(servable, "awaited", None):
        from fairlead.dataplane.graph.awaited_unit import AwaitedUnit

        kind = AwaitedUnit
    revision = spec.revision
    return kind(
        unit, servable, lane, queue, meters, timeout_s=revision.timeout_s, grpc_timeout_s=revision.grpc_timeout_s
    )


def _remote(unit: Unit, placement: Placement | None, spec: WorkerSpec, meters: Meters) -> GraphUnit:
    made = _made_remote(unit, placement, spec, meters)
    if spec.checking is not Checking.ANSWERS and isinstance(made, RemoteUnit):
        made.check = _check(unit, placement, spec, made.peer)
    return made


def _check(unit: Unit, placement: Placement | None, spec: WorkerSpec, peer: Peer) -> "Check":
    from fairlead.dataplane.graph.checking import connecting, healthy

    asking = healthy(peer, spec.revision.protocol) if spec.checking is Checking.IS_HEALTHY else None
    host, port, _ = split(unit, (placement.address if placement is not None else "") or unit.url)
    return asking or connecting(host, port)


def _made_remote(unit: Unit, placement: Placement | None, spec: WorkerSpec, meters: Meters) -> GraphUnit:
    address = (placement.address if placement is not None else "") or unit.url
    revision, limit_bytes = spec.revision, spec.max_body_bytes
    if unit.runtime == "bento":
        from fairlead.dataplane.graph.server_unit import ServerUnit

        return ServerUnit(unit, peer_at(unit, address, limit_bytes=limit_bytes))
    if revision.protocol is Protocol.RAW:
        return _service(unit, address, spec, meters)
    peer = peer_at(unit, address, limit_bytes=limit_bytes)
    contract = CONTRACTS[revision.protocol]
    grpc_address = placement.grpc_address if placement is not None else ""
    if grpc_address and revision.protocol is not Protocol.V1:  # which has no services
        return _grpc_unit(unit, peer, contract, meters, spec, address=address, grpc_address=grpc_address)
    return RemoteUnit(
        unit,
        peer,
        meters,
        contract,
        timeout_s=revision.timeout_s,
        grpc_timeout_s=revision.grpc_timeout_s,
        limit_bytes=limit_bytes,
    )


def _service(unit: Unit, address: str, spec: WorkerSpec, meters: Meters) -> GraphUnit:
    from fairlead.dataplane.graph.service_unit import ServiceUnit

    limit_bytes = spec.max_body_bytes
    peer = service_at(unit, address, limit_bytes=limit_bytes)
    return ServiceUnit(unit, peer, meters, timeout_s=spec.revision.timeout_s, limit_bytes=limit_bytes)


def _grpc_unit(
    unit: Unit,
    peer: Peer,
    contract: Contract,
    meters: Meters,
    spec: WorkerSpec,
    *,
    address: str,
    grpc_address: str,
) -> RemoteUnit:
    from fairlead.dataplane.graph.grpc_contracts import GRPC_CONTRACTS
    from fairlead.dataplane.graph.grpc_unit import GrpcUnit
    from fairlead.dataplane.net.grpc_peer import GrpcPeer

    revision, limit_bytes = spec.revision, spec.max_body_bytes
    host, port, _ = split(unit, grpc_address)
    return GrpcUnit(
        unit,
        peer,
        meters,
        contract,
        timeout_s=revision.timeout_s,
        limit_bytes=limit_bytes,
        grpc_peer=GrpcPeer(host, port, limit_bytes=limit_bytes),
        grpc_contract=GRPC_CONTRACTS[revision.protocol],
        grpc_timeout_s=revision.grpc_timeout_s,
        speaks_http=address != grpc_address or unit.http_port != 0 or unit.isolate,
    )
