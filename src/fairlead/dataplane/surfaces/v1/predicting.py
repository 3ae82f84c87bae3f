"""Predictions and explanations over KServe's V1 protocol, as plain requests and as CloudEvents."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fairlead.dataplane.graph.driving import Step
from fairlead.dataplane.graph.parcel import Parcel, Walk, plain
from fairlead.dataplane.graph.units import LocalUnit
from fairlead.dataplane.surfaces.answering import Answer, Answering
from fairlead.dataplane.surfaces.asking import failing
from fairlead.dataplane.surfaces.pouring import can_pour
from fairlead.errors import FairleadError
from fairlead.plan.model import Method
from fairlead.protocols import cloudevents
from fairlead.protocols.exchange import Reply, Request
from fairlead.protocols.kserve_v1 import V1_EXPLANATIONS, V1_JSON, needs_rows
from fairlead.protocols.message import Asked, Message
from fairlead.protocols.wire import JSON, Body

if TYPE_CHECKING:
    from fairlead.dataplane.surfaces.composing import Parts


_OBJECT = b'{"'


class Predicting:
    """The plain way of every model."""

    def __init__(self, parts: "Parts", answering: Answering) -> None:
        self._models = parts.models
        self._answering = answering
        self._limit_bytes = parts.spec.max_body_bytes
        self._env = parts.spec.revision.settings
        for placement in parts.spec.placements:
            self._env |= placement.env
        self._is_batched = parts.spec.revision.batching is not None
        self._streaming = parts.models.streaming()
        first = next(iter(parts.executor.units.values()))
        self._takes_arrays = isinstance(first, LocalUnit) and first.servable.rows is not None

    def predict(self, request: Request, reply: Reply, model: str, puid: bytes = b"") -> None:
        """Ask the graph."""
        self._ask(request, reply, model, Method.PREDICT, puid)

    def explain(self, request: Request, reply: Reply, model: str) -> None:
        """Ask whoever explains."""
        self._ask(request, reply, model, Method.EXPLAIN, b"")

    def _ask(self, request: Request, reply: Reply, model: str, method: Method, puid: bytes) -> None:
        body = Body(request.body, request.header(b"content-type"), request.header(b"content-encoding"))
        walk = self._answering.walk(request, model, puid)
        write: Callable[[Parcel], Answer] = self._explained if method is Method.EXPLAIN else self._answering.written
        streams = self._streaming if method is Method.PREDICT and can_pour(reply) else None
        try:
            name = self._models.resolve(model)
            if self._is_batched and method is Method.PREDICT:
                write = self._batched(walk)
            # A Seldon graph's answers have the orchestrator's own event headers.
            if cloudevents.may_be_event(request.headers) and not self._answering.is_seldon:
                body, write = self._unwrapped(request, body, name, write)
                streams = None  # an event is whole
            parcel = self._parcel(request, body, name, takes_pieces=streams is not None)
            step = self._step(method, parcel, walk)
        except FairleadError as error:
            step = failing(error)
        service = "predictions" if method is Method.PREDICT else "explanations"
        self._answering.run(request, reply, walk, step, write, service=service, streams=streams)

    def _batched(self, walk: Walk) -> Callable[[Parcel], Answer]:
        """Answers as KServe's batcher gives them: with the batch that they were part of. Failures keep their status and
        shape; upstream answers them with 200."""

        def write(parcel: Parcel) -> Answer:
            answer = self._answering.written(parcel)
            given = plain(answer.body, self._limit_bytes)
            if given.content_type.partition(b";")[0] != JSON or not given.data.startswith(_OBJECT):
                return answer
            start = b'{"message":"","batchId":"' + walk.batch.encode() + b'",'
            return answer._replace(body=given._replace(data=start + given.data[1:]))

        return write

    def _explained(self, parcel: Parcel) -> Answer:
        """An explanation: rows of numbers are one too."""
        if parcel.answer_bytes(V1_JSON) is not None:
            return self._answering.written(parcel)
        return self._answering.written_to(parcel.message(), None, V1_EXPLANATIONS)

    def _step(self, method: Method, parcel: Parcel, walk: Walk) -> Step[Parcel]:
        if method is Method.EXPLAIN:
            return self._models.explain(parcel, walk)
        return self._models.predict(parcel, walk)

    def _parcel(self, request: Request, body: Body, model: str, *, takes_pieces: bool) -> Parcel:
        def read() -> Message:
            message = V1_JSON.read_request(plain(body, self._limit_bytes))
            message.asked = Asked(model=model, headers=request.headers, takes_pieces=takes_pieces)
            problem = needs_rows(message) if self._takes_arrays else None
            if problem is not None:
                raise problem
            return message

        return Parcel(bytes_=body, read=read, wire=V1_JSON)

    def _unwrapped(
        self, request: Request, body: Body, model: str, write: Callable[[Parcel], Answer]
    ) -> tuple[Body, Callable[[Parcel], Answer]]:
        """The request inside an event, and how its answer becomes one; both as they were for what is none."""
        inside = cloudevents.unwrap(request.headers, plain(body, self._limit_bytes).data)
        if inside is None:
            return body, write
        answering = cloudevents.identity(model, self._env)

        def write_event(parcel: Parcel) -> Answer:
            answer = write(parcel)
            given = plain(answer.body, self._limit_bytes)
            whole = cloudevents.wrap(
                inside.event,
                given.data,
                given.content_type,
                answering,
                event_id=str(uuid.uuid4()),
                time=datetime.now(UTC),
            )
            return Answer(Body(whole.body, whole.content_type), answer.status, answer.lines + whole.lines)

        return Body(inside.body, inside.content_type), write_event
