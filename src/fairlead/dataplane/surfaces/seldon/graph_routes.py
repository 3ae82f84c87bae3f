"""A whole graph over REST: the orchestrator's routes, headers and failures."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from fairlead.dataplane.graph.driving import Step, drive
from fairlead.dataplane.graph.executor import Executor
from fairlead.dataplane.graph.parcel import JSON, Parcel, Walk
from fairlead.dataplane.graph.units import LocalUnit
from fairlead.dataplane.metering import CONTENT_TYPE, Meters
from fairlead.dataplane.spec import WorkerSpec
from fairlead.dataplane.surfaces import docs
from fairlead.dataplane.surfaces.answering import Answer, Answering, methods_of
from fairlead.dataplane.surfaces.quick import Quick
from fairlead.dataplane.surfaces.routing_table import ANY, Route, Routes, Verbs
from fairlead.dataplane.surfaces.seldon import open_api
from fairlead.dataplane.surfaces.seldon.heads import GET, JSON_LINE
from fairlead.dataplane.surfaces.seldon.parcels import parcel_of
from fairlead.dataplane.surfaces.seldon.plain_rows import rows_of
from fairlead.errors import FairleadError, NotFound
from fairlead.protocols import jsontext, seldon_v1
from fairlead.protocols.exchange import Reply, Request, Response
from fairlead.protocols.message import Message
from fairlead.protocols.request_forms import read_object
from fairlead.protocols.seldon_json import SELDON_JSON
from fairlead.protocols.wire import Body

T = TypeVar("T")

_log = logging.getLogger(__name__)

VERSIONS = ("/api/v1.0", "/api/v0.1")


class _Answering(Answering):
    """Seldon's orchestrator, in front of whatever graph. Its bodies are sent as they are written here: it escapes some
    of them alone."""

    def __init__(self, spec: WorkerSpec, meters: Meters) -> None:
        super().__init__(spec, meters, SELDON_JSON)
        self.is_seldon = True

    def body_of(self, answer: Answer) -> bytes:
        """As it was written."""
        return answer.body.data

    def worded(self, error: Exception) -> Answer:
        """As every surface's, but that the orchestrator knows no missing node."""
        if isinstance(error, NotFound):
            return Answer(Body(seldon_v1.orchestrator_failure(500, str(error))), 500)
        return super().worded(error)


class GraphRoutes:
    """The routes of one predictor."""

    def __init__(self, spec: WorkerSpec, executor: Executor, meters: Meters) -> None:
        self._spec = spec
        self._executor = executor
        self._meters = meters
        self._answering = _Answering(spec, meters)
        self._metrics: Response | None = None
        self._limit_bytes = spec.max_body_bytes
        self._with_routing = spec.revision.include_routing

    def routes(self) -> Routes:
        """Paths to verbs to handlers."""
        predict = self._quick() or self.predict_plain
        routes: Routes = {}
        for version in VERSIONS:
            routes[f"{version}/predictions"] = {"POST": predict}
            routes[f"{version}/feedback"] = {"POST": self._feedback}
            routes[f"{version}/doc"] = {"GET": lambda request, reply: reply(docs.to_folder(request))}
        routes["/api/v1.0/status"] = routes["/api/v1.0/health/status"] = {"GET": self._ready}
        routes["/api/v1.0/metadata"] = {"GET": self._graph_metadata}
        routes["/ready"] = {ANY: self._ready}
        routes["/live"] = {ANY: _live}
        for path in {"/prometheus", "/metrics", self._spec.metrics_path or "/metrics"}:
            routes[path] = {ANY: self._prometheus}
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
        self._answering.options(request, reply, verbs)

    def unknown_path(self, request: Request, reply: Reply) -> None:  # noqa: ARG002 - a route's signature
        """There is nothing at this path."""
        reply(Response(404, JSON_LINE, seldon_v1.orchestrator_failure(404, "404 page not found")))

    def wrong_verb(self, request: Request, reply: Reply, verbs: list[str]) -> None:
        """The path does not take this verb."""
        info = f"405 method not allowed: {request.method}; expected {' or '.join(verbs)}"
        head = JSON_LINE + b"Allow: " + methods_of(verbs) + b"\r\n"
        reply(Response(405, head, seldon_v1.orchestrator_failure(405, info)))

    def predict_plain(self, request: Request, reply: Reply, puid: bytes = b"") -> None:
        """Any prediction, in any form, through the whole graph."""
        walk = self._answering.walk(request, puid=puid)
        parcel = parcel_of(request, limit_bytes=self._limit_bytes)
        step = self._executor.predict(parcel, walk)
        self._answering.run(request, reply, walk, step, lambda answer: self._predicted(answer, walk))

    def _quick(self) -> Quick | None:
        unit = self._executor.lone_model()
        if not isinstance(unit, LocalUnit):
            return None
        walk = Walk(b"", [])
        walk.routing[unit.unit.name] = -1

        def write(message: Message) -> Answer:
            return self._predicted(Parcel(message), walk)

        return self._answering.short_way(unit, self.predict_plain, rows_of, write=write)

    def _predicted(self, parcel: Parcel, walk: Walk) -> Answer:
        came = parcel.answer_bytes(SELDON_JSON)
        if came is not None and parcel.is_verbatim:
            return Answer(came)
        if came is None or not parcel.is_bytes:
            return Answer(Body(jsontext.html_safe(self._encoded(parcel.message(), walk))))
        body = self._with_routes(came, walk) if self._with_routing else came.data
        if not came.content_encoding and (came.content_type or JSON).startswith(JSON):
            body = jsontext.html_safe(body)
        return Answer(came._replace(data=body))

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
        walk = self._answering.walk(request)

        async def ask() -> Parcel:
            reward = seldon_v1.decode_feedback(read_object(request, limit_bytes=self._limit_bytes))
            parcel = parcel_of(request, limit_bytes=self._limit_bytes)
            return await self._executor.feedback(parcel, reward, walk)

        self._answering.run(request, reply, walk, ask(), self._rewarded, service="feedback")

    def _unit_status(self, name: str) -> Route:
        async def ask() -> Parcel:
            return await self._executor.unit(name).status()

        return lambda request, reply: self._look(request, reply, ask(), self._answering.written, "status")

    def _unit_metadata(self, name: str) -> Route:
        async def ask() -> dict[str, Any]:
            return await self._executor.unit(name).metadata()

        return lambda request, reply: self._look(request, reply, ask(), _as_json, "metadata")

    def _graph_metadata(self, request: Request, reply: Reply) -> None:
        self._look(request, reply, self._executor.metadata(self._spec.component), _as_json, "metadata")

    def _look(self, request: Request, reply: Reply, step: Step[T], write: Callable[[T], Answer], service: str) -> None:
        self._answering.run(request, reply, self._answering.walk(request), step, write, service=service)

    def _rewarded(self, parcel: Parcel) -> Answer:
        if parcel.decoded is None:
            return self._answering.written(parcel)
        return Answer(Body(seldon_v1.encode_feedback_answer(parcel.decoded)))

    def _ready(self, request: Request, reply: Reply) -> None:
        def done(is_ready: bool | None, error: Exception | None) -> None:
            if error is not None:
                _log.error("readiness could not be told", exc_info=error)
            reply(self._answering.bodiless(request, 200 if is_ready else 503, GET))

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

        self._look(request, reply, ask(), lambda body: Answer(Body(body)), "doc")


def _live(request: Request, reply: Reply) -> None:  # noqa: ARG001 - a route's signature
    reply(Response(200, b"", b""))


def _as_json(value: dict[str, Any]) -> Answer:
    return Answer(Body(jsontext.dumps(value)))
