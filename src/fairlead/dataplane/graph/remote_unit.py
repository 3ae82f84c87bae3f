"""A unit behind an address: a container, a command, another service. Bytes go out and come back untouched when the
peer speaks what the client spoke.

Which paths and bodies a peer understands is its `Contract`; how calls are made, counted and refused is the same
for all of them.
"""

import asyncio
import logging
import math
from time import perf_counter
from typing import Any

from fairlead.dataplane.graph.checking import Check
from fairlead.dataplane.graph.contracts import METHOD_HEADER, Contract
from fairlead.dataplane.graph.parcel import JSON, Parcel, Refused, Stopped, Walk, plain
from fairlead.dataplane.graph.remote import Answer, Peer, PeerFailed
from fairlead.dataplane.metering import Meters
from fairlead.errors import ClientGone, FairleadError, GrpcCode
from fairlead.plan.model import Method, Unit
from fairlead.protocols import jsontext
from fairlead.protocols.grpc import parse_timeout
from fairlead.protocols.message import Reward
from fairlead.protocols.wire import Body, GraphFailed
from fairlead.runtimes.base import Columns

_log = logging.getLogger(__name__)

# What belongs to one connection, or is set anew for each call; the rest of a request's headers travel on (3.2).
_NOT_FORWARDED = frozenset(
    (
        b"host", b"connection", b"content-length", b"content-type", b"content-encoding", b"transfer-encoding",
        b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade", b"expect", b"seldon-puid",
        b"accept-encoding", b"inference-header-content-length", METHOD_HEADER,
    )
)  # fmt: skip


class RemoteUnit:
    """A unit that is asked over HTTP/1.1."""

    def __init__(
        self,
        unit: Unit,
        peer: Peer,
        meters: Meters,
        contract: Contract,
        *,
        timeout_s: float | None,
        limit_bytes: int,
        grpc_timeout_s: float | None = None,
    ) -> None:
        self.unit = unit
        self.columns: Columns | None = None  # the contract of units has no word for them
        self.peer = peer
        self._meters = meters
        self._contract = contract
        self._timeout_s = timeout_s
        self._grpc_timeout_s = grpc_timeout_s
        self._limit_bytes = limit_bytes
        self.check: Check | None = None
        """Asked instead of the unit's own status, where an orchestrator has another idea of ready."""

    def at_once(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel | None:  # noqa: ARG002 - a seam's signature
        """Never: somebody else has to answer."""
        return None

    def aggregate_at_once(self, parcels: list[Parcel], walk: Walk) -> Parcel | None:  # noqa: ARG002 - same seam
        """Never."""
        return None

    async def call(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel:
        """Ask the unit with the bytes as they are; its answer stays bytes."""
        body = self._asked(parcel)
        path = self._path(method, walk)
        # Peers of the tensor protocols have one path for a model and a transformer; one of ours may be both.
        own = method if method is not Method.PREDICT and path == self._path(Method.PREDICT, walk) else None
        return self._accepted(await self._send("POST", path, walk, body, method=own))

    async def route(self, parcel: Parcel, walk: Walk) -> int:
        """The branch the unit chooses."""
        path = self._path(Method.ROUTE, walk)
        answer = await self._send("POST", path, walk, self._asked(parcel))
        if answer.status != 200:
            info = (
                f"Internal service call from executor failed calling {self.peer.url}{path} status code {answer.status}"
            )
            raise self._stopped(answer.status, info)
        try:
            return self._contract.route_of(plain(_body(answer), self._limit_bytes)) if answer.body else -1
        except FairleadError:
            return -1

    async def aggregate(self, parcels: list[Parcel], walk: Walk) -> Parcel:
        """The unit's one answer for several."""
        listed = Body(b"[" + b",".join([self._item(parcel) for parcel in parcels]) + b"]")
        return self._accepted(await self._send("POST", self._path(Method.AGGREGATE, walk), walk, listed))

    async def feedback(self, parcel: Parcel, reward: Reward, walk: Walk) -> Parcel:
        """Tell the unit with the bytes as they came, if its contract knows rewards."""
        if not self._contract.takes_feedback:
            return parcel
        came = parcel.bytes_
        body = came if came is not None and parcel.wire is self._contract.wire else Body(jsontext.dumps(reward.raw))
        return self._accepted(await self._send("POST", self._path(Method.FEEDBACK, walk), walk, body))

    async def status(self) -> Parcel:
        """What the unit says of its health."""
        return self._accepted(await self._send("GET", self._contract.status_path(self.unit.name), Walk(b"", []), None))

    async def metadata(self) -> dict[str, Any]:
        """What the unit says of itself."""
        answer = await self._send("GET", self._contract.metadata_path(self.unit.name), Walk(b"", []), None)
        self._accepted(answer)
        try:
            value = jsontext.loads(plain(_body(answer), self._limit_bytes).data)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise self._stopped(500, "Data is not JSON")
        return value

    async def is_ready(self) -> bool:
        """Whether the address gives any HTTP answer. A unit that only accepts connections while it crashes and
        restarts is not ready."""
        if self.check is not None:
            return await self.check()
        try:
            await self.peer.call("GET", self._contract.status_path(self.unit.name), [], b"", timeout_s=1.0)
        except PeerFailed:
            return False
        return True

    def close(self) -> None:
        """Drop the connections."""
        self.peer.close()

    def _within_s(self, walk: Walk) -> float | None:
        """The unit's own limit, or what is left to a caller over gRPC if that is less."""
        if not walk.is_grpc:
            return self._timeout_s
        now = asyncio.get_running_loop().time()
        if walk.due is None:
            # What the units of this worker took before is not counted here; the server ends the call on time anyhow.
            walk.due = now + _given_s(walk)
        left_s = max(0.0, walk.due - now)
        if self._grpc_timeout_s is not None:
            left_s = min(left_s, self._grpc_timeout_s)
        return None if left_s == math.inf else left_s

    def _path(self, method: Method, walk: Walk) -> str:
        return self._contract.path(method, walk.model or self.unit.name)

    def _asked(self, parcel: Parcel) -> Body:
        try:
            return parcel.request_body(self._contract.wire)
        except FairleadError as error:
            raise Stopped(self.unit.name, error) from error

    def _item(self, parcel: Parcel) -> bytes:
        """One child's answer as an item of the combiner's list."""
        wire = self._contract.wire
        try:
            body = parcel.answer_bytes(wire)
            if body is None or body.json_bytes >= 0:  # binary tensors have no place in a list
                return wire.write_answer(parcel.message(), None).data.strip()
            data = plain(body, self._limit_bytes).data
            jsontext.loads(data)
        except ValueError as error:
            raise Stopped(self.unit.name, GraphFailed("Data is not JSON", unit=self.unit.name)) from error
        return data.strip()

    async def _send(
        self, verb: str, path: str, walk: Walk, body: Body | None, *, method: Method | None = None
    ) -> Answer:
        started = perf_counter()
        code = "500"
        try:
            data = b"" if body is None else body.data
            headers = _forwarded(walk, body)
            if method is not None:
                headers.append((METHOD_HEADER, method.value.encode()))
            asking = self.peer.call(verb, path, headers, data, timeout_s=self._within_s(walk))
            answer = await walk.waiting(asking)
            code = str(answer.status)
        except ClientGone as error:
            code = str(error.http)
            raise
        except PeerFailed as error:
            _log.error("unit %s gave no answer: %s", self.unit.name, error)
            raise self._stopped(500, str(error), error.grpc) from error
        finally:
            self._meters.client(self.unit, path, code, method=verb.lower()).observe(perf_counter() - started)
        return answer

    def _accepted(self, answer: Answer) -> Parcel:
        body = _body(answer)
        wire = self._contract.wire
        if answer.status != 200:
            refused = Refused(answer.status, self._contract.words_of(answer.body) or f"answered {answer.status}")
            raise Stopped(self.unit.name, refused, answer=body, wire=wire)
        return Parcel.of_answer(wire, body, limit_bytes=self._limit_bytes)

    def _stopped(self, http: int, info: str, code: GrpcCode = GraphFailed.grpc) -> Stopped:
        reason = f"unit {self.unit.name!r} failed"
        failed = GraphFailed(info, unit=self.unit.name, http=http, reason_text=reason)
        failed.grpc = code
        return Stopped(self.unit.name, failed)


def _given_s(walk: Walk) -> float:
    given = (parse_timeout(value) for name, value in walk.headers if name == b"grpc-timeout")
    return min((seconds for seconds in given if seconds is not None), default=math.inf)


def _body(answer: Answer) -> Body:
    length = answer.headers.get(b"inference-header-content-length", b"")
    return Body(
        answer.body,
        answer.headers.get(b"content-type", b"") or JSON,
        answer.headers.get(b"content-encoding", b""),
        int(length) if length.isdigit() else -1,
    )


def _forwarded(walk: Walk, body: Body | None) -> list[tuple[bytes, bytes]]:
    headers = [(name, value) for name, value in walk.headers if name not in _NOT_FORWARDED]
    if walk.puid:
        headers.append((b"seldon-puid", walk.puid))
    if body is not None:
        headers.append((b"content-type", body.content_type or JSON))
        if body.content_encoding:
            headers.append((b"content-encoding", body.content_encoding))
        if body.json_bytes >= 0:
            headers.append((b"inference-header-content-length", b"%d" % body.json_bytes))
    return headers
