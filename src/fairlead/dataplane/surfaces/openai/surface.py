"""OpenAI's endpoints as one handler, for workers with a unit that generates, embeds or ranks."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from fairlead.dataplane.graph.parcel import plain
from fairlead.dataplane.surfaces.asking import Count, counting
from fairlead.dataplane.surfaces.openai.copying import Copying
from fairlead.dataplane.surfaces.openai.passing import Passing
from fairlead.dataplane.surfaces.openai.routes import Paths, Place, paths_of
from fairlead.dataplane.surfaces.openai.served import Served, server_behind, watchers_of
from fairlead.dataplane.surfaces.openai.telling import JSON_LINE, Telling
from fairlead.errors import FairleadError, MethodNotAllowed, NotFound
from fairlead.protocols.exchange import Handler, Reply, Request, Response
from fairlead.protocols.jsontext import compact
from fairlead.protocols.openai import TITLES, Endpoint
from fairlead.protocols.openai_answers import model_list, model_object
from fairlead.protocols.openai_errors import Unusable, failure
from fairlead.protocols.wire import JSON, Body
from fairlead.runtimes.generative import Answering

if TYPE_CHECKING:
    from fairlead.dataplane.surfaces.composing import Parts


class OpenAiSurface:
    """Answers every request to such a path. It never blocks and never raises."""

    def __init__(self, parts: "Parts", paths: Paths) -> None:
        behind = server_behind(parts.executor)
        self._passing = None if behind is None else Passing(behind, parts.spec.revision.timeout_s)
        self._watchers = watchers_of(parts.executor)
        self._served = Served(parts.executor.units, parts.models)
        self._meters = parts.meters
        self._limit_bytes = parts.spec.max_body_bytes
        self._paths = paths
        self._created = int(time.time())

    def handler_of(self, path: str) -> Handler | None:
        """Who answers a path; `None` for the paths of others."""
        place = self._paths.find(path)
        if place is not None:
            return partial(self._answer, place)
        return self._unknown if self._paths.is_own(path) else None

    def _answer(self, place: Place, request: Request, reply: Reply) -> None:
        if request.method == "OPTIONS" or request.method not in (place.verb, _ALSO.get(place.verb)):
            error = MethodNotAllowed(f"{request.method} is not for {request.path}; expected {place.verb}")
            self._refuse(reply, error, f"Allow: {place.verb}\r\n".encode())
            return
        if self._watchers and place.endpoint is not None:
            reply = Copying(self._watchers, request).around(reply)
        if self._passing is not None:
            self._passing.pass_on(request, reply, self._counting(place.endpoint, request.method))
        elif place.endpoint is None:
            self._describe(place.model, reply)
        else:
            self._ask(place.endpoint, request, reply)

    def _describe(self, name: str, reply: Reply) -> None:
        try:
            if name:
                self._served.find(name)
                told = model_object(name, self._created)
                told |= {"name": name, "ready": True} if self._paths.shares_models else {}
            else:
                told = model_list(self._served.names, self._created)
                told |= {"models": self._served.names} if self._paths.shares_models else {}
        except FairleadError as error:
            self._refuse(reply, error)
            return
        reply(Response(200, JSON_LINE, compact(told)))

    def _ask(self, endpoint: Endpoint, request: Request, reply: Reply) -> None:
        def start(telling: Telling) -> Answering:
            body = _read(request, self._limit_bytes)
            name = body.get("model") or ""
            if not isinstance(name, str):
                raise Unusable(f"model must be a string; got {name!r}", "model")
            name, model = self._served.find(name)
            if model is None or endpoint not in model.endpoints:
                raise Unusable(f"Model {name} does not support {TITLES[endpoint]} API", "model")
            return model.start(endpoint, name, body, request.headers, telling)

        Telling(reply, self._counting(endpoint, "post")).begin(start)

    def _counting(self, endpoint: Endpoint | None, method: str) -> Count:
        return counting(self._meters, "models" if endpoint is None else _SERVICES[endpoint], method)

    def _unknown(self, request: Request, reply: Reply) -> None:
        self._refuse(reply, NotFound(f"Invalid URL ({request.method} {request.path})"))

    def _refuse(self, reply: Reply, error: FairleadError, lines: bytes = b"") -> None:
        reply(Response(error.http, JSON_LINE + lines, failure(error)))


_ALSO: Mapping[str, str] = {"GET": "HEAD"}
_SERVICES: Mapping[Endpoint, str] = {
    Endpoint.COMPLETIONS: "completions",
    Endpoint.CHAT: "chat",
    Endpoint.EMBEDDINGS: "embeddings",
    Endpoint.RERANK: "rerank",
}


def make(parts: "Parts") -> Callable[[str], Handler | None]:
    """Who answers a path of OpenAI's, `None` for the paths of others."""
    return OpenAiSurface(parts, paths_of(parts.spec)).handler_of


def _read(request: Request, limit_bytes: int) -> Mapping[str, Any]:
    body = Body(request.body, request.header(b"content-type") or JSON, request.header(b"content-encoding"))
    try:
        value = orjson.loads(plain(body, limit_bytes).data)
    except orjson.JSONDecodeError as error:
        raise Unusable(f"We could not parse the JSON body of your request: {error}") from error
    if not isinstance(value, dict):
        raise Unusable("the body must be a JSON object")
    return value
