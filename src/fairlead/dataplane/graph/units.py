"""A unit as the graph sees it: the same questions whether its code is in this process or behind an address.

Every failure leaves here as `Stopped`, with the unit's name and the body its client gets (specs 3.8, 4.6).
"""

import logging
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from fairlead.dataplane.graph.batching import Lane, RowQueue
from fairlead.dataplane.graph.driving import Later
from fairlead.dataplane.graph.parcel import JSON, Parcel, Stopped, Walk
from fairlead.dataplane.graph.remote import Answer, Peer, PeerFailed
from fairlead.dataplane.metering import Meters
from fairlead.errors import FairleadError
from fairlead.plan.model import Method, Unit
from fairlead.protocols import jsontext, seldon_v1
from fairlead.protocols.message import Message, Meta, Payload, Reward
from fairlead.runtimes.base import Columns, Rows, Servable

_log = logging.getLogger(__name__)

PATHS = {
    Method.PREDICT: "/predict",
    Method.TRANSFORM_INPUT: "/transform-input",
    Method.TRANSFORM_OUTPUT: "/transform-output",
    Method.ROUTE: "/route",
    Method.AGGREGATE: "/aggregate",
    Method.FEEDBACK: "/send-feedback",
}
_PREDICT = Method.PREDICT  # a member of an enum costs a call to look up
STATUS_PATH = "/health/status"
METADATA_PATH = "/metadata"

# What belongs to one connection, or is set anew for each call; the rest of a request's headers travel on (3.2).
_NOT_FORWARDED = frozenset(
    (
        b"host", b"connection", b"content-length", b"content-type", b"content-encoding", b"transfer-encoding",
        b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade", b"expect", b"seldon-puid",
        b"accept-encoding",
    )
)  # fmt: skip


class GraphUnit(Protocol):
    """One unit of a graph."""

    unit: Unit
    columns: Columns | None

    async def call(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel: ...
    async def route(self, parcel: Parcel, walk: Walk) -> int: ...
    async def aggregate(self, parcels: list[Parcel], walk: Walk) -> Parcel: ...
    async def feedback(self, parcel: Parcel, reward: Reward, walk: Walk) -> Parcel: ...
    async def status(self) -> Parcel: ...
    async def metadata(self) -> dict[str, Any]: ...
    async def is_ready(self) -> bool: ...
    def close(self) -> None: ...


class _Rows(Later[np.ndarray[Any, Any] | None]):
    """A message's place in a batch."""

    __slots__ = ("rows",)

    def __init__(self, rows: np.ndarray[Any, Any]) -> None:
        super().__init__()
        self.rows = rows

    def give(self, answer: np.ndarray[Any, Any] | None) -> None:
        self.settle(answer, None)


class LocalUnit:
    """A unit that was loaded into this process."""

    def __init__(self, unit: Unit, servable: Servable, lane: Lane, queue: RowQueue | None, meters: Meters) -> None:
        self.unit = unit
        self.servable = servable
        self.columns = servable.columns
        self.queue = queue
        self._lane = lane
        self._meters = meters
        self._invoke = servable.invoke
        self._ok = {method: meters.client(unit, path, "200") for method, path in PATHS.items()}

    async def call(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel:  # noqa: ARG002 - a seam's signature
        """Ask the unit; the answer is a message."""
        started = perf_counter()
        try:
            message = parcel.decoded or parcel.message()
            if self.queue is not None and method is _PREDICT and is_batchable(message.payload):
                answer = await self._in_batch(self.queue, message)
            elif self._lane.is_open:
                answer = self._lane.run(self._invoke, method, message)
            else:
                answer = await self._lane.later(self._invoke, method, message)
        except Exception as error:
            raise self._stopped(method, error, started) from error
        if answer.own_metrics or answer.raw is not None or answer.http_status != 200:
            self._look_at(method, message, answer, started)
        self._ok[method].observe(perf_counter() - started)
        return Parcel(answer)

    async def route(self, parcel: Parcel, walk: Walk) -> int:
        """The branch the unit chooses."""
        answer = await self.call(Method.ROUTE, parcel, walk)
        return seldon_v1.route_of(answer.message())

    async def aggregate(self, parcels: list[Parcel], walk: Walk) -> Parcel:  # noqa: ARG002 - a seam's signature
        """The unit's one answer for several."""
        started = perf_counter()
        try:
            messages = [_child(parcel) for parcel in parcels]
            if self._lane.is_open:
                answer: Message = self._lane.run(self.servable.aggregate, messages)
            else:
                answer = await self._lane.later(self.servable.aggregate, messages)
        except Exception as error:
            raise self._stopped(Method.AGGREGATE, error, started) from error
        self._look_at(Method.AGGREGATE, messages[0] if messages else None, answer, started)
        self._ok[Method.AGGREGATE].observe(perf_counter() - started)
        return Parcel(answer)

    async def feedback(self, parcel: Parcel, reward: Reward, walk: Walk) -> Parcel:  # noqa: ARG002 - same seam
        """Tell the unit; its answer is already written as answers to rewards are."""
        started = perf_counter()
        try:
            answer = await self._lane.call(self.servable.feedback, reward)
            self._meters.rewarded(self.unit, reward.reward)
            self._meters.custom(self.unit, Method.FEEDBACK.value, answer.own_metrics)
            body = seldon_v1.encode_feedback_answer(answer)
        except Exception as error:
            raise self._stopped(Method.FEEDBACK, error, started) from error
        self._ok[Method.FEEDBACK].observe(perf_counter() - started)
        if answer.http_status != 200:
            raise Stopped(self.unit.name, answer.http_status, body)
        return Parcel.of_answer(body, JSON, b"", limit_bytes=len(body))

    async def status(self) -> Parcel:
        """What the unit says of its health."""
        try:
            answer: Message = await self._lane.call(self.servable.health)
        except Exception as error:
            raise self._failed(error) from error
        self._meters.custom(self.unit, "health", answer.own_metrics)
        return Parcel(answer)

    async def metadata(self) -> dict[str, Any]:
        """What the unit says of itself."""
        try:
            known: dict[str, Any] = await self._lane.call(self.servable.metadata)
        except Exception as error:
            raise self._failed(error) from error
        return known

    async def is_ready(self) -> bool:
        """It is loaded, or it would not be here."""
        return True

    def close(self) -> None:
        """Let the unit go."""
        self._lane.close()
        self.servable.close()

    async def _in_batch(self, queue: RowQueue, message: Message) -> Message:
        ticket = _Rows(message.payload.value)
        queue.submit(ticket)
        rows = await ticket
        if rows is not None:
            assert self.servable.rows is not None  # there is a queue only for units with rows
            return rows_answer(self.unit, self.servable.rows, message, rows)
        answer: Message = await self._lane.call(self._invoke, _PREDICT, message)
        return answer

    def _look_at(self, method: Method, asked: Message | None, answer: Message, started: float) -> None:
        """What an answer may hold besides its payload and meta."""
        if answer.own_metrics:
            self._meters.custom(self.unit, method.value, answer.own_metrics)
        if asked is not None and answer.raw is asked.raw:
            # The unit handed on what it was given; what it changed is in the parts, not in the original object.
            answer.raw = None
        if answer.http_status != 200:
            self._meters.client(self.unit, PATHS[method], str(answer.http_status)).observe(perf_counter() - started)
            raise Stopped(self.unit.name, answer.http_status, seldon_v1.encode(answer))

    def _stopped(self, method: Method, error: Exception, started: float) -> Stopped:
        stopped = self._failed(error)
        self._meters.client(self.unit, PATHS[method], str(stopped.http)).observe(perf_counter() - started)
        return stopped

    def _failed(self, error: Exception) -> Stopped:
        if not isinstance(error, FairleadError) or error.http >= 500:
            _log.error("unit %s failed: %s", self.unit.name, error, exc_info=error)
        http, body = seldon_v1.failure(error)
        return Stopped(self.unit.name, http, body, cause=str(error))


class RemoteUnit:
    """A unit behind an address that serves the wrapper's REST contract (specs 3.3)."""

    def __init__(self, unit: Unit, peer: Peer, meters: Meters, *, timeout_s: float | None, limit_bytes: int) -> None:
        self.unit = unit
        self.columns: Columns | None = None  # the contract of units has no word for them
        self._peer = peer
        self._meters = meters
        self._timeout_s = timeout_s
        self._limit_bytes = limit_bytes

    async def call(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel:
        """Ask the unit with the bytes as they are; its answer stays bytes."""
        answer = await self._send("POST", PATHS[method], walk, parcel)
        return self._accepted(answer)

    async def route(self, parcel: Parcel, walk: Walk) -> int:
        """The branch the unit chooses."""
        path = PATHS[Method.ROUTE]
        answer = await self._send("POST", path, walk, parcel)
        if answer.status != 200:
            info = (
                f"Internal service call from executor failed calling {self._peer.url}{path} status code {answer.status}"
            )
            raise self._stopped(answer.status, info)
        value = self._parcel(answer).value() if answer.body else None
        try:
            return seldon_v1.route_of(value if isinstance(value, list) else seldon_v1.decode(value))
        except FairleadError:
            return -1

    async def aggregate(self, parcels: list[Parcel], walk: Walk) -> Parcel:
        """The unit's one answer for several."""
        body = b"[" + b",".join(_json_bytes(self.unit, parcel) for parcel in parcels) + b"]"
        listed = Parcel.of_answer(body, JSON, b"", limit_bytes=self._limit_bytes)
        return self._accepted(await self._send("POST", PATHS[Method.AGGREGATE], walk, listed))

    async def feedback(self, parcel: Parcel, reward: Reward, walk: Walk) -> Parcel:  # noqa: ARG002 - same seam
        """Tell the unit with the bytes as they came."""
        return self._accepted(await self._send("POST", PATHS[Method.FEEDBACK], walk, parcel))

    async def status(self) -> Parcel:
        """What the unit says of its health."""
        return self._accepted(await self._send("GET", STATUS_PATH, Walk(b"", []), None))

    async def metadata(self) -> dict[str, Any]:
        """What the unit says of itself."""
        answer = await self._send("GET", METADATA_PATH, Walk(b"", []), None)
        try:
            value = self._accepted(answer).value()
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise self._stopped(500, "Data is not JSON")
        return value

    async def is_ready(self) -> bool:
        """Whether the address gives any HTTP answer. A unit that only accepts connections while it crashes and
        restarts is not ready."""
        try:
            await self._peer.call("GET", STATUS_PATH, [], b"", timeout_s=1.0)
        except PeerFailed:
            return False
        return True

    def close(self) -> None:
        """Drop the connections."""
        self._peer.close()

    async def _send(self, verb: str, path: str, walk: Walk, parcel: Parcel | None) -> Answer:
        started = perf_counter()
        code = "500"
        try:
            body = b"" if parcel is None else parcel.body()
            answer = await self._peer.call(verb, path, _forwarded(walk, parcel), body, timeout_s=self._timeout_s)
            code = str(answer.status)
        except PeerFailed as error:
            _log.error("unit %s gave no answer: %s", self.unit.name, error)
            raise self._stopped(500, str(error)) from error
        finally:
            self._meters.client(self.unit, path, code, method=verb.lower()).observe(perf_counter() - started)
        return answer

    def _accepted(self, answer: Answer) -> Parcel:
        parcel = self._parcel(answer)
        if answer.status != 200:
            raise Stopped(
                self.unit.name,
                answer.status,
                answer.body,
                content_type=parcel.content_type or JSON,
                content_encoding=parcel.content_encoding,
            )
        return parcel

    def _parcel(self, answer: Answer) -> Parcel:
        return Parcel.of_answer(
            answer.body,
            answer.headers.get(b"content-type", b""),
            answer.headers.get(b"content-encoding", b""),
            limit_bytes=self._limit_bytes,
        )

    def _stopped(self, http: int, info: str) -> Stopped:
        reason = f"unit {self.unit.name!r} failed"
        return Stopped(self.unit.name, http, seldon_v1.orchestrator_failure(http, info, reason=reason), cause=info)


def is_batchable(payload: Payload) -> bool:
    """Whether this payload is rows of numbers."""
    value = payload.value
    return isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype.kind in "iuf" and len(value) > 0


def rows_answer(unit: Unit, model: Rows, asked: Message, rows: np.ndarray[Any, Any]) -> Message:
    """The message a row-wise unit answers with: nothing of its own but the rows and its name on the path."""
    meta = asked.meta
    path = {unit.name: unit.image, **meta.request_path} if unit.image else meta.request_path
    payload = Payload(
        seldon_v1.answer_form(asked.payload.form, rows), rows, seldon_v1.column_names(model.class_names, rows)
    )
    return Message(payload, Meta(meta.puid, meta.tags, {}, path, meta.metrics))


def _forwarded(walk: Walk, parcel: Parcel | None) -> list[tuple[bytes, bytes]]:
    headers = [(name, value) for name, value in walk.headers if name not in _NOT_FORWARDED]
    if walk.puid:
        headers.append((b"seldon-puid", walk.puid))
    if parcel is not None:
        headers.append((b"content-type", parcel.content_type or JSON))
        if parcel.content_encoding:
            headers.append((b"content-encoding", parcel.content_encoding))
    return headers


def _child(parcel: Parcel) -> Message:
    try:
        return parcel.message()
    except ValueError as error:
        raise seldon_v1.BadData("Data is not JSON") from error


def _json_bytes(combiner: Unit, parcel: Parcel) -> bytes:
    """One child's answer as an item of the combiner's list."""
    if not parcel.is_bytes:
        return parcel.body().strip()
    try:
        return jsontext.dumps(parcel.value()).strip() if parcel.content_encoding else _verified(parcel.body())
    except ValueError as error:
        raise Stopped(
            combiner.name, 500, seldon_v1.orchestrator_failure(500, "Data is not JSON"), cause="Data is not JSON"
        ) from error


def _verified(body: bytes) -> bytes:
    jsontext.loads(body)
    return body.strip()
