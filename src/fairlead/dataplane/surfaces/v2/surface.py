"""The Open Inference Protocol (V2) over REST as one handler: from a request's path and verb to whoever answers it."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import orjson

from fairlead.dataplane.surfaces import docs
from fairlead.dataplane.surfaces.answering import Answer
from fairlead.dataplane.surfaces.routing_table import Route, Verbs, has_room
from fairlead.dataplane.surfaces.v2 import open_api
from fairlead.dataplane.surfaces.v2.bare_unit import bare_routes
from fairlead.dataplane.surfaces.v2.describing import Describing
from fairlead.dataplane.surfaces.v2.events import Events
from fairlead.dataplane.surfaces.v2.inferring import Inferring, Target, V2Answering
from fairlead.dataplane.surfaces.v2.quick import Quick
from fairlead.protocols.exchange import Handler, Reply, Request
from fairlead.protocols.v2_json import V2_JSON
from fairlead.protocols.wire import Body

if TYPE_CHECKING:
    from fairlead.dataplane.surfaces.composing import Parts

_YAML = b"application/yaml"

Infer = Callable[[Request, Reply, Target], None]
Ask = Callable[[], Coroutine[Any, Any, Any]]


def make(parts: "Parts") -> Handler:
    """The surface of one worker."""
    return V2Surface(parts)


class V2Surface:
    """Answers every request below `/v2`, and what routers and combiners are asked. It never blocks and never raises."""

    def __init__(self, parts: "Parts") -> None:
        spec = parts.spec
        self._models = parts.models
        self._answering = V2Answering(spec, parts.meters, V2_JSON)
        self._describing = Describing(parts)
        limit_bytes = spec.max_body_bytes
        events = Events(spec, is_seldon=self._answering.is_seldon, limit_bytes=limit_bytes)
        plain = Inferring(parts.models, self._answering, events, limit_bytes=limit_bytes)
        self._plain = plain
        self._infer: Infer = plain
        self._bare = {} if parts.models.bare is None else bare_routes(parts.models.bare, plain, limit_bytes)
        unit = parts.models.row_wise(checks_loaded=True)
        if unit is not None:
            self._infer = Quick(unit, parts.models, plain, self._answering)
        self._by_path: dict[str, Verbs | None] = {}

    def __call__(self, request: Request, reply: Reply) -> None:
        """Take one request."""
        path = request.path
        verbs = self._by_path[path] if path in self._by_path else self._remember(path)
        if verbs is None:
            self._answering.send(request, reply, _said(404, "Not Found", f"there is no {path} here"))
            return
        route = verbs.get(request.method)
        if route is not None:
            route(request, reply)
        elif request.method == "HEAD" and "GET" in verbs:
            verbs["GET"](request, reply)
        elif request.method == "OPTIONS" and self._answering.is_seldon:
            self._answering.options(request, reply, list(verbs))
        else:
            allowed = ", ".join(sorted(verbs))
            answer = _said(405, "Method Not Allowed", f"{request.method} is not for {path}; expected {allowed}")
            self._answering.send(request, reply, answer._replace(lines=f"Allow: {allowed}\r\n".encode()))

    def _remember(self, path: str) -> Verbs | None:
        verbs = self._bare.get(path)
        if verbs is None and path.startswith("/v2"):
            verbs = self._find([unquote(part) for part in path.split("/")[2:]])
        if has_room(self._by_path, path):
            self._by_path[path] = verbs
        return verbs

    def _find(self, parts: list[str]) -> Verbs | None:
        """The routes of a path, without its `/v2`."""
        describing = self._describing
        match parts:
            case [] | [""]:
                return self._get(describing.server)
            case ["health", "live"]:
                return self._get(describing.live)
            case ["health", "ready"]:
                return self._get(describing.ready)
            case ["models", *rest]:
                return self._find_model(rest)
            case ["repository", "index"]:
                return {"POST": lambda request, reply: self._ask(request, reply, lambda: self._indexed(request))}
            case ["repository", "models", name, "load"]:
                return {
                    "POST": lambda request, reply: self._ask(
                        request, reply, lambda: describing.load(name, request.body)
                    )
                }
            case ["repository", "models", name, "unload"]:
                return self._post(lambda: describing.unload(name))
            case ["docs"]:
                return {"GET": lambda request, reply: reply(docs.to_folder(request))}
            case ["docs", name]:
                return self._doc(name)
        return None

    def _find_model(self, parts: list[str]) -> Verbs | None:
        describing = self._describing
        match parts:
            case [] | [""]:
                return self._get(describing.listed)
            case ["infer"]:
                # `infer` may be a model's name too, and only a model can be asked with GET.
                return {**self._get(lambda: describing.model("infer")), **self._inference(Target(""))}
            case [name]:
                return self._get(lambda: describing.model(name))
            case [name, "ready"]:
                return self._get(lambda: describing.model_ready(name))
            case [name, "infer"]:
                return self._inference(Target(name))
            case [name, "explain"]:
                return self._explanation(Target(name))
            case [name, "versions", version]:
                return self._get(lambda: describing.model(name, version))
            case [name, "versions", version, "explain"]:
                return self._explanation(Target(name, version))
            case [name, "versions", version, "ready"]:
                return self._get(lambda: describing.model_ready(name, version))
            case [name, "versions", version, "infer"]:
                return self._inference(Target(name, version))
        return None

    def _inference(self, target: Target) -> Verbs:
        infer = self._infer
        return {"POST": lambda request, reply: infer(request, reply, target)}

    def _explanation(self, target: Target) -> Verbs:
        plain = self._plain
        return {"POST": lambda request, reply: plain.answer(request, reply, target, plain.explain)}

    def _get(self, ask: Ask) -> Verbs:
        return {"GET": self._route(ask)}

    def _post(self, ask: Ask) -> Verbs:
        return {"POST": self._route(ask)}

    def _route(self, ask: Ask) -> Route:
        return lambda request, reply: self._ask(request, reply, ask)

    def _ask(self, request: Request, reply: Reply, ask: Ask) -> None:
        self._answering.run(request, reply, self._answering.walk(request), ask(), _written, service="")

    async def _indexed(self, request: Request) -> Any:
        return await self._describing.index(request.body)

    def _doc(self, name: str) -> Verbs | None:
        if name == open_api.DESCRIPTION:
            return {"GET": lambda request, reply: self._ask(request, reply, lambda: self._describing.open_api(request))}
        response = docs.page_file(name, open_api.DESCRIPTION)
        return None if response is None else {"GET": lambda request, reply: reply(response)}  # noqa: ARG005


def _written(value: Any) -> Answer:
    """What describes a model is JSON, and what describes the interface is YAML."""
    return Answer(Body(value, _YAML)) if isinstance(value, bytes) else Answer(Body(orjson.dumps(value)))


def _said(status: int, detail: str, words: str) -> Answer:
    """`detail` as KServe's server has it, and `error` without which Triton's clients cannot tell what happened."""
    body = orjson.dumps({"detail": detail, "error": words.encode("utf-8", "replace").decode()})
    return Answer(Body(body), status)
