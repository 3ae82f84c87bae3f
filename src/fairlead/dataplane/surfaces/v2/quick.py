"""The short way for the V2 request nearly everybody sends: one tensor of numbers for one row-wise model, as JSON or as
bytes.

It takes a request only when it can tell from the head and the parsed JSON that nothing else is asked for; everything
else goes the plain way. Answers are the plain way's own bytes with the values put in, so both give the same bytes;
tests/dataplane/surfaces/v2/test_quick.py holds them to it.
"""

from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import orjson

from fairlead.dataplane.graph.units import LocalUnit, rows_answer
from fairlead.dataplane.surfaces.answering import Answer, Answering
from fairlead.dataplane.surfaces.models import Models
from fairlead.dataplane.surfaces.quick import Ticket
from fairlead.dataplane.surfaces.seldon.heads import POST
from fairlead.dataplane.surfaces.v2.heads import told
from fairlead.dataplane.surfaces.v2.inferring import Inferring, Target
from fairlead.dataplane.surfaces.v2.usual import Asking, UsualRequests
from fairlead.errors import FairleadError, Overloaded
from fairlead.protocols.exchange import Reply, Request, Response
from fairlead.protocols.jsontext import html_safe
from fairlead.protocols.message import Asked, Form, Message, Payload
from fairlead.protocols.tensors import Array
from fairlead.protocols.v2_data import write_data
from fairlead.protocols.v2_json import OCTETS, V2_JSON

_ID = "the id goes here"
_ID_TEXT = orjson.dumps(_ID)
_MOST_TEMPLATES = 256
_MOST_NAMES = 256


class _Template(NamedTuple):
    """The answer's bytes before its id, between id and values, and after them."""

    start: bytes
    middle: bytes
    end: bytes


class Quick:
    """The short way to one row-wise unit; `plain` is the way of all other requests."""

    def __init__(
        self,
        unit: LocalUnit,
        models: Models,
        plain: Inferring,
        answering: Answering,
    ) -> None:
        assert unit.queue is not None  # row-wise units have both
        assert unit.servable.rows is not None
        self._unit = unit
        self._queue = unit.queue
        self._model = unit.servable.rows
        self._requests = UsualRequests(unit.servable.rows.output_name)
        self._models = models
        self._names: dict[Target, tuple[str, str]] = {}
        self._changes = models.changes
        self._plain = plain
        self._answering = answering
        self._before, self._after = answering.parts(POST)
        self._before_octets, _ = answering.parts(POST, OCTETS)
        self._puids = answering.puids
        self._observe = answering.observed(unit.unit)
        self._templates: dict[Any, _Template] = {}

    def __call__(self, request: Request, reply: Reply, target: Target) -> None:
        """Answer the request one way or the other."""
        seen = told(request)
        asking = self._requests.read(request.body, seen.json_bytes) if seen.is_plain else None
        if asking is None:
            self._plain(request, reply, target)
            return
        names = self._names.get(target)
        if names is None or self._changes != self._models.changes:
            names = self._resolve(target)
            if names is None:
                self._plain(request, reply, target)
                return
        try:
            self._queue.submit(_Ticket(self, request, reply, target, asking, names, seen.puid))
        except Overloaded:
            self._plain(request, reply, target)  # which says so in the protocol's words

    def _resolve(self, target: Target) -> tuple[str, str] | None:
        """The names to answer under. They are kept until a model is loaded or unloaded: 0.1 us against 0.6 us."""
        if self._changes != self._models.changes or len(self._names) >= _MOST_NAMES:
            self._names.clear()
            self._changes = self._models.changes
        try:
            names = self._names[target] = self._plain.resolve(target)
        except FairleadError:
            return None
        return names

    def finish(self, ticket: "_Ticket", answer: Array | None) -> None:
        """Send what the model gave for this ticket's rows."""
        puid = ticket.note or (self._puids.take() if self._after is not None or not ticket.id else b"")
        if answer is None or answer.dtype.kind not in "iuf" or answer.dtype.itemsize not in (1, 2, 4, 8):
            self._plain(ticket.request, ticket.reply, ticket.target, puid)
            return
        if answer.dtype == np.float16 and not ticket.is_binary:
            self._plain(ticket.request, ticket.reply, ticket.target, puid)
            return
        ticket.reply(self._response(ticket, answer, puid))
        elapsed = perf_counter() - ticket.started
        for series in self._observe:
            series.observe(elapsed)

    def _response(self, ticket: "_Ticket", answer: Array, puid: bytes) -> Response:
        is_binary = ticket.is_binary
        key = (ticket.model, ticket.version, answer.dtype, answer.shape, is_binary)
        template = self._templates.get(key)
        if template is None:
            template = self._template(ticket, answer)
            if len(self._templates) < _MOST_TEMPLATES:
                self._templates[key] = template
        said = orjson.dumps(ticket.id or puid.decode("latin-1"))
        if is_binary:
            text = template.start + said + template.middle
            head = self._before_octets if self._after is None else self._before_octets + puid + self._after
            head += b"Inference-Header-Content-Length: %d\r\n" % len(text)
            return Response(200, head, text + answer.tobytes())
        head = self._before
        if self._after is not None:
            head += puid + self._after
            said = html_safe(said)
        return Response(200, head, template.start + said + template.middle + write_data(answer) + template.end)

    def _template(self, ticket: "_Ticket", answer: Array) -> _Template:
        """The body around id and values, cut from the plain way's answer for an array of this shape."""
        values = np.zeros(answer.shape, dtype=answer.dtype)
        said = rows_answer(self._unit.unit, self._model, Message(Payload(Form.TENSORS, [])), values)
        asked = Asked(model=ticket.model, version=ticket.version, id=_ID, is_binary=ticket.is_binary)
        body = V2_JSON.write_answer(said, asked)
        text = body.data if body.json_bytes < 0 else body.data[: body.json_bytes]
        if body.json_bytes >= 0:
            start, _, rest = text.partition(_ID_TEXT)
            return _Template(start, rest, b"")
        start, _, rest = self._answering.body_of(Answer(body)).partition(_ID_TEXT)
        middle, found, end = rest.rpartition(write_data(values))
        assert found  # the plain way wrote them
        return _Template(start, middle, end)


class _Ticket(Ticket):
    """One request in a batch; its note is its puid."""

    __slots__ = ("id", "is_binary", "model", "target", "version")

    def __init__(
        self,
        quick: Quick,
        request: Request,
        reply: Reply,
        target: Target,
        asking: Asking,
        names: tuple[str, str],
        puid: bytes,
    ) -> None:
        rows, self.id, self.is_binary = asking
        super().__init__(quick, request, reply, rows, puid)
        self.target = target
        self.model, self.version = names
