"""Inference over V2 REST: any request, in any form, through the whole graph."""

from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple

from fairlead.dataplane.graph.driving import Step, drive
from fairlead.dataplane.graph.parcel import Parcel, Walk, plain
from fairlead.dataplane.metering import Meters
from fairlead.dataplane.puids import Puids
from fairlead.dataplane.surfaces.header_lines import besides_type, header_line, header_lines
from fairlead.dataplane.surfaces.models import Models
from fairlead.dataplane.surfaces.pouring import can_pour, pieces_of, pour
from fairlead.dataplane.surfaces.seldon.heads import POST
from fairlead.dataplane.surfaces.v2.events import Events
from fairlead.dataplane.surfaces.v2.heads import Heads, Told, told
from fairlead.errors import FairleadError
from fairlead.protocols.cloudevents import Event
from fairlead.protocols.exchange import Reply, Request, Response
from fairlead.protocols.message import Asked, Message, Pieces
from fairlead.protocols.v2_json import V2_JSON, read_request, with_id
from fairlead.protocols.wire import Body

Ask = Callable[[Parcel, Walk], Step[Parcel]]
Refuse = Callable[[Request, Reply, bytes, Exception], int]


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


class Inferring:
    """The plain way of every model. `refuse` sends the answer to a failure and gives its status."""

    def __init__(
        self,
        models: Models,
        meters: Meters,
        heads: Heads,
        puids: Puids,
        events: Events,
        refuse: Refuse,
        *,
        limit_bytes: int,
    ) -> None:
        self._models = models
        self._meters = meters
        self._heads = heads
        self._puids = puids
        self._events = events
        self._refuse = refuse
        self._limit_bytes = limit_bytes
        self._streaming = models.streaming()

    def __call__(self, request: Request, reply: Reply, target: Target, puid: bytes = b"") -> None:
        """Ask the graph. The answer's id is the request's own, else its puid."""
        self.answer(request, reply, target, self._models.predict, puid)

    def answer(self, request: Request, reply: Reply, target: Target, ask: Ask, puid: bytes = b"") -> None:
        """Answer one request with what `ask` gives for it."""
        started = perf_counter()
        seen = told(request)
        puid = puid or seen.puid or self._puids.take()
        try:
            model, version = self.resolve(target)
            body, event = self._events.unwrap(request, seen)
        except FairleadError as error:
            self._count(started, self._refuse(request, reply, puid, error))
            return
        question = _Question(
            request,
            seen,
            puid,
            model=model,
            version=version,
            body=body,
            event=event,
            limit_bytes=self._limit_bytes,
            takes_pieces=self._streaming is not None and event is None and can_pour(reply),
        )

        def done(answer: Parcel | None, error: Exception | None) -> None:
            status = 200
            if answer is not None:
                pieces = pieces_of(answer)
                if pieces is not None:
                    self._pour(question, answer, pieces, reply, started)
                    return
                try:
                    reply(self._written(question, answer))
                except Exception as failure:
                    error = failure
            if error is not None:
                status = self._refuse(request, reply, puid, error)
            self._count(started, status)

        walk = Walk(puid, request.headers, target.name)
        drive(ask(question.parcel, walk), done)
        walk.follow(reply)

    def explain(self, parcel: Parcel, walk: Walk) -> Step[Parcel]:
        """Ask whoever explains."""
        try:
            return self._models.explain(parcel, walk)
        except FairleadError as error:
            return _failing(error)

    def resolve(self, target: Target) -> tuple[str, str]:
        """The model's name and version as answers have them."""
        model = self._models.resolve(target.name, target.version)
        self._models.ensure_loaded(model)
        versions = self._models.versions(model)
        return model, target.version or (versions[-1] if versions else "")

    def _written(self, question: _Question, answer: Parcel) -> Response:
        body = answer.answer_bytes(V2_JSON)
        lines = b""
        if body is None:
            message = answer.message()
            body = V2_JSON.write_answer(message, question.asked())
            lines = header_lines(message.response_headers)
        elif not question.parcel.is_bytes:
            body = with_id(body, question.asked().id)
        if question.event is not None:
            event_id = self._puids.take().decode()
            body, own = self._events.wrap(question.event, body, model=question.model, event_id=event_id)
            lines += own
        elif self._heads.is_seldon and question.seen.is_event:
            lines += self._heads.event(question.request, question.asked().id, question.model)
        head = self._heads.block(question.puid, POST, self._heads.of_body(body)) + lines
        return Response(200, head, self._heads.sent(body))

    def _pour(self, question: _Question, answer: Parcel, pieces: Pieces, reply: Reply, started: float) -> None:
        assert self._streaming is not None  # or no answer would be a stream
        kind = header_line("Content-Type", pieces.media_type)
        lines = besides_type(answer.message().response_headers)
        head = self._heads.block(question.puid, POST, kind) + lines
        pour(pieces, self._streaming, reply, Response(200, head, b""), lambda: self._count(started, 200))

    def _count(self, started: float, status: int) -> None:
        self._meters.server("predictions", "post", str(status)).observe(perf_counter() - started)


async def _failing(error: FairleadError) -> Parcel:
    raise error
