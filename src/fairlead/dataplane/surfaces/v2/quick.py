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
from fairlead.dataplane.metering import Latency
from fairlead.dataplane.puids import Puids
from fairlead.dataplane.surfaces.v2.heads import OCTETS_LINE, Heads, told
from fairlead.dataplane.surfaces.v2.inferring import POST, Inferring, Target
from fairlead.errors import FairleadError
from fairlead.protocols.exchange import Reply, Request, Response
from fairlead.protocols.message import Asked, Form, Message, Payload
from fairlead.protocols.tensors import DTYPES, Array
from fairlead.protocols.v2_binary import read_raw
from fairlead.protocols.v2_data import checked_shape, read_data, write_data
from fairlead.protocols.v2_json import V2_JSON

_NUMBERS = {name: dtype for name, dtype in DTYPES.items() if dtype.kind in "iuf" and name != "FP16"}
_MEMBERS = frozenset(("inputs", "id", "parameters", "outputs"))
_ITEM_MEMBERS = frozenset(("name", "shape", "datatype", "data", "parameters"))
_BINARY_ANSWER = {"binary_data_output": True}
_ID = "the id goes here"
_ID_TEXT = orjson.dumps(_ID)
_MOST_TEMPLATES = 256
_NO_ROWS: tuple[int, ...] = ()


class _Asking(NamedTuple):
    """What a request of the usual sort asks."""

    rows: Array
    id: str
    is_binary: bool


class _Template(NamedTuple):
    """The answer's bytes before its id, between id and values, and after them."""

    start: bytes
    middle: bytes
    end: bytes


class Quick:
    """The short way to one row-wise unit; `plain` is the way of all other requests."""

    def __init__(
        self, unit: LocalUnit, plain: Inferring, heads: Heads, puids: Puids, observe: tuple[Latency, ...]
    ) -> None:
        assert unit.queue is not None  # row-wise units have both
        assert unit.servable.rows is not None
        self._unit = unit
        self._queue = unit.queue
        self._model = unit.servable.rows
        self._plain = plain
        self._before, self._after = heads.parts(POST)
        self._before_octets, _ = heads.parts(POST, OCTETS_LINE)
        self._puids = puids
        self._observe = observe
        self._templates: dict[Any, _Template] = {}

    def __call__(self, request: Request, reply: Reply, target: Target) -> None:
        """Answer the request one way or the other."""
        seen = told(request)
        asking = _read(request.body, seen.json_bytes, self._model.output_name) if seen.is_plain else None
        if asking is None:
            self._plain(request, reply, target)
            return
        try:
            model, version = self._plain.resolve(target)
        except FairleadError:
            self._plain(request, reply, target)
            return
        self._queue.submit(_Ticket(self, request, reply, target, asking, model, version, seen.puid))

    def finish(self, ticket: "_Ticket", answer: Array | None) -> None:
        """Send what the model gave for this ticket's rows."""
        puid = ticket.puid or (self._puids.take() if self._after is not None or not ticket.asking.id else b"")
        if answer is None or answer.dtype.kind not in "iuf" or answer.dtype.itemsize not in (1, 2, 4, 8):
            self._plain(ticket.request, ticket.reply, ticket.target, puid)
            return
        if answer.dtype == np.float16 and not ticket.asking.is_binary:
            self._plain(ticket.request, ticket.reply, ticket.target, puid)
            return
        ticket.reply(self._response(ticket, answer, puid))
        elapsed = perf_counter() - ticket.started
        for series in self._observe:
            series.observe(elapsed)

    def _response(self, ticket: "_Ticket", answer: Array, puid: bytes) -> Response:
        is_binary = ticket.asking.is_binary
        key = (ticket.model, ticket.version, answer.dtype, answer.shape, is_binary)
        template = self._templates.get(key)
        if template is None:
            template = self._template(ticket, answer)
            if len(self._templates) < _MOST_TEMPLATES:
                self._templates[key] = template
        said = orjson.dumps(ticket.asking.id) if ticket.asking.id else b'"' + puid + b'"'
        if is_binary:
            text = template.start + said + template.middle
            head = self._before_octets if self._after is None else self._before_octets + puid + self._after
            head += b"Inference-Header-Content-Length: %d\r\n" % len(text)
            return Response(200, head, text + answer.tobytes())
        head = self._before if self._after is None else self._before + puid + self._after
        return Response(200, head, template.start + said + template.middle + write_data(answer) + template.end)

    def _template(self, ticket: "_Ticket", answer: Array) -> _Template:
        """The body around id and values, cut from the plain way's answer for an array of this shape."""
        values = np.zeros(answer.shape, dtype=answer.dtype)
        said = rows_answer(self._unit.unit, self._model, Message(Payload(Form.TENSORS, [])), values)
        asked = Asked(model=ticket.model, version=ticket.version, id=_ID, is_binary=ticket.asking.is_binary)
        body = V2_JSON.write_answer(said, asked)
        text = body.data if body.json_bytes < 0 else body.data[: body.json_bytes]
        start, _, rest = text.partition(_ID_TEXT)
        if body.json_bytes >= 0:
            return _Template(start, rest, b"")
        middle, found, end = rest.rpartition(write_data(values))
        assert found  # the plain way wrote them
        return _Template(start, middle, end)


class _Ticket:
    """One request in a batch."""

    __slots__ = ("asking", "model", "puid", "quick", "reply", "request", "rows", "started", "target", "version")

    def __init__(
        self,
        quick: Quick,
        request: Request,
        reply: Reply,
        target: Target,
        asking: _Asking,
        model: str,
        version: str,
        puid: bytes,
    ) -> None:
        self.quick = quick
        self.request = request
        self.reply = reply
        self.target = target
        self.asking = asking
        self.rows = asking.rows
        self.model = model
        self.version = version
        self.puid = puid
        self.started = perf_counter()

    def give(self, answer: Array | None) -> None:
        self.quick.finish(self, answer)


def _read(body: bytes, json_bytes: int, output_name: str) -> _Asking | None:
    """A request that holds one tensor of numbers and nothing to think about, else `None`."""
    try:
        value = orjson.loads(body if json_bytes < 0 else body[:json_bytes])
    except orjson.JSONDecodeError:
        return None
    if type(value) is not dict or not _MEMBERS.issuperset(value):
        return None
    inputs, identity = value.get("inputs"), value.get("id", "")
    if type(inputs) is not list or len(inputs) != 1 or type(identity) is not str:
        return None
    parameters = value.get("parameters")
    is_binary = False
    if parameters:
        if parameters != _BINARY_ANSWER or parameters["binary_data_output"] is not True:
            return None
        is_binary = True
    if value.get("outputs"):
        wish = _wish(value["outputs"], output_name)
        if wish is None or parameters:
            return None
        is_binary = wish
    rows = _rows(inputs[0], body, json_bytes)
    return None if rows is None else _Asking(rows, identity, is_binary)


def _wish(outputs: Any, output_name: str) -> bool | None:
    """Whether the one output there is is wanted in binary; `None` for any other wish."""
    if type(outputs) is not list or len(outputs) != 1 or type(outputs[0]) is not dict:
        return None
    wanted = outputs[0]
    if wanted.get("name") != output_name:
        return None
    parameters = wanted.get("parameters")
    if not parameters:
        return False
    if type(parameters) is not dict or len(parameters) != 1:
        return None
    asked = parameters.get("binary_data")
    return asked if type(asked) is bool else None


def _rows(item: Any, body: bytes, json_bytes: int) -> Array | None:
    if type(item) is not dict or type(item.get("name")) is not str or not _ITEM_MEMBERS.issuperset(item):
        return None
    datatype, shape, parameters = item.get("datatype"), item.get("shape"), item.get("parameters")
    if type(datatype) is not str or datatype not in _NUMBERS or type(shape) is not list or len(shape) < 2:
        return None
    try:
        checked_shape(shape, "")
        if json_bytes < 0:
            rows = None if parameters or "data" not in item else read_data(item["data"], datatype, shape, "")
        else:
            rows = _raw_rows(datatype, shape, parameters, body, json_bytes)
    except FairleadError:  # the plain way says what is wrong
        return None
    return rows if rows is not None and len(rows) > 0 else None


def _raw_rows(datatype: str, shape: list[int], parameters: Any, body: bytes, json_bytes: int) -> Array | None:
    if type(parameters) is not dict or len(parameters) != 1:
        return None
    if parameters.get("binary_data_size") != len(body) - json_bytes:
        return None
    return read_raw(memoryview(body)[json_bytes:], datatype, shape, "")
