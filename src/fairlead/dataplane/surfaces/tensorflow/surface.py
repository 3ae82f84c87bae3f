"""TensorFlow Serving's REST as one handler (https://www.tensorflow.org/tfx/serving/api_rest).

Any model answers it. A graph that is a single peer is asked by the path that came, versions and verbs included.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fairlead.dataplane.graph.driving import Step
from fairlead.dataplane.graph.parcel import Parcel, Walk, plain
from fairlead.dataplane.graph.units import GraphUnit, LocalUnit
from fairlead.dataplane.graph.v1_contract import addressed
from fairlead.dataplane.surfaces import docs
from fairlead.dataplane.surfaces.answering import Answer, Answering
from fairlead.dataplane.surfaces.asking import failing
from fairlead.dataplane.surfaces.routing_table import Verbs, has_room
from fairlead.dataplane.surfaces.tensorflow import examples, open_api, paths
from fairlead.dataplane.surfaces.tensorflow.paths import Target
from fairlead.dataplane.surfaces.tensorflow.served import DEFAULT_SIGNATURE, Served
from fairlead.dataplane.surfaces.v1.bare_unit import bare_verbs
from fairlead.dataplane.surfaces.v1.plain_rows import rows_of
from fairlead.errors import BadRequest, FairleadError
from fairlead.protocols import jsontext
from fairlead.protocols.exchange import Handler, Reply, Request
from fairlead.protocols.message import Asked, Message
from fairlead.protocols.tensorflow_rest import TENSORFLOW_JSON, text_of
from fairlead.protocols.wire import JSON, Body

if TYPE_CHECKING:
    from fairlead.dataplane.surfaces.composing import Parts

_FEEDBACK = "/api/v1.0/feedback"


def make(parts: "Parts") -> Handler:
    """The handler of one worker."""
    return TensorflowSurface(parts)


class TensorflowSurface:
    """Answers every request of TensorFlow Serving's paths. It never blocks and never raises."""

    def __init__(self, parts: "Parts") -> None:
        units = list(parts.executor.units.values())
        self._models = parts.models
        self._served = Served(parts.models)
        self._answering = Answering(parts.spec, parts.meters, TENSORFLOW_JSON)
        self._limit_bytes = parts.spec.max_body_bytes
        self._peer: GraphUnit | None = None if len(units) > 1 or isinstance(units[0], LocalUnit) else units[0]
        self._own_names = frozenset(("", parts.spec.service, parts.spec.component, *parts.models.names))
        self._quick = self._answering.short_way(parts.models.row_wise(), self._ask_plain, rows_of, text_of)
        bare = parts.models.bare
        self._bare = {} if bare is None else bare_verbs(bare, self._answering, TENSORFLOW_JSON, self._limit_bytes)
        self._title = f"{parts.spec.service}: {parts.spec.component}"
        self._routes: dict[str, Verbs | None] = {
            _FEEDBACK: {"POST": self._echo},
            docs.DESCRIPTION: {"GET": self._open_api},
            **{path: {"GET": _page} for path in docs.paths_of(docs.FOLDER)},
        }

    def __call__(self, request: Request, reply: Reply) -> None:
        """Take one request."""
        path = request.path
        verbs = self._routes[path] if path in self._routes else self._remember(path)
        route = None if verbs is None else verbs.get("GET" if request.method == "HEAD" else request.method)
        if route is not None:
            route(request, reply)
        elif verbs is not None and request.method == "OPTIONS" and self._answering.is_seldon:
            self._answering.options(request, reply, list(verbs))
        else:
            error = BadRequest(f"Malformed request: {request.method} {path}")
            self._answering.send(request, reply, self._answering.worded(error))

    def _remember(self, path: str) -> Verbs | None:
        verbs = self._find(path)
        if has_room(self._routes, path):
            self._routes[path] = verbs
        return verbs

    def _find(self, path: str) -> Verbs | None:
        target = paths.asked(path)
        if target is not None:
            return {"POST": self._asking(target)}
        verb = path.rpartition(":")[2]
        if verb in self._bare and paths.looked_at(path.removesuffix(f":{verb}")) is not None:
            return {"POST": self._bare[verb]}
        target = paths.looked_at(path)
        return None if target is None else {"GET": self._looking(target)}

    def _asking(self, target: Target) -> Callable[[Request, Reply], None]:
        quick = self._quick
        if quick is None or target.verb != "predict" or target.version or target.label:
            return lambda request, reply: self._ask(request, reply, target)

        def either(request: Request, reply: Reply) -> None:
            try:
                self._models.resolve(target.model)
            except FairleadError:
                self._ask(request, reply, target)
            else:
                quick(request, reply)

        return either

    def _ask(self, request: Request, reply: Reply, target: Target, puid: bytes = b"") -> None:
        body = Body(request.body, request.header(b"content-type") or JSON, request.header(b"content-encoding"))
        walk = self._answering.walk(request, addressed(target.model), puid)
        write: Callable[[Parcel], Answer] = self._answering.written
        try:
            if self._peer is not None:
                step = self._passed_on(self._peer, target, body, walk)
            else:
                parcel = self._parcel(request, target, body)
                step = self._models.predict(parcel, walk)
                write = self._writer(parcel, target)
        except FairleadError as error:
            step = failing(error)
        self._answering.run(request, reply, walk, step, write)

    def _passed_on(self, peer: GraphUnit, target: Target, body: Body, walk: Walk) -> Step[Parcel]:
        """Ask the peer for what was asked; only it knows its versions and signatures."""
        walk.model = addressed(
            str(peer.unit.name) if target.model in self._own_names else self._models.resolve(target.model),
            version=target.version,
            label=target.label,
            verb=target.verb,
        )
        parcel = Parcel.of_request(TENSORFLOW_JSON, body, limit_bytes=self._limit_bytes)
        return self._models.predict(parcel, walk)

    def _parcel(self, request: Request, target: Target, body: Body) -> Parcel:
        name = self._served.name(target)

        def read() -> Message:
            data = plain(body, self._limit_bytes)
            if target.verb == "predict":
                message = TENSORFLOW_JSON.read_request(data)
            else:
                signatures = self._served.signatures(name)
                message = examples.message_of(data.data, target.verb, signatures, default=DEFAULT_SIGNATURE)
            asked = message.asked or Asked()
            self._check_signature(name, asked.signature)
            asked.model, asked.version, asked.headers = name, target.version, request.headers
            message.asked = asked
            return message

        return Parcel(bytes_=body, read=read, wire=TENSORFLOW_JSON)

    def _check_signature(self, name: str, signature: str) -> None:
        offered = self._models.signatures(name) if signature else {}
        if offered and signature not in offered:
            raise BadRequest(
                f'Serving signature name: "{signature}" not found in signature def; it has: {", ".join(offered)}'
            )

    def _writer(self, question: Parcel, target: Target) -> Callable[[Parcel], Answer]:
        def write(parcel: Parcel) -> Answer:
            if target.verb != "predict":
                return Answer(Body(jsontext.compact(examples.results_of(parcel.message(), target.verb))))
            if parcel.answer_bytes(TENSORFLOW_JSON) is not None:
                return self._answering.written(parcel)
            # A unit's answer says nothing of how the question was put.
            return self._answering.written_to(parcel.message(), _asked(question))

        return write

    def _looking(self, target: Target) -> Callable[[Request, Reply], None]:
        def state(request: Request, reply: Reply) -> None:
            async def ask() -> Answer:
                if self._peer is None:
                    return _object(await self._served.state(target))
                return self._answering.written(await self._peer.status())

            self._look(request, reply, ask(), "status")

        def metadata(request: Request, reply: Reply) -> None:
            async def ask() -> Answer:
                if self._peer is None:
                    return _object(await self._served.metadata(target))
                return _object(await self._peer.metadata())

            self._look(request, reply, ask(), "metadata")

        return metadata if target.verb else state

    def _open_api(self, request: Request, reply: Reply) -> None:
        async def ask() -> Answer:
            name = self._models.resolve("")
            described = await self._models.described(name)
            body = open_api.describe(
                self._title,
                prefix=docs.prefix_of(request),
                name=name,
                versions=self._served.versions(name),
                signatures=self._served.signatures(name, described),
                default=DEFAULT_SIGNATURE,
            )
            return Answer(Body(body))

        self._look(request, reply, ask(), "doc")

    def _look(self, request: Request, reply: Reply, step: Step[Answer], service: str) -> None:
        walk = self._answering.walk(request, "")
        self._answering.run(request, reply, walk, step, lambda answer: answer, service=service)

    def _ask_plain(self, request: Request, reply: Reply, puid: bytes) -> None:
        target = paths.asked(request.path)
        assert target is not None  # or it would not be asked here
        self._ask(request, reply, target, puid)

    def _echo(self, request: Request, reply: Reply) -> None:
        """Rewards mean nothing in this protocol; Seldon's orchestrator hands them back."""
        body = Body(request.body, request.header(b"content-type") or JSON, request.header(b"content-encoding"))
        self._answering.send(request, reply, Answer(body))


def _page(request: Request, reply: Reply) -> None:
    reply(docs.at(docs.FOLDER, request, f"..{docs.DESCRIPTION}"))


def _object(value: dict[str, Any]) -> Answer:
    return Answer(Body(jsontext.compact(value)))


def _asked(question: Parcel) -> Asked | None:
    """What a request says. A peer may have taken one that we cannot read."""
    try:
        return question.message().asked
    except FairleadError:
        return None
