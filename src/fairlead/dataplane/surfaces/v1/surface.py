"""KServe's V1 protocol as one handler: models by name, predictions, explanations."""

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from fairlead.dataplane.surfaces import docs
from fairlead.dataplane.surfaces.answering import Answer, Answering
from fairlead.dataplane.surfaces.models import ModelNotReady, Models
from fairlead.dataplane.surfaces.open_api import example_rows
from fairlead.dataplane.surfaces.routing_table import Verbs, has_room
from fairlead.dataplane.surfaces.v1 import open_api
from fairlead.dataplane.surfaces.v1.bare_unit import bare_verbs
from fairlead.dataplane.surfaces.v1.plain_rows import rows_of
from fairlead.dataplane.surfaces.v1.predicting import Predicting
from fairlead.errors import FairleadError
from fairlead.protocols import jsontext
from fairlead.protocols.exchange import Handler, Reply, Request
from fairlead.protocols.kserve_v1 import V1_JSON
from fairlead.protocols.wire import Body

if TYPE_CHECKING:
    from fairlead.dataplane.surfaces.composing import Parts

_MODELS = "/v1/models"
_PREDICT, _EXPLAIN = ":predict", ":explain"


def make(parts: "Parts") -> Handler:
    """The handler of one worker."""
    return V1Surface(parts)


class V1Surface:
    """Answers every V1 request of one worker. It never blocks and never raises."""

    def __init__(self, parts: "Parts") -> None:
        self._parts = parts
        self._models: Models = parts.models
        self._answering = Answering(parts.spec, parts.meters, V1_JSON)
        self._predicting = Predicting(parts, self._answering)
        self._quick = self._answering.short_way(parts.models.row_wise(), self._predict_plain, rows_of)
        bare, limit_bytes = parts.models.bare, parts.spec.max_body_bytes
        self._bare = {} if bare is None else bare_verbs(bare, self._answering, V1_JSON, limit_bytes)
        self._title = f"{parts.spec.service}: {parts.spec.component}"
        self._routes: dict[str, Verbs | None] = {
            "/": {"GET": self._alive},
            _MODELS: {"GET": self._list},
            docs.DESCRIPTION: {"GET": self._open_api},
            **{path: {"GET": _page} for path in docs.paths_of(docs.FOLDER)},
        }

    def __call__(self, request: Request, reply: Reply) -> None:
        """Take one request."""
        path = request.path
        verbs = self._routes[path] if path in self._routes else self._remember(path)
        if verbs is None:
            self._answering.send(request, reply, _detail(404, "Not Found"))
            return
        route = verbs.get("GET" if request.method == "HEAD" else request.method)
        if route is not None:
            route(request, reply)
        elif request.method == "OPTIONS" and self._answering.is_seldon:
            self._answering.options(request, reply, list(verbs))
        else:
            lines = f"Allow: {', '.join(sorted(verbs))}\r\n".encode()
            self._answering.send(request, reply, _detail(405, "Method Not Allowed")._replace(lines=lines))

    def _remember(self, path: str) -> Verbs | None:
        verbs = self._find(path)
        if has_room(self._routes, path):
            self._routes[path] = verbs
        return verbs

    def _find(self, path: str) -> Verbs | None:
        """The routes of a path that names a model. A name may be of any sort, so `m:predict` is one to GET."""
        name = unquote(path[len(_MODELS) + 1 :])
        if not path.startswith(f"{_MODELS}/") or not name or "/" in name:
            return None
        verbs: Verbs = {"GET": lambda request, reply: self._state(request, reply, name)}
        if name.endswith(_PREDICT):
            model = name.removesuffix(_PREDICT)
            verbs["POST"] = lambda request, reply: self._predict(request, reply, model)
        elif name.endswith(_EXPLAIN):
            model = name.removesuffix(_EXPLAIN)
            verbs["POST"] = lambda request, reply: self._predicting.explain(request, reply, model)
        elif (verb := name.rpartition(":")[2]) in self._bare:
            verbs["POST"] = self._bare[verb]
        return verbs

    def _predict(self, request: Request, reply: Reply, model: str) -> None:
        if self._quick is None or not self._answers_for(model):
            self._predicting.predict(request, reply, model)
        else:
            self._quick(request, reply)

    def _answers_for(self, model: str) -> bool:
        try:
            self._models.resolve(model)
        except FairleadError:
            return False
        return True

    def _predict_plain(self, request: Request, reply: Reply, puid: bytes) -> None:
        name = unquote(request.path[len(_MODELS) + 1 :]).removesuffix(_PREDICT)
        self._predicting.predict(request, reply, name, puid)

    def _alive(self, request: Request, reply: Reply) -> None:
        self._answering.send(request, reply, _object({"status": "alive"}))

    def _list(self, request: Request, reply: Reply) -> None:
        self._answering.send(request, reply, _object({"models": list(self._models.names)}))

    def _open_api(self, request: Request, reply: Reply) -> None:
        async def ask() -> Answer:
            from fairlead.dataplane.surfaces.openai.open_api import with_openai  # nobody needs it before

            described = await self._models.described(self._models.resolve(""))
            prefix = docs.prefix_of(request)
            body = open_api.describe(
                self._title,
                prefix=prefix,
                models=self._models.names,
                rows=example_rows(described.inputs),
                explains=self._models.explains,
            )
            return Answer(Body(with_openai(body, self._parts, prefix)))

        walk = self._answering.walk(request, "")
        self._answering.run(request, reply, walk, ask(), lambda answer: answer, service="doc")

    def _state(self, request: Request, reply: Reply, name: str) -> None:
        async def ask() -> Answer:
            if not await self._models.is_ready(self._models.resolve(name)):
                raise ModelNotReady(name)
            return _object({"name": name, "ready": True})

        walk = self._answering.walk(request, name)
        self._answering.run(request, reply, walk, ask(), lambda answer: answer, service="status")


def _page(request: Request, reply: Reply) -> None:
    reply(docs.at(docs.FOLDER, request, f"..{docs.DESCRIPTION}"))


def _object(value: dict[str, Any], status: int = 200) -> Answer:
    return Answer(Body(jsontext.compact(value)), status)


def _detail(status: int, text: str) -> Answer:
    return _object({"detail": text}, status)
