"""Inference over V2 REST: any request, in any form, through the whole graph."""

from collections.abc import Callable
from typing import NamedTuple

from fairlead.dataplane.graph.driving import Step
from fairlead.dataplane.graph.parcel import Parcel, Walk, plain
from fairlead.dataplane.surfaces.answering import Answer, Answering
from fairlead.dataplane.surfaces.asking import failing
from fairlead.dataplane.surfaces.header_lines import header_lines
from fairlead.dataplane.surfaces.models import Models
from fairlead.dataplane.surfaces.pouring import can_pour
from fairlead.dataplane.surfaces.v2.events import Events
from fairlead.dataplane.surfaces.v2.heads import Told, told
from fairlead.errors import FairleadError
from fairlead.protocols.cloudevents import Event
from fairlead.protocols.exchange import Reply, Request
from fairlead.protocols.message import Asked, Message
from fairlead.protocols.v2_json import V2_JSON, read_request, with_id
from fairlead.protocols.wire import Body

Ask = Callable[[Parcel, Walk], Step[Parcel]]


class Target(NamedTuple):
    """What a path asks: a model (empty: the first) and a version of it (empty: any)."""

    name: str
    version: str = ""


class _Question:
    """One request under way: its body, out of the event it came in, and what it is to be answered with."""

    __slots__ = (
        "_limit_bytes",
        "body",
        "event",
        "model",
        "parcel",
        "puid",
        "request",
        "seen",
        "takes_pieces",
        "version",
    )

    def __init__(
        self,
        request: Request,
        seen: Told,
        puid: bytes,
        *,
        model: str,
        version: str,
        body: Body,
        event: Event | None,
        limit_bytes: int,
        takes_pieces: bool,
    ) -> None:
        self.takes_pieces = takes_pieces
        self.request = request
        self.seen = seen
        self.puid = puid
        self.model = model
        self.version = version
        self.body = body
        self.event = event
        self.parcel = Parcel(bytes_=body, read=self._read, wire=V2_JSON)
        self._limit_bytes = limit_bytes

    def asked(self) -> Asked:
        """What the request says besides its tensors. A peer may have taken a body that we cannot read."""
        try:
            asked = self.parcel.message().asked
        except FairleadError:
            asked = None
        return self._named(asked or Asked())

    def _read(self) -> Message:
        message = read_request(plain(self.body, self._limit_bytes), model=self.model)
        assert message.asked is not None  # requests of this wire have it
        self._named(message.asked)
        return message

    def _named(self, asked: Asked) -> Asked:
        asked.model, asked.version = self.model, self.version
        asked.headers = self.request.headers
        asked.takes_pieces = self.takes_pieces
        if not asked.id:
            asked.id = self.puid.decode("latin-1")
        return asked


class V2Answering(Answering):
    """As every surface's, but that MLServer's words for events are told with the answers (`Events`)."""

    def puid(self, request: Request) -> bytes:
        """The request's own, or a new one."""
        return told(request).puid or self.puids.take()

    def event_lines(self, request: Request, puid: bytes) -> bytes:  # noqa: ARG002 - as every surface's
        """None: not every answer has them."""
        return b""


class Inferring:
    """The plain way of every model."""

    def __init__(self, models: Models, answering: V2Answering, events: Events, *, limit_bytes: int) -> None:
        self._models = models
        self._answering = answering
        self._events = events
        self._limit_bytes = limit_bytes
        self._streaming = models.streaming()

    def __call__(self, request: Request, reply: Reply, target: Target, puid: bytes = b"") -> None:
        """Ask the graph. The answer's id is the request's own, else its puid."""
        self.answer(request, reply, target, self._models.predict, puid)

    def answer(self, request: Request, reply: Reply, target: Target, ask: Ask, puid: bytes = b"") -> None:
        """Answer one request with what `ask` gives for it."""
        seen = told(request)
        answering = self._answering
        walk = Walk(puid or answering.puid(request), request.headers, target.name)
        try:
            model, version = self.resolve(target)
            body, event = self._events.unwrap(request, seen)
        except FairleadError as error:
            answering.run(request, reply, walk, failing(error), answering.written)
            return
        streams = self._streaming if event is None and can_pour(reply) else None
        question = _Question(
            request,
            seen,
            walk.puid,
            model=model,
            version=version,
            body=body,
            event=event,
            limit_bytes=self._limit_bytes,
            takes_pieces=streams is not None,
        )
        step = ask(question.parcel, walk)
        answering.run(request, reply, walk, step, lambda answer: self._written(question, answer), streams=streams)

    def explain(self, parcel: Parcel, walk: Walk) -> Step[Parcel]:
        """Ask whoever explains."""
        try:
            return self._models.explain(parcel, walk)
        except FairleadError as error:
            return failing(error)

    def resolve(self, target: Target) -> tuple[str, str]:
        """The model's name and version as answers have them."""
        model = self._models.resolve(target.name, target.version)
        self._models.ensure_loaded(model)
        versions = self._models.versions(model)
        return model, target.version or (versions[-1] if versions else "")

    def _written(self, question: _Question, answer: Parcel) -> Answer:
        body = answer.answer_bytes(V2_JSON)
        lines = b""
        if body is None:
            message = answer.message()
            body = V2_JSON.write_answer(message, question.asked())
            lines = header_lines(message.response_headers)
        elif not question.parcel.is_bytes:
            body = with_id(body, question.asked().id)
        if question.event is not None:
            event_id = self._answering.puids.take().decode()
            body, own = self._events.wrap(question.event, body, model=question.model, event_id=event_id)
            lines += own
        elif self._answering.is_seldon and question.seen.is_event:
            lines += self._events.lines(question.request, question.asked().id, question.model)
        return Answer(body, lines=lines)
