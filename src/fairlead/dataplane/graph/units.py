"""A unit as the graph sees it: the same questions whether its code is in this process or behind an address.

Every failure leaves here as `Stopped`, with the unit's name and what went wrong; its words on the wire are the
surface's business. Units behind an address are in `remote_unit`.
"""

import logging
from collections.abc import Callable
from time import perf_counter
from typing import Any, Protocol, TypeVar

import numpy as np

from fairlead.dataplane.graph.batching import Lane, RowQueue
from fairlead.dataplane.graph.contracts import SELDON_PATHS as PATHS
from fairlead.dataplane.graph.driving import Done, Later, Step, within
from fairlead.dataplane.graph.parcel import Parcel, Refused, Stopped, Walk
from fairlead.dataplane.metering import Meters
from fairlead.dataplane.tallies import Quick
from fairlead.errors import DeadlineExceeded, FairleadError, Overloaded, Retryable, UnitFailed
from fairlead.plan.model import Method, Unit
from fairlead.protocols import seldon_v1
from fairlead.protocols.message import Form, Message, Meta, Payload, Reward
from fairlead.protocols.seldon_json import SELDON_JSON
from fairlead.protocols.tensors import MLSERVERS_ARRAY, Tensor, tensor
from fairlead.protocols.wire import Body
from fairlead.runtimes.base import MLSERVER, Columns, Rows, Servable

_log = logging.getLogger(__name__)
T = TypeVar("T")

_PREDICT = Method.PREDICT  # a member of an enum costs a call to look up
_AGGREGATE = Method.AGGREGATE
_TENSORS = Form.TENSORS


class GraphUnit(Protocol):
    """One unit of a graph."""

    unit: Unit
    columns: Columns | None

    def at_once(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel | None:
        """What `call` gives, if it can be given here and now; `None` when it cannot, and nothing happened."""

    def aggregate_at_once(self, parcels: list[Parcel], walk: Walk) -> Parcel | None:
        """The same for `aggregate`."""

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

    __slots__ = ("rows", "started")

    def __init__(self, rows: np.ndarray[Any, Any]) -> None:
        super().__init__()
        self.rows = rows
        self.started = perf_counter()

    @property
    def is_wanted(self) -> bool:
        """Whether its time is not over."""
        return not self.is_abandoned

    def give(self, answer: np.ndarray[Any, Any] | None) -> None:
        self.settle(answer, None)


class LocalUnit:
    """A unit that was loaded into this process."""

    def __init__(
        self,
        unit: Unit,
        servable: Servable,
        lane: Lane,
        queue: RowQueue | None,
        meters: Meters,
        *,
        timeout_s: float | None = None,
        grpc_timeout_s: float | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._grpc_timeout_s = grpc_timeout_s
        self.unit = unit
        self.servable = servable
        self.columns = servable.columns
        self.queue = queue
        self._lane = lane
        self._meters = meters
        self._invoke = servable.invoke
        self._ok = {method: meters.client(unit, path, "200") for method, path in PATHS.items()}
        self._inside = lane.tally.inside
        self._quick = {method: Quick(self._inside, latency) for method, latency in self._ok.items()}

    def at_once(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel | None:  # noqa: ARG002 - a seam's signature
        """Ask the unit, unless its rows are to be batched or its calls belong on a thread."""
        if not self._lane.is_open:
            return None
        started = perf_counter()
        try:
            message = parcel.decoded or parcel.message()
            if self.queue is not None and method is _PREDICT and batchable_rows(message) is not None:
                return None
            answer = self._invoke(method, message)
        except Exception as error:
            self._lane.pace.note(perf_counter() - started, 1)
            raise self._stopped(method, error, started) from error
        elapsed = perf_counter() - started
        self._lane.pace.note_quick(elapsed)
        if answer.own_metrics or answer.raw is not None or answer.http_status != 200:
            self._look_at(method, message, answer, started, elapsed)
        self._quick[method].observe(elapsed)
        return Parcel(answer)

    def aggregate_at_once(self, parcels: list[Parcel], walk: Walk) -> Parcel | None:  # noqa: ARG002 - same seam
        """The unit's one answer for several, unless its calls belong on a thread."""
        if not self._lane.is_open:
            return None
        started = perf_counter()
        try:
            messages = [parcel.decoded or _child(parcel) for parcel in parcels]
            answer = self.servable.aggregate(messages)
        except Exception as error:
            self._lane.pace.note(perf_counter() - started, 1)
            raise self._stopped(Method.AGGREGATE, error, started) from error
        elapsed = perf_counter() - started
        self._lane.pace.note_quick(elapsed)
        if answer.own_metrics or answer.raw is not None or answer.http_status != 200:
            self._look_at(_AGGREGATE, messages[0] if messages else None, answer, started, elapsed)
        self._quick[_AGGREGATE].observe(elapsed)
        return Parcel(answer)

    async def call(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel:
        """Ask the unit; the answer is a message."""
        now = self.at_once(method, parcel, walk)
        if now is not None:
            return now
        started = perf_counter()
        try:
            message = parcel.decoded or parcel.message()
            if self.queue is not None and method is _PREDICT and (rows := batchable_rows(message)) is not None:
                answer = await self._in_batch(self.queue, message, rows, walk)
            else:
                answer = await self._in_time(self._lane.later(self._invoke, method, message), walk)
        except Exception as error:
            raise self._stopped(method, error, started) from error
        if answer.own_metrics or answer.raw is not None or answer.http_status != 200:
            self._look_at(method, message, answer, started)
        self._ok[method].observe(perf_counter() - started)
        return Parcel(answer)

    async def route(self, parcel: Parcel, walk: Walk) -> int:
        """The branch the unit chooses."""
        answer = self.at_once(Method.ROUTE, parcel, walk) or await self.call(Method.ROUTE, parcel, walk)
        return seldon_v1.route_of(answer.message())

    async def aggregate(self, parcels: list[Parcel], walk: Walk) -> Parcel:
        """The unit's one answer for several."""
        now = self.aggregate_at_once(parcels, walk)
        if now is not None:
            return now
        started = perf_counter()
        try:
            messages = [_child(parcel) for parcel in parcels]
            answer: Message = await self._in_time(self._lane.later(self.servable.aggregate, messages), walk)
        except Exception as error:
            raise self._stopped(Method.AGGREGATE, error, started) from error
        self._look_at(Method.AGGREGATE, messages[0] if messages else None, answer, started)
        self._ok[Method.AGGREGATE].observe(perf_counter() - started)
        return Parcel(answer)

    async def feedback(self, parcel: Parcel, reward: Reward, walk: Walk) -> Parcel:  # noqa: ARG002 - same seam
        """Tell the unit; the answer is a message."""
        started = perf_counter()
        try:
            answer = await self._lane.call(self.servable.feedback, reward)
            self._meters.rewarded(self.unit, reward.reward)
            self._meters.custom(self.unit, Method.FEEDBACK.value, answer.own_metrics)
        except Exception as error:
            raise self._stopped(Method.FEEDBACK, error, started) from error
        self._ok[Method.FEEDBACK].observe(perf_counter() - started)
        if answer.http_status != 200:
            raise _refused(self.unit, answer, seldon_v1.encode_feedback_answer(answer))
        return Parcel(answer)

    def submit(self, work: Callable[[], Any], done: Done[Any]) -> None:
        """Run something of the unit's in its turn. Raises `Overloaded` as `Lane.submit`."""
        self._lane.submit(work, (), done)

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

    async def _in_batch(self, queue: RowQueue, message: Message, asked: np.ndarray[Any, Any], walk: Walk) -> Message:
        ticket = _Rows(asked)
        queue.submit(ticket)
        rows = await self._in_time(ticket, walk)
        if rows is not None:
            assert self.servable.rows is not None  # there is a queue only for units with rows
            return rows_answer(self.unit, self.servable.rows, message, rows)
        answer: Message = await self._in_turn(walk, self._invoke, _PREDICT, message)
        return answer

    async def _in_turn(self, walk: Walk, work: Callable[..., Any], *args: Any) -> Any:
        """What `work` gives, now or when its turn comes."""
        if self._lane.is_open:
            return self._lane.run(work, *args)
        return await walk.waiting(self._lane.later(work, *args))

    def _in_time(self, later: Later[T], walk: Walk) -> Step[T]:
        """Whatever runs on a thread cannot be stopped; its client is told all the same, and the next one waits."""
        walk.waiting(later)
        limit_s = self._grpc_timeout_s if walk.is_grpc else self._timeout_s

        def late() -> Exception:
            return DeadlineExceeded(f"unit {self.unit.name!r} did not answer within {limit_s:g} s")

        return within(later, limit_s, self._lane.call_later, late)

    def _look_at(
        self, method: Method, asked: Message | None, answer: Message, started: float, inside_s: float | None = None
    ) -> None:
        """What an answer may hold besides its payload and meta. `inside_s` is how long the unit took, if nobody else
        counts that of an answer that is refused here."""
        if answer.own_metrics:
            self._meters.custom(self.unit, method.value, answer.own_metrics)
        if asked is not None and answer.raw is asked.raw:
            # The unit handed on what it was given; what it changed is in the parts, not in the original object.
            answer.raw = None
        if answer.http_status != 200:
            if inside_s is not None:
                self._lane.tally.inside.observe(inside_s)
            self._meters.client(self.unit, PATHS[method], str(answer.http_status)).observe(perf_counter() - started)
            raise _refused(self.unit, answer, seldon_v1.encode(answer))

    def _stopped(self, method: Method, error: Exception, started: float) -> Stopped:
        stopped = self._failed(error)
        self._meters.client(self.unit, PATHS[method], str(stopped.http)).observe(perf_counter() - started)
        return stopped

    def _failed(self, error: Exception) -> Stopped:
        if isinstance(error, Stopped):
            return error
        if isinstance(error, Overloaded):
            self._lane.tally.refused += 1
        if isinstance(error, Retryable | seldon_v1.BadValues):
            # One line: there are many a second when there is too much to do, and when a client wants it so.
            _log.warning("unit %s failed: %s", self.unit.name, error)
        elif not isinstance(error, FairleadError) or error.http >= 500:
            _log.error("unit %s failed: %s", self.unit.name, error, exc_info=error)
        if not isinstance(error, FairleadError):
            error = UnitFailed(str(error) or type(error).__name__)
        return Stopped(self.unit.name, error)


def _refused(unit: Unit, answer: Message, body: bytes) -> Stopped:
    """What a unit's raw answer with a status of its own becomes."""
    said = answer.status.get("info") if answer.status else None
    error = Refused(answer.http_status, str(said or f"answered {answer.http_status}"))
    return Stopped(unit.name, error, answer=Body(body), wire=SELDON_JSON)


def batchable_rows(message: Message) -> np.ndarray[Any, Any] | None:
    """The rows of numbers in a message that asks for nothing but a prediction of them, else `None`."""
    value = message.payload.value
    if message.payload.form is _TENSORS:
        asked = message.asked
        if len(value) != 1 or (asked is not None and (asked.outputs or asked.signature)):
            return None
        value = value[0].array
    if isinstance(value, np.ndarray) and value.ndim >= 2 and value.dtype.kind in "iuf" and len(value) > 0:
        return value
    return None


def rows_answer(unit: Unit, model: Rows, asked: Message, rows: np.ndarray[Any, Any]) -> Message:
    """The message a row-wise unit answers with: nothing of its own but the rows and its name on the path."""
    meta = asked.meta
    path = {unit.name: unit.image, **meta.request_path} if unit.image else meta.request_path
    form = asked.payload.form
    if form is _TENSORS:
        payload = Payload(form, [named_rows(unit, model, rows)])
    else:
        payload = Payload(seldon_v1.answer_form(form, rows), rows, seldon_v1.column_names(model.class_names, rows))
    return Message(payload, Meta(meta.puid, meta.tags, {}, path, meta.metrics))


def named_rows(unit: Unit, model: Rows, rows: np.ndarray[Any, Any]) -> Tensor:
    """A row-wise model's answer as the tensor protocols have it; an MLServer says how it was encoded."""
    return tensor(model.output_name, rows, dict(MLSERVERS_ARRAY) if unit.variant == MLSERVER else None)


def _child(parcel: Parcel) -> Message:
    try:
        return parcel.message()
    except ValueError as error:
        raise seldon_v1.BadData("Data is not JSON") from error
