"""One bare unit over REST: the microservice contract."""

from collections.abc import Callable
from typing import NamedTuple

from fairlead.dataplane.graph.contracts import SELDON_PATHS as PATHS
from fairlead.dataplane.graph.driving import Step, drive
from fairlead.dataplane.graph.parcel import JSON, Parcel, Stopped, Walk, failure_lines
from fairlead.dataplane.graph.units import GraphUnit, LocalUnit, rows_answer
from fairlead.dataplane.metering import Meters
from fairlead.dataplane.puids import Puids
from fairlead.dataplane.surfaces import docs
from fairlead.dataplane.surfaces.quick import Quick
from fairlead.dataplane.surfaces.routing_table import Routes
from fairlead.dataplane.surfaces.seldon import open_api
from fairlead.dataplane.surfaces.seldon.heads import UnitHeads
from fairlead.dataplane.surfaces.seldon.parcels import parcel_of
from fairlead.dataplane.surfaces.seldon.plain_rows import rows_of
from fairlead.errors import FairleadError, MethodNotAllowed, NotFound
from fairlead.plan.model import Method
from fairlead.protocols import jsontext, seldon_v1
from fairlead.protocols.exchange import Reply, Request, Response
from fairlead.protocols.message import Form, Message, Payload
from fairlead.protocols.request_forms import read_object
from fairlead.protocols.seldon_json import SELDON_JSON
from fairlead.protocols.wire import Body

_ALL_VERBS = b"DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
_NOT_FOUND = (
    "404 Not Found: The requested URL was not found on the server. If you entered the URL manually please check your "
    "spelling and try again."
)
_NOT_ALLOWED = "405 Method Not Allowed: The method is not allowed for the requested URL."


class _Outcome(NamedTuple):
    status: int
    body: bytes
    content_type: bytes = JSON
    content_encoding: bytes = b""


class _NoRoute(NotFound):
    reason = seldon_v1.INTERNAL_ERROR


class _WrongVerb(MethodNotAllowed):
    reason = seldon_v1.INTERNAL_ERROR


class UnitRoutes:
    """The routes of one unit. `extra` says whether the paths that an orchestrator has too are wanted."""

    def __init__(self, unit: GraphUnit, meters: Meters, *, limit_bytes: int, is_whole: bool) -> None:
        self._unit = unit
        self._meters = meters
        self._limit_bytes = limit_bytes
        self._is_whole = is_whole

    def routes(self) -> Routes:
        """Paths to verbs to handlers."""
        predict = self._quick()
        both = ("GET", "POST")
        routes: Routes = {PATHS[Method.PREDICT]: {"GET": self._method(Method.PREDICT), "POST": predict}}
        for method in (Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT, Method.ROUTE):
            routes[PATHS[method]] = dict.fromkeys(both, self._method(method))
        routes[PATHS[Method.AGGREGATE]] = dict.fromkeys(both, self._aggregate)
        routes[PATHS[Method.FEEDBACK]] = dict.fromkeys(both, self._feedback)
        routes["/health/ping"] = {"GET": _ping}
        routes["/health/status"] = {"GET": self._status}
        routes["/metadata"] = {"GET": self._metadata}
        routes["/seldon.json"] = {"GET": self._open_api}
        routes |= {path: {"GET": _doc} for path in docs.paths_of("/docs")}
        if self._is_whole:
            for version in ("v0.1", "v1.0"):
                routes[f"/api/{version}/predictions"] = {"POST": predict}
                routes[f"/api/{version}/feedback"] = {"POST": self._feedback}
            routes["/api/v1.0/health/status"] = {"GET": self._status}
            routes["/api/v1.0/metadata"] = {"GET": self._metadata}
        return routes

    def options(self, request: Request, reply: Reply, verbs: list[str]) -> None:
        """Answer a preflight."""
        lines = [
            UnitHeads.block(request, b"Content-Type: text/html; charset=utf-8\r\n"),
            b"Allow: " + ", ".join([*verbs, "OPTIONS"]).encode() + b"\r\n",
        ]
        if request.header(b"access-control-request-method"):
            lines.append(b"Access-Control-Allow-Methods: " + _ALL_VERBS + b"\r\n")
            asked = request.header(b"access-control-request-headers")
            if asked:
                lines.append(b"Access-Control-Allow-Headers: " + asked + b"\r\n")
        reply(Response(200, b"".join(lines), b""))

    def unknown_path(self, request: Request, reply: Reply) -> None:
        """There is nothing at this path."""
        _refuse(request, reply, _NoRoute(_NOT_FOUND))

    def wrong_verb(self, request: Request, reply: Reply, verbs: list[str]) -> None:
        """The path does not take this verb."""
        _refuse(request, reply, _WrongVerb(_NOT_ALLOWED), extra=b"Allow: " + ", ".join(verbs).encode() + b"\r\n")

    def _quick(self) -> Callable[[Request, Reply], None]:
        plain = self._method(Method.PREDICT)
        unit = self._unit
        if not isinstance(unit, LocalUnit) or unit.queue is None or unit.servable.rows is None:
            return plain
        model = unit.servable.rows

        def write(rows: object) -> bytes:
            asked = Message(Payload(Form.NDARRAY, rows))
            return seldon_v1.encode(rows_answer(unit.unit, model, asked, rows))  # type: ignore[arg-type]  # an array

        return Quick(
            unit.queue,
            lambda request, reply, _puid: plain(request, reply),
            write,
            heads=(UnitHeads.block(Request("POST", "", b"", [], b"")), None),
            puids=Puids(),
            observe=(self._meters.client(unit.unit, PATHS[Method.PREDICT], "200"),),
            rows_of=rows_of,
        )

    def _method(self, method: Method) -> Callable[[Request, Reply], None]:
        def handle(request: Request, reply: Reply) -> None:
            parcel = parcel_of(request, limit_bytes=self._limit_bytes)
            walk = _walk(request)
            _run(request, reply, self._answer(self._unit.call(method, parcel, walk)), walk)

        return handle

    def _aggregate(self, request: Request, reply: Reply) -> None:
        walk = _walk(request)

        async def ask() -> Parcel:
            messages = seldon_v1.decode_list(read_object(request, limit_bytes=self._limit_bytes))
            return await self._unit.aggregate([Parcel(one) for one in messages], walk)

        _run(request, reply, self._answer(ask()), walk)

    def _feedback(self, request: Request, reply: Reply) -> None:
        async def ask() -> Parcel:
            value = read_object(request, limit_bytes=self._limit_bytes)
            reward = seldon_v1.decode_feedback(value)
            body = jsontext.dumps(value)
            parcel = Parcel.of_request(SELDON_JSON, Body(body), limit_bytes=self._limit_bytes)
            return await self._unit.feedback(parcel, reward, _walk(request))

        _run(request, reply, self._rewarded(ask()))

    def _status(self, request: Request, reply: Reply) -> None:
        _run(request, reply, self._answer(self._unit.status()))

    def _metadata(self, request: Request, reply: Reply) -> None:
        async def ask() -> _Outcome:
            return _Outcome(200, jsontext.dumps(await self._unit.metadata()))

        _run(request, reply, ask())

    def _open_api(self, request: Request, reply: Reply) -> None:
        async def ask() -> _Outcome:
            try:
                inputs = (await self._unit.metadata()).get("inputs")
            except FairleadError:
                inputs = None
            body = open_api.describe_unit(
                self._unit.unit.name,
                prefix=docs.prefix_of(request),
                has_graph_paths=self._is_whole,
                combines=not isinstance(self._unit, LocalUnit) or Method.AGGREGATE in self._unit.servable.methods,
                example=docs.example_request(inputs, self._unit.columns),
            )
            return _Outcome(200, body)

        _run(request, reply, ask())

    async def _answer(self, step: Step[Parcel]) -> _Outcome:
        parcel = await step
        if not parcel.is_bytes:
            parcel.message().meta.routing = {}
        body = parcel.answer_bytes(SELDON_JSON) if parcel.is_bytes else None
        if body is None:
            body = SELDON_JSON.write_answer(parcel.message(), None)
        return _Outcome(200, body.data, body.content_type or JSON, body.content_encoding)

    async def _rewarded(self, step: Step[Parcel]) -> _Outcome:
        parcel = await step
        if parcel.decoded is not None:
            return _Outcome(200, seldon_v1.encode_feedback_answer(parcel.decoded))
        return await self._answer(_settled(parcel))


async def _settled(parcel: Parcel) -> Parcel:
    return parcel


def _walk(request: Request) -> Walk:
    return Walk(request.header(b"seldon-puid"), request.headers)


def _doc(request: Request, reply: Reply) -> None:
    reply(docs.at("/docs", request, "../seldon.json"))


def _ping(request: Request, reply: Reply) -> None:
    reply(Response(200, UnitHeads.block(request, b"Content-Type: text/html; charset=utf-8\r\n"), b"pong"))


def _run(request: Request, reply: Reply, step: Step[_Outcome], walk: Walk | None = None) -> None:
    def done(outcome: _Outcome | None, error: Exception | None) -> None:
        if outcome is None:
            _refuse(request, reply, error or RuntimeError("no answer"))
            return
        head = b"Content-Type: " + outcome.content_type + b"\r\n"
        if outcome.content_encoding:
            head += b"Content-Encoding: " + outcome.content_encoding + b"\r\n"
        reply(Response(outcome.status, UnitHeads.block(request, head), outcome.body))

    drive(step, done)
    if walk is not None:
        walk.follow(reply)


def _refuse(request: Request, reply: Reply, error: Exception, *, extra: bytes = b"") -> None:
    if isinstance(error, Stopped):
        status, said = error.worded(SELDON_JSON)
        head = b"Content-Type: " + (said.content_type or JSON) + b"\r\n"
        if said.content_encoding:
            head += b"Content-Encoding: " + said.content_encoding + b"\r\n"
        reply(Response(status, UnitHeads.block(request, head) + failure_lines(error), said.data))
        return
    http, body = seldon_v1.failure(error)
    reply(Response(http, UnitHeads.block(request) + failure_lines(error) + extra, body))
