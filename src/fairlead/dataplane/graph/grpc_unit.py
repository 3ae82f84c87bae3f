"""A unit behind an address that speaks gRPC. Callers over gRPC reach it over gRPC, others over REST.

A unit with one port of the two is asked there whatever the caller speaks. So is one whose gRPC port nobody listens on:
manifests name both ports for every unit, and many images serve REST alone.
"""

import logging
from time import perf_counter
from typing import Any

from fairlead.dataplane.graph.contracts import Contract
from fairlead.dataplane.graph.grpc_contracts import SELDON_GRPC, GrpcContract, route_of
from fairlead.dataplane.graph.parcel import Parcel, Refused, Stopped, Walk
from fairlead.dataplane.graph.remote import Peer, PeerFailed
from fairlead.dataplane.graph.remote_unit import RemoteUnit
from fairlead.dataplane.metering import Meters
from fairlead.dataplane.net.grpc_peer import GrpcAnswer, GrpcPeer
from fairlead.errors import ClientGone, FairleadError, GrpcCode, NotOffered
from fairlead.plan.model import Method, Unit
from fairlead.protocols.exchange import Headers
from fairlead.protocols.grpc import GRPC, read_metadata
from fairlead.protocols.message import Form, Message, Payload, Reward
from fairlead.protocols.wire import Body, GraphFailed

_log = logging.getLogger(__name__)

_NOT_METADATA = frozenset(
    (
        b"connection", b"content-length", b"content-encoding", b"transfer-encoding", b"keep-alive", b"proxy-connection",
        b"trailer", b"upgrade", b"expect", b"accept-encoding", b"accept", b"inference-header-content-length",
        b"seldon-puid",
    )
)  # fmt: skip
_HTTP = {
    GrpcCode.INVALID_ARGUMENT: 400,
    GrpcCode.UNAUTHENTICATED: 401,
    GrpcCode.PERMISSION_DENIED: 403,
    GrpcCode.NOT_FOUND: 404,
    GrpcCode.RESOURCE_EXHAUSTED: 429,
    GrpcCode.UNIMPLEMENTED: 501,
    GrpcCode.UNAVAILABLE: 503,
    GrpcCode.DEADLINE_EXCEEDED: 504,
}
_NOBODY = "Error while dialing"
_READY_S = 1.0
_HEALTH = "/grpc.health.v1.Health/Check"


class GrpcUnit(RemoteUnit):
    """A unit that is asked over gRPC by callers over gRPC, and by all when it `speaks_http` not."""

    def __init__(
        self,
        unit: Unit,
        peer: Peer,
        meters: Meters,
        contract: Contract,
        *,
        timeout_s: float | None,
        limit_bytes: int,
        grpc_peer: GrpcPeer,
        grpc_contract: GrpcContract,
        grpc_timeout_s: float | None,
        speaks_http: bool,
    ) -> None:
        super().__init__(
            unit, peer, meters, contract, timeout_s=timeout_s, grpc_timeout_s=grpc_timeout_s, limit_bytes=limit_bytes
        )
        self._grpc_peer = grpc_peer
        self._grpc = grpc_contract
        self._speaks_http = speaks_http

    async def call(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel:
        """Ask the unit with the bytes as they are; its answer stays bytes."""
        path = self._way(method, walk)
        if path is not None:
            answer = await self._ask(path, walk, self._request(parcel, walk))
            if answer is not None:
                return self._taken(answer)
        return await super().call(method, parcel, walk)

    async def route(self, parcel: Parcel, walk: Walk) -> int:
        """The branch the unit chooses."""
        # The tensor protocols have no method for it; a router of theirs has a path of its own over REST.
        is_method = self._grpc is SELDON_GRPC or not self._speaks_http
        path = self._way(Method.ROUTE, walk) if is_method else None
        if path is not None:
            answer = await self._ask(path, walk, self._request(parcel, walk))
            if answer is not None:
                self._taken(answer)
                return route_of(self._grpc.wire, answer.body)
        return await super().route(parcel, walk)

    async def aggregate(self, parcels: list[Parcel], walk: Walk) -> Parcel:
        """The unit's one answer for several."""
        path = self._way(Method.AGGREGATE, walk)
        if path is not None:
            answer = await self._ask(path, walk, self._written(lambda: self._grpc.listed(parcels)))
            if answer is not None:
                return self._taken(answer)
        return await super().aggregate(parcels, walk)

    async def feedback(self, parcel: Parcel, reward: Reward, walk: Walk) -> Parcel:
        """Tell the unit, if its contract knows rewards."""
        if not self._contract.takes_feedback:
            return parcel
        path = self._way(Method.FEEDBACK, walk)
        if path is not None:
            answer = await self._ask(path, walk, self._written(lambda: self._grpc.rewarding(parcel, reward)))
            if answer is not None:
                return self._taken(answer)
        return await super().feedback(parcel, reward, walk)

    async def status(self) -> Parcel:
        """What the unit says of its health; without HTTP, that it answers."""
        if self._speaks_http:
            return await super().status()
        if not await self.is_ready():
            raise Stopped(self.unit.name, GraphFailed("no answer over gRPC", unit=self.unit.name, http=503))
        return Parcel(Message(Payload(Form.STRING, "healthy")))

    async def metadata(self) -> dict[str, Any]:
        """What the unit says of itself; without HTTP only Seldon's units have a method for it."""
        if self._speaks_http or self._grpc is not SELDON_GRPC:
            return await super().metadata() if self._speaks_http else {}
        answer = await self._ask(SELDON_GRPC.metadata_path, Walk(b"", []), b"")
        assert answer is not None  # it speaks nothing else
        self._taken(answer)
        return self._read(lambda: SELDON_GRPC.read_metadata(answer.body))

    async def is_ready(self) -> bool:
        """Whether the address gives any answer."""
        if self._speaks_http or self.check is not None:
            return await super().is_ready()
        try:
            await self._grpc_peer.call(_HEALTH, [], b"", _READY_S)
        except PeerFailed:
            return False
        return True

    def close(self) -> None:
        """Drop the connections."""
        super().close()
        self._grpc_peer.close()

    def _way(self, method: Method, walk: Walk) -> str | None:
        """The gRPC method to call, `None` to ask over REST."""
        if self._speaks_http and not walk.is_grpc:
            return None
        path = self._grpc.path(method)
        if path is None and not self._speaks_http:
            words = (
                f"{method.value} has no gRPC method in the protocol {self._grpc.wire.name.value}; the unit needs HTTP"
            )
            raise Stopped(self.unit.name, NotOffered(words))
        return path

    def _request(self, parcel: Parcel, walk: Walk) -> bytes:
        return self._written(lambda: self._grpc.request(parcel, walk.model or self.unit.name))

    def _written(self, write: Any) -> bytes:
        try:
            data: bytes = write()
        except FairleadError as error:
            raise Stopped(self.unit.name, error) from error
        return data

    def _read(self, read: Any) -> dict[str, Any]:
        try:
            known: dict[str, Any] = read()
        except FairleadError as error:
            raise Stopped(self.unit.name, GraphFailed(str(error), unit=self.unit.name)) from error
        return known

    async def _ask(self, path: str, walk: Walk, data: bytes) -> GrpcAnswer | None:
        """The peer's outcome, `None` when nobody listens there and the unit can be asked over REST."""
        started = perf_counter()
        code = GrpcCode.UNKNOWN
        try:
            asking = self._grpc_peer.call(path, _metadata(walk), data, self._within_s(walk))
            answer = await walk.waiting(asking)
            code = answer.code
        except ClientGone as error:
            code = error.grpc
            raise
        except PeerFailed as error:
            code = error.grpc
            if self._speaks_http and _NOBODY in str(error):
                return None
            _log.error("unit %s gave no answer: %s", self.unit.name, error)
            failed = GraphFailed(str(error), unit=self.unit.name, http=_HTTP.get(code, 500))
            failed.grpc = code
            raise Stopped(self.unit.name, failed) from error
        except FairleadError as error:  # metadata that is none
            raise Stopped(self.unit.name, error) from error
        finally:
            self._meters.client(self.unit, path, code.name, method="unary").observe(perf_counter() - started)
        return answer

    def _taken(self, answer: GrpcAnswer) -> Parcel:
        if answer.code is not GrpcCode.OK:
            refused = Refused(_HTTP.get(answer.code, 500), answer.message or f"answered {answer.code.name}")
            refused.grpc = answer.code
            raise Stopped(self.unit.name, refused)
        return Parcel.of_answer(self._grpc.wire, Body(answer.body, GRPC), limit_bytes=self._limit_bytes)


def _metadata(walk: Walk) -> Headers:
    pairs = [(name, value) for name, value in read_metadata(walk.headers) if name not in _NOT_METADATA]
    if walk.puid:
        pairs.append((b"seldon-puid", walk.puid))
    return pairs
