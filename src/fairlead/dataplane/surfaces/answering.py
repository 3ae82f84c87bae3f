"""From a step of a graph to the answer on the wire, for the surfaces whose answers are one JSON object.

What is an answer and what a failure says is the wire format's; this is the rest: waiting, headers, counting. A worker
of a SeldonDeployment puts the orchestrator's headers on every answer; all others send a media type.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from fairlead.dataplane.graph.contracts import SELDON_PATHS
from fairlead.dataplane.graph.driving import Step
from fairlead.dataplane.graph.parcel import Parcel, Stopped, Walk, failure_lines
from fairlead.dataplane.graph.units import LocalUnit, rows_answer
from fairlead.dataplane.metering import Latency, Meters
from fairlead.dataplane.puids import Puids
from fairlead.dataplane.spec import WorkerSpec
from fairlead.dataplane.surfaces.asking import ask, counting, uncounted
from fairlead.dataplane.surfaces.header_lines import besides_type, header_lines, one_line
from fairlead.dataplane.surfaces.pouring import pieces_of, pour
from fairlead.dataplane.surfaces.quick import Plain, Quick, RowsOf, TextOf, as_numpy_lists
from fairlead.dataplane.surfaces.seldon.heads import GET, POST, GraphHeads, has_orchestrator, told
from fairlead.errors import FairleadError, UnitFailed
from fairlead.plan.model import Method, Unit
from fairlead.protocols.exchange import Reply, Request, Response
from fairlead.protocols.jsontext import html_safe
from fairlead.protocols.message import Asked, Form, Message, Payload, Pieces
from fairlead.protocols.wire import JSON, Body, Wire

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Answer(NamedTuple):
    """What goes back. `lines` are complete header lines besides those of the body."""

    body: Body
    status: int = 200
    lines: bytes = b""


class Answering:
    """The answers of one surface. A surface whose answers differ in one of these has a class of its own."""

    def __init__(self, spec: WorkerSpec, meters: Meters, wire: Wire) -> None:
        self.is_seldon = has_orchestrator(spec)
        self.puids = Puids()
        self._heads = GraphHeads(spec)
        self._meters = meters
        self._wire = wire

    def parts(self, methods: bytes = POST, content_type: bytes = JSON) -> tuple[bytes, bytes | None]:
        """Header lines before and after the puid; without an `after` no puid is sent."""
        line = b"Content-Type: " + content_type + b"\r\n"
        return self._heads.parts(methods, line) if self.is_seldon else (line, None)

    def puid(self, request: Request) -> bytes:
        """The request's own, or a new one."""
        return told(request).puid or self.puids.take()

    def walk(self, request: Request, model: str = "", puid: bytes = b"") -> Walk:
        """The way of a request through the graph."""
        if self.is_seldon and not puid:
            puid = self.puid(request)
        return Walk(puid, request.headers, model)

    def run(
        self,
        request: Request,
        reply: Reply,
        walk: Walk,
        step: Step[T],
        write: Callable[[T], Answer],
        *,
        service: str = "predictions",
        refuse: Callable[[Exception], Answer] | None = None,
        streams: LocalUnit | None = None,
    ) -> None:
        """Answer with what `write` makes of the step's value, or with what `refuse` (else the wire format) makes of
        its failure; piece by piece if that is how the unit `streams` gives it. Without a `service` it is not counted.
        """
        count = counting(self._meters, service, request.method) if service else uncounted

        def respond(value: T | None, error: Exception | None) -> Response | None:
            if error is None:
                if streams is not None and isinstance(value, Parcel) and (pieces := pieces_of(value)) is not None:
                    head = self.response(request, walk.puid, _head_of(value.message(), pieces))
                    pour(pieces, streams, reply, head, lambda: count(head.status))
                    return None
                try:
                    return self.response(request, walk.puid, write(value))  # type: ignore[arg-type]  # no error: a value
                except Exception as failure:
                    error = failure
            return self.response(request, walk.puid, self.worded(error) if refuse is None else refuse(error))

        ask(step, walk, reply, respond, count)

    def send(self, request: Request, reply: Reply, answer: Answer) -> None:
        """Answer at once."""
        reply(self.response(request, self.walk(request).puid, answer))

    def response(self, request: Request, puid: bytes, answer: Answer) -> Response:
        """The answer as it leaves."""
        body = answer.body
        kind = body.content_type or JSON
        before, after = self.parts(POST if request.method == "POST" else GET, kind)
        head = before
        if after is not None:
            head += puid + after + self.event_lines(request, puid)
        if body.content_encoding:
            head += b"Content-Encoding: " + body.content_encoding + b"\r\n"
        if body.json_bytes >= 0:
            head += b"Inference-Header-Content-Length: %d\r\n" % body.json_bytes
        return Response(answer.status, head + answer.lines, self.body_of(answer))

    def event_lines(self, request: Request, puid: bytes) -> bytes:
        """What Seldon's orchestrator says in every answer to a request that is an event."""
        return self._heads.event(request, puid)

    def body_of(self, answer: Answer) -> bytes:
        """The body as it leaves: Seldon's orchestrator escapes what HTML would read."""
        body = answer.body
        if not self.is_seldon or answer.status != 200 or body.content_encoding or body.json_bytes >= 0:
            return body.data
        return html_safe(body.data) if (body.content_type or JSON).startswith(JSON) else body.data

    def written(self, parcel: Parcel) -> Answer:
        """A graph's answer: the peer's bytes as they are, or a message in the wire format."""
        body = parcel.answer_bytes(self._wire)
        return self.written_to(parcel.message(), None) if body is None else Answer(body)

    def written_to(self, message: Message, asked: Asked | None, wire: Wire | None = None) -> Answer:
        """A message as the answer to what was asked, in another wire format if one is named, with the headers that its
        unit wants."""
        lines = header_lines(message.response_headers)
        return Answer((wire or self._wire).write_answer(message, asked), lines=lines)

    def worded(self, error: Exception) -> Answer:
        """A failure in the words of the wire format."""
        return worded(self._wire, error)

    def short_way(
        self,
        local: LocalUnit | None,
        plain: Plain,
        rows_of: RowsOf,
        text_of: TextOf = as_numpy_lists,
        *,
        write: Callable[[Message], Answer] | None = None,
    ) -> Quick | None:
        """The short way to a unit whose rows may be joined with other requests'; `None` without one. `plain` is the way
        of all other requests, `write` how it writes a message (else as the wire format does)."""
        if local is None or local.queue is None or local.servable.rows is None:
            return None
        model, unit = local.servable.rows, local.unit
        answer = write or (lambda message: Answer(self._wire.write_answer(message, None)))

        def body_with(rows: Any) -> bytes:
            asked = Message(Payload(Form.NDARRAY, rows))
            return self.body_of(answer(rows_answer(unit, model, asked, rows)))

        return Quick(
            local.queue,
            plain,
            body_with,
            heads=self.parts(),
            puids=self.puids,
            observe=self.observed(unit),
            rows_of=rows_of,
            text_of=text_of,
        )

    def observed(self, unit: Unit) -> tuple[Latency, ...]:
        """The series of a prediction that went well: the graph's and its one unit's."""
        return (
            self._meters.server("predictions", "post", "200"),
            self._meters.client(unit, SELDON_PATHS[Method.PREDICT], "200"),
        )

    def bodiless(self, request: Request, status: int, methods: bytes) -> Response:
        """An answer whose status says it all, with the orchestrator's headers."""
        before, after = self._heads.parts(methods, b"")
        return Response(status, before + self.puid(request) + after, b"")

    def options(self, request: Request, reply: Reply, verbs: Sequence[str]) -> None:
        """Answer a preflight."""
        reply(self.bodiless(request, 200, methods_of(verbs)))


def methods_of(verbs: Iterable[str]) -> bytes:
    """The verbs of a path as its preflight lists them."""
    return ",".join(sorted({*verbs, "OPTIONS"})).encode()


def worded(wire: Wire, error: Exception) -> Answer:
    """A failure in the words of a wire format. What is none of ours is logged, because nobody else will tell of it."""
    if isinstance(error, Stopped):
        status, body = error.worded(wire)
        return Answer(body, status, failure_lines(error))
    if not isinstance(error, FairleadError):
        _log.error("a request could not be answered: %s", error, exc_info=error)
        error = UnitFailed(f"{type(error).__name__} : {error}")
    status, data = wire.failure(error)
    return Answer(Body(data), status, failure_lines(error))


def _head_of(message: Message, pieces: Pieces) -> Answer:
    return Answer(Body(b"", one_line(pieces.media_type)), lines=besides_type(message.response_headers))
