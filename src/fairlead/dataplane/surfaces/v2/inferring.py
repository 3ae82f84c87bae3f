"""Inference over V2 REST: any request, in any form, through the whole graph."""

import logging
from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple

from fairlead.dataplane.graph.driving import drive
from fairlead.dataplane.graph.parcel import Parcel, Stopped, Walk, plain
from fairlead.dataplane.metering import Meters
from fairlead.dataplane.puids import Puids
from fairlead.dataplane.surfaces.models import Models
from fairlead.dataplane.surfaces.v2.heads import Heads, Told, told
from fairlead.errors import FairleadError
from fairlead.protocols.exchange import Reply, Request, Response
from fairlead.protocols.message import Asked, Message
from fairlead.protocols.v2_json import V2_JSON, read_request
from fairlead.protocols.wire import Body

_log = logging.getLogger(__name__)
POST = b"OPTIONS,POST"

Refuse = Callable[[Request, Reply, bytes, Exception], int]


class Target(NamedTuple):
    """What a path asks: a model (empty: the first) and a version of it (empty: any)."""

    name: str
    version: str = ""


class _Question:
    """One request under way."""

    __slots__ = ("limit_bytes", "model", "parcel", "puid", "request", "seen", "version")

    def __init__(
        self, request: Request, seen: Told, puid: bytes, *, model: str, version: str, limit_bytes: int
    ) -> None:
        self.request = request
        self.seen = seen
        self.puid = puid
        self.model = model
        self.version = version
        self.limit_bytes = limit_bytes
        self.parcel = Parcel(bytes_=seen.body(request), read=self._read, wire=V2_JSON)

    def asked(self) -> Asked:
        """What the request says besides its tensors. A peer may have taken a body that we cannot read."""
        try:
            asked = self.parcel.message().asked
        except FairleadError:
            asked = None
        return asked or Asked(model=self.model, version=self.version, id=self.puid.decode("latin-1"))

    def _read(self) -> Message:
        message = read_request(plain(self.seen.body(self.request), self.limit_bytes), model=self.model)
        asked = message.asked
        assert asked is not None  # requests of this wire have it
        asked.version = self.version
        asked.headers = self.request.headers
        if not asked.id:
            asked.id = self.puid.decode("latin-1")
        return message


class Inferring:
    """The plain way of every model. `refuse` sends the answer to a failure and gives its status."""

    def __init__(
        self, models: Models, meters: Meters, heads: Heads, puids: Puids, refuse: Refuse, *, limit_bytes: int
    ) -> None:
        self._models = models
        self._meters = meters
        self._heads = heads
        self._puids = puids
        self._refuse = refuse
        self._limit_bytes = limit_bytes

    def __call__(self, request: Request, reply: Reply, target: Target, puid: bytes = b"") -> None:
        """Answer one request. The answer's id is the request's own, else its puid."""
        started = perf_counter()
        seen = told(request)
        puid = puid or seen.puid or self._puids.take()
        try:
            model, version = self.resolve(target)
        except FairleadError as error:
            self._count(started, self._refuse(request, reply, puid, error))
            return
        question = _Question(request, seen, puid, model=model, version=version, limit_bytes=self._limit_bytes)

        def done(answer: Parcel | None, error: Exception | None) -> None:
            status = 200
            if error is None and answer is not None:
                try:
                    reply(self._written(question, answer))
                except Exception as failure:
                    error = failure
            if error is not None:
                status = self._refuse(request, reply, puid, error)
            self._count(started, status)

        drive(self._models.predict(question.parcel, Walk(puid, request.headers, target.name)), done)

    def resolve(self, target: Target) -> tuple[str, str]:
        """The model's name and version as answers have them."""
        model = self._models.resolve(target.name, target.version)
        versions = self._models.versions(model)
        return model, target.version or (versions[-1] if versions else "")

    def _written(self, question: _Question, answer: Parcel) -> Response:
        body = answer.answer_bytes(V2_JSON)
        if body is None:
            body = V2_JSON.write_answer(answer.message(), question.asked())
        return Response(200, self._head(question, body), body.data)

    def _head(self, question: _Question, body: Body) -> bytes:
        head = self._heads.block(question.puid, POST, self._heads.of_body(body))
        if not question.seen.is_event or not self._heads.is_seldon:
            return head
        return head + self._heads.event(question.seen, question.request, question.asked().id, question.model)

    def _count(self, started: float, status: int) -> None:
        self._meters.server("predictions", "post", str(status)).observe(perf_counter() - started)


def worded(error: Exception) -> tuple[int, Body, bytes]:
    """Status, body and extra header lines of a failure."""
    if isinstance(error, Stopped):
        status, body = error.worded(V2_JSON)
        return status, body, b"Fairlead-Unit: " + error.unit.encode("latin-1", "replace") + b"\r\n"
    if isinstance(error, FairleadError):
        status, data = V2_JSON.failure(error)
        return status, Body(data), b""
    _log.error("a request could not be answered: %s", error, exc_info=error)
    _, data = V2_JSON.failure(FairleadError(f"{type(error).__name__} : {error}"))
    return 500, Body(data), b""
