"""A whole graph over REST: the orchestrator's routes, headers and failures."""

import asyncio
import logging
from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

from fairlead.dataplane.graph.contracts import SELDON_PATHS as PATHS
from fairlead.dataplane.graph.driving import Step, drive
from fairlead.dataplane.graph.executor import Executor
from fairlead.dataplane.graph.parcel import JSON, Parcel, Stopped, Walk, failure_lines
from fairlead.dataplane.graph.units import LocalUnit, rows_answer
from fairlead.dataplane.metering import CONTENT_TYPE, Meters
from fairlead.dataplane.puids import Puids
from fairlead.dataplane.spec import WorkerSpec
from fairlead.dataplane.surfaces import docs
from fairlead.dataplane.surfaces.quick import Quick
from fairlead.dataplane.surfaces.routing_table import ANY, Routes, Verbs
from fairlead.dataplane.surfaces.seldon import open_api
from fairlead.dataplane.surfaces.seldon.heads import GET, JSON_LINE, POST, GraphHeads, told
from fairlead.dataplane.surfaces.seldon.parcels import parcel_of
from fairlead.dataplane.surfaces.seldon.plain_rows import rows_of
from fairlead.errors import FairleadError, NotFound
from fairlead.plan.model import Method
from fairlead.protocols import jsontext, seldon_v1
from fairlead.protocols.exchange import Reply, Request, Response
from fairlead.protocols.message import Form, Message, Payload
from fairlead.protocols.request_forms import read_object
from fairlead.protocols.seldon_json import SELDON_JSON
from fairlead.protocols.wire import Body

_log = logging.getLogger(__name__)

VERSIONS = ("/api/v1.0", "/api/v0.1")


class _Outcome(NamedTuple):
    status: int
    body: bytes
    content_type: bytes = JSON
    content_encoding: bytes = b""
    lines: bytes = b""


class GraphRoutes:
    """The routes of one predictor."""

    def __init__(self, spec: WorkerSpec, executor: Executor, meters: Meters) -> None:
        self._spec = spec
        self._executor = executor
        self._meters = meters
        self._heads = GraphHeads(spec)
        self._puids = Puids()
        self._metrics: Response | None = None
        self._limit_bytes = spec.max_body_bytes
        self._with_routing = spec.revision.include_routing

    def routes(self) -> Routes:
        """Paths to verbs to handlers."""
        predict = self._quick()
        routes: Routes = {}
        for version in VERSIONS:
            routes[f"{version}/predictions"] = {"POST": predict}
            routes[f"{version}/feedback"] = {"POST": self._feedback}
            routes[f"{version}/doc"] = {"GET": lambda request, reply: reply(docs.to_folder(request))}
        routes["/api/v1.0/status"] = routes["/api/v1.0/health/status"] = {"GET": self._ready}
        routes["/api/v1.0/metadata"] = {"GET": self._graph_metadata}
        routes["/ready"] = {ANY: self._ready}
        routes["/live"] = {ANY: _live}
        routes["/prometheus"] = routes["/metrics"] = {ANY: self._prometheus}
        return routes

    def find(self, path: str) -> Verbs | None:
        """The routes whose path ends in a name."""
        for version in VERSIONS:
            for kind, handle in (("status", self._unit_status), ("metadata", self._unit_metadata)):
                start = f"{version}/{kind}/"
                if path.startswith(start) and "/" not in path[len(start) :]:
                    return {"GET": handle(path[len(start) :])}
            start = f"{version}/doc/"
            if path.startswith(start):
                return self._doc(path[len(start) :], version)
        return None

    def options(self, request: Request, reply: Reply, verbs: list[str]) -> None:
        """Answer a preflight."""
        before, after = self._heads.parts(_methods(verbs), b"")
        reply(Response(200, before + self._puid(request) + after, b""))

    def unknown_path(self, request: Request, reply: Reply) -> None:  # noqa: ARG002 - a route's signature
        """There is nothing at this path."""
        reply(Response(404, JSON_LINE, seldon_v1.orchestrator_failure(404, "404 page not found")))

    def wrong_verb(self, request: Request, reply: Reply, verbs: list[str]) -> None:
        """The path does not take this verb."""
        info = f"405 method not allowed: {request.method}; expected {' or '.join(verbs)}"
        head = JSON_LINE + b"Allow: " + _methods(verbs) + b"\r\n"
        reply(Response(405, head, seldon_v1.orchestrator_failure(405, info)))

    def predict_plain(self, request: Request, reply: Reply, puid: bytes = b"") -> None:
        """Any prediction, in any form, through the whole graph."""
        walk = Walk(puid or self._puid(request), request.headers)
        parcel = parcel_of(request, limit_bytes=self._limit_bytes)
        self._run(request, reply, "predictions", walk, self._executor.predict(parcel, walk), self._predicted)

    def _quick(self) -> Callable[[Request, Reply], None]:
        unit = self._executor.lone_model()
        if not isinstance(unit, LocalUnit) or unit.queue is None or unit.servable.rows is None:
            return self.predict_plain
        local, model = unit, unit.servable.rows

        def write(rows: Any) -> bytes:
            walk = Walk(b"", [])
            walk.routing[local.unit.name] = -1
            asked = Message(Payload(Form.NDARRAY, rows))
            return self._predicted(Parcel(rows_answer(local.unit, model, asked, rows)), walk).body

        return Quick(
            unit.queue,
            self.predict_plain,
            write,
            heads=self._heads.parts(POST),
            puids=self._puids,
            observe=(
                self._meters.server("predictions", "post", "200"),
                self._meters.client(unit.unit, PATHS[Method.PREDICT], "200"),
            ),
            rows_of=rows_of,
        )

    def _predicted(self, parcel: Parcel, walk: Walk) -> _Outcome:
        came = parcel.answer_bytes(SELDON_JSON)
        if came is not None and parcel.is_verbatim:
            return _Outcome(200, came.data, came.content_type or JSON, came.content_encoding)
        if came is None or not parcel.is_bytes:
            return _Outcome(200, jsontext.html_safe(self._encoded(parcel.message(), walk)))
        body = self._with_routes(came, walk) if self._with_routing else came.data
        if not came.content_encoding and (came.content_type or JSON).startswith(JSON):
            body = jsontext.html_safe(body)
        return _Outcome(200, body, came.content_type or JSON, came.content_encoding)

    def _encoded(self, message: Message, walk: Walk) -> bytes:
        if message.raw is None:
            message.meta.routing = walk.routing if self._with_routing else {}
            return SELDON_JSON.write_answer(message, None).data
        value = message.raw
        if self._with_routing and isinstance(value.get("meta"), dict):
            value = value | {"meta": value["meta"] | {"routing": walk.routing}}
        return jsontext.dumps(value)

    def _with_routes(self, came: Body, walk: Walk) -> bytes:
        """A peer's bytes, read and written again only to put the routing where its `meta` is."""
        body = came.data
        if came.content_encoding or not walk.routing or b'"meta"' not in body:
            return body
        try:
            value = jsontext.loads(body)
        except ValueError:
            return body
        if not isinstance(value, dict) or not isinstance(value.get("meta"), dict):
            return body
        value["meta"]["routing"] = walk.routing
        return jsontext.dumps(value)

    def _feedback(self, request: Request, reply: Reply) -> None:
        walk = Walk(self._puid(request), request.headers)

        async def ask() -> Parcel:
            reward = seldon_v1.decode_feedback(read_object(request, limit_bytes=self._limit_bytes))
            parcel = parcel_of(request, limit_bytes=self._limit_bytes)
            return await self._executor.feedback(parcel, reward, walk)

        self._run(request, reply, "feedback", walk, ask(), _rewarded)

    def _unit_status(self, name: str) -> Callable[[Request, Reply], None]:
        async def ask() -> Parcel:
            return await self._executor.unit(name).status()

        return lambda request, reply: self._run(
            request, reply, "status", Walk(self._puid(request), []), ask(), _as_it_is
        )

    def _unit_metadata(self, name: str) -> Callable[[Request, Reply], None]:
        async def ask() -> dict[str, Any]:
            return await self._executor.unit(name).metadata()

        return lambda request, reply: self._run(
            request, reply, "metadata", Walk(self._puid(request), []), ask(), _as_json
        )

    def _graph_metadata(self, request: Request, reply: Reply) -> None:
        step = self._executor.metadata(self._spec.component)
        self._run(request, reply, "metadata", Walk(self._puid(request), []), step, _as_json)

    def _ready(self, request: Request, reply: Reply) -> None:
        before, after = self._heads.parts(GET, b"")
        head = before + self._puid(request) + after

        def done(is_ready: bool | None, error: Exception | None) -> None:
            if error is not None:
                _log.error("readiness could not be told", exc_info=error)
            reply(Response(200 if is_ready else 503, head, b""))

        drive(self._executor.is_ready(), done)

    def _prometheus(self, request: Request, reply: Reply) -> None:  # noqa: ARG002 - a route's signature
        # One page takes some twenty milliseconds. Those who ask together get the same one, or a hundred streams of one
        # HTTP/2 connection would hold everybody else up for seconds.
        if self._metrics is None:
            self._metrics = Response(200, b"Content-Type: " + CONTENT_TYPE + b"\r\n", self._meters.render())
            asyncio.get_running_loop().call_soon(self._forget_metrics)
        reply(self._metrics)

    def _forget_metrics(self) -> None:
        self._metrics = None

    def _doc(self, name: str, version: str) -> Verbs | None:
        if name == "seldon.json":
            return {"GET": lambda request, reply: self._open_api(request, reply, version)}
        response = docs.page_file(name)
        return None if response is None else {"GET": lambda request, reply: reply(response)}  # noqa: ARG005

    def _open_api(self, request: Request, reply: Reply, version: str) -> None:
        async def ask() -> bytes:
            try:
                inputs = (await self._executor.metadata(self._spec.component)).get("graphinputs")
            except FairleadError:
                inputs = None  # the page is worth having without what the model says of itself
            return open_api.describe_graph(
                f"{self._spec.service}: {self._spec.component}",
                prefix=docs.prefix_of(request),
                version=version,
                units=list(self._executor.units),
                example=docs.example_request(inputs, self._executor.columns()),
            )

        walk = Walk(self._puid(request), [])
        self._run(request, reply, "doc", walk, ask(), lambda body, _walk: _Outcome(200, body))

    def _run(
        self,
        request: Request,
        reply: Reply,
        service: str,
        walk: Walk,
        step: Step[Any],
        write: Callable[[Any, Walk], _Outcome],
    ) -> None:
        started = perf_counter()

        def done(value: Any, error: Exception | None) -> None:
            outcome = _failed(error) if error is not None else _written(write, value, walk)
            reply(Response(outcome.status, self._head(request, walk.puid, outcome), outcome.body))
            verb = request.method.lower()
            self._meters.server(service, verb, str(outcome.status)).observe(perf_counter() - started)

        drive(step, done)
        walk.follow(reply)

    def _head(self, request: Request, puid: bytes, outcome: _Outcome) -> bytes:
        before, after = self._heads.parts(
            POST if request.method == "POST" else GET, b"Content-Type: " + outcome.content_type + b"\r\n"
        )
        head = before + puid + after + self._heads.event(request, puid)
        if outcome.content_encoding:
            head += b"Content-Encoding: " + outcome.content_encoding + b"\r\n"
        return head + outcome.lines

    def _puid(self, request: Request) -> bytes:
        return told(request).puid or self._puids.take()


def _methods(verbs: list[str]) -> bytes:
    return ",".join(sorted({*verbs, "OPTIONS"})).encode()


def _live(request: Request, reply: Reply) -> None:  # noqa: ARG001 - a route's signature
    reply(Response(200, b"", b""))


def _as_it_is(parcel: Parcel, _walk: Walk) -> _Outcome:
    body = parcel.answer_bytes(SELDON_JSON)
    if body is None:
        body = SELDON_JSON.write_answer(parcel.message(), None)
    return _Outcome(200, body.data, body.content_type or JSON, body.content_encoding)


def _rewarded(parcel: Parcel, walk: Walk) -> _Outcome:
    if parcel.decoded is None:
        return _as_it_is(parcel, walk)
    return _Outcome(200, seldon_v1.encode_feedback_answer(parcel.decoded))


def _as_json(value: dict[str, Any], _walk: Walk) -> _Outcome:
    return _Outcome(200, jsontext.dumps(value))


def _written(write: Callable[[Any, Walk], _Outcome], value: Any, walk: Walk) -> _Outcome:
    try:
        return write(value, walk)
    except Exception as error:
        _log.error("an answer could not be written: %s", error, exc_info=error)
        return _failed(error)


def _failed(error: Exception) -> _Outcome:
    if isinstance(error, Stopped):
        http, said = error.worded(SELDON_JSON)
        return _Outcome(http, said.data, said.content_type or JSON, said.content_encoding, failure_lines(error))
    if isinstance(error, NotFound):
        return _Outcome(500, seldon_v1.orchestrator_failure(500, str(error)))
    http, body = seldon_v1.failure(error)
    return _Outcome(http, body, lines=failure_lines(error))
