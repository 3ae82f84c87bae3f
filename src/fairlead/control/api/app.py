"""The API server: one Starlette application that speaks as much of Kubernetes' API as kubectl and the client
libraries use.

It refuses nothing that it can serve and invents nothing: what a cluster answers to the same request is the model.
"""

import asyncio
import hashlib
import platform
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from fairlead.control.api import access
from fairlead.control.api.admitting import Admission, admit_all
from fairlead.control.api.answers import failure_response, json_response
from fairlead.control.api.authorizing import action_of, authorize, caller_in
from fairlead.control.api.calls import Call
from fairlead.control.api.discovery import Discovery, aggregated_version
from fairlead.control.api.guard import Guard, Identify
from fairlead.control.api.kinds import SchemaOf, resources_of
from fairlead.control.api.negotiation import parse_accept
from fairlead.control.api.openapi import PROTO_V2, PROTO_V2_ASKED, OpenApi
from fairlead.control.api.paths import Address, parse
from fairlead.control.api.pod_logs import PodLogs, PodSource
from fairlead.control.api.reading import Reading
from fairlead.control.api.rendering import Renderer
from fairlead.control.api.resources import Resource, Resources
from fairlead.control.api.scaling import Scaling
from fairlead.control.api.writing import Writing
from fairlead.control.store import Store
from fairlead.dialects.base import ALONE, Kind, World
from fairlead.errors import BadRequest, DeadlineExceeded, MethodNotAllowed, NotAcceptable, NotFound

REQUEST_TIMEOUT_S = 60.0

# The Kubernetes release whose behaviour this follows; clients compare it with their own.
_MAJOR, _MINOR = "1", "32"

Handler = Callable[[Call], Awaitable[ASGIApp]]


def build_app(
    store: Store,
    kinds: Sequence[Kind],
    schema_of: SchemaOf,
    *,
    admission: Admission = admit_all,
    world: World = ALONE,
    pods: PodSource | None = None,
    token: str | None = None,
    hosts: Sequence[str] = (),
    identify: Identify | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    is_ready: Callable[[], bool] = lambda: True,
) -> Starlette:
    """The API over a store.

    `kinds` are the custom kinds, `schema_of` gives a kind's structural schema, and `world` is what is stored
    now. Without a `token` only names of the loopback (and `hosts`) are answered. `identify` finds out who comes with
    a token of the registry. `is_ready` is for `/readyz`.
    """
    resources = resources_of(kinds, schema_of, world)
    api = _Api(store, resources, admission, pods, clock)
    about = _About(resources, is_ready)
    # Kubernetes' own clients ask for discovery and the version with a slash at the end, kubectl without one.
    told = {
        "/version": about.version,
        "/api": about.core,
        "/apis": about.groups,
        "/apis/{group}": about.group,
        "/api/{version}": about.kinds,
        "/apis/{group}/{version}": about.kinds,
    }
    routes = [
        *(Route(path, about.health, methods=["GET"]) for path in ("/healthz", "/livez")),
        Route("/readyz", about.ready, methods=["GET"]),
        Route("/openapi/v2", about.openapi_v2, methods=["GET"]),
        Route("/openapi/v3", about.openapi_v3_index, methods=["GET"]),
        Route("/openapi/v3/{place:path}", about.openapi_v3, methods=["GET"]),
        *(Route(path + slash, answer, methods=["GET"]) for path, answer in told.items() for slash in ("", "/")),
        Route("/{path:path}", _Endpoint(api)),
    ]
    guard = Middleware(Guard, token=token, hosts=frozenset(hosts), identify=identify)
    return Starlette(routes=routes, middleware=[guard], exception_handlers={Exception: _failed})


async def _failed(_request: Request, error: Exception) -> Response:
    return failure_response(error)


def _not_allowed() -> MethodNotAllowed:
    return MethodNotAllowed("the server does not allow this method on the requested resource")


class _About:
    """Discovery, OpenAPI, version and health."""

    def __init__(self, resources: Resources, is_ready: Callable[[], bool]) -> None:
        self._version = installed_version("fairlead")
        self._discovery = Discovery(resources)
        self._openapi = OpenApi(resources, self._version)
        self._is_ready = is_ready

    async def health(self, _request: Request) -> Response:
        return PlainTextResponse("ok")

    async def ready(self, _request: Request) -> Response:
        return PlainTextResponse("ok") if self._is_ready() else PlainTextResponse("starting", status_code=503)

    async def version(self, _request: Request) -> Response:
        return json_response(
            {
                "major": _MAJOR,
                "minor": _MINOR,
                "gitVersion": f"v{_MAJOR}.{_MINOR}.0+fairlead.{self._version}",
                "gitCommit": "",
                "gitTreeState": "clean",
                "buildDate": "1970-01-01T00:00:00Z",
                "goVersion": f"python{platform.python_version()}",
                "compiler": platform.python_implementation(),
                "platform": f"{platform.system().lower()}/{platform.machine()}",
            }
        )

    async def core(self, request: Request) -> Response:
        aggregated = self._aggregated(request, core=True)
        return aggregated or json_response(self._discovery.core_versions(request.headers.get("host", "")))

    async def groups(self, request: Request) -> Response:
        return self._aggregated(request, core=False) or json_response(self._discovery.group_list())

    def _aggregated(self, request: Request, *, core: bool) -> Response | None:
        version = aggregated_version(request.headers.get("accept", ""))
        if not version:
            return None
        media_type = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        return json_response(self._discovery.aggregated(version, core=core), media_type=media_type)

    async def group(self, request: Request) -> Response:
        return _found(self._discovery.group(request.path_params["group"]))

    async def kinds(self, request: Request) -> Response:
        params = request.path_params
        return _found(self._discovery.resource_list(params.get("group", ""), params["version"]))

    async def openapi_v2(self, request: Request) -> Response:
        accepted = [media.type for media in parse_accept(request.headers.get("accept", ""))]
        if {PROTO_V2, PROTO_V2_ASKED} & set(accepted):
            return _kept(request, self._openapi.v2_proto, PROTO_V2)
        if not {"application/json", "*/*", "application/*"} & set(accepted):
            return failure_response(NotAcceptable(f"only application/json and {PROTO_V2} can be written"))
        return _kept(request, self._openapi.v2_json, "application/json")

    async def openapi_v3_index(self, _request: Request) -> Response:
        return json_response(self._openapi.v3_index())

    async def openapi_v3(self, request: Request) -> Response:
        parts = request.path_params["place"].split("/")
        group, version = ("", parts[-1]) if parts[:-1] == ["api"] else (parts[1] if len(parts) == 3 else "-", parts[-1])
        document = self._openapi.v3(group, version)
        return _kept(request, document, "application/json") if document is not None else _found(None)


def _found(document: dict[str, Any] | None) -> Response:
    if document is None:
        return failure_response(NotFound("the server could not find the requested resource"))
    return json_response(document)


def _kept(request: Request, content: bytes, media_type: str) -> Response:
    """A document that clients keep and ask about by its tag."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"etag": tag, "vary": "Accept", "cache-control": "no-cache, private"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


class _Api:
    """Sends each request to its verb."""

    def __init__(
        self,
        store: Store,
        resources: Resources,
        admission: Admission,
        pods: PodSource | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._resources = resources
        renderer = Renderer(clock)
        reading = Reading(store, renderer)
        writing = Writing(store, renderer, admission, now=lambda: clock().strftime("%Y-%m-%dT%H:%M:%SZ"))
        scaling = Scaling(store, writing)
        self._watch = reading.watch
        self._on_many: dict[str, Handler] = {
            "GET": reading.list,
            "POST": writing.create,
            "DELETE": writing.delete_many,
        }
        self._on_one: dict[str, Handler] = {
            "GET": reading.get,
            "PUT": writing.update,
            "PATCH": writing.patch,
            "DELETE": writing.delete,
        }
        self._on_status: dict[str, Handler] = {m: h for m, h in self._on_one.items() if m != "DELETE"}
        self._on_scale: dict[str, Handler] = {"GET": scaling.get, "PUT": scaling.update, "PATCH": scaling.patch}
        self._on_log: dict[str, Handler] = {"GET": PodLogs(store, pods, clock).get} if pods is not None else {}

    async def answer(self, request: Request) -> ASGIApp:
        """What to send; raises for refusals."""
        address = parse(request.url.path)
        if address is None:
            raise NotFound("the server could not find the requested resource")
        review = access.find_review(address.group, address.version, address.plural)
        if review is not None:
            return await access.answer(review, request, self._resources)
        resource = self._resources.find(address.group, address.version, address.plural)
        call = Call(request, address, resource)
        is_watch = request.method == "GET" and not address.name and call.flag("watch")
        action = action_of(request.method, address, is_namespaced=resource.kind.is_namespaced, is_watch=is_watch)
        authorize(caller_in(request.scope), action)
        if is_watch:
            return self._watch(call)
        handler = self._handlers(call).get(request.method)
        if handler is None:
            raise _not_allowed()
        return await handler(call)

    def _handlers(self, call: Call) -> dict[str, Handler]:
        resource, address = call.resource, call.address
        if address.namespace is not None and not resource.kind.is_namespaced:
            raise NotFound("the server could not find the requested resource")
        is_read_only = "create" not in resource.verbs
        if address.subresource:
            handlers = self._on_subresource(resource, address.subresource)
        elif address.name:
            _require_namespace(resource, address)
            handlers = self._on_one
        else:
            if call.request.method == "POST":
                _require_namespace(resource, address)
            handlers = self._on_many
        return {"GET": handlers["GET"]} if is_read_only and "GET" in handlers else handlers

    def _on_subresource(self, resource: Resource, name: str) -> dict[str, Handler]:
        if name == "status" and resource.kind.has_status:
            return self._on_status
        if name == "scale" and resource.kind.scale_path:
            return self._on_scale
        if name == "log" and resource.has_log and self._on_log:
            return self._on_log
        raise NotFound("the server could not find the requested resource")


def _require_namespace(resource: Resource, address: Address) -> None:
    if resource.kind.is_namespaced and address.namespace is None:
        raise NotFound("the server could not find the requested resource")


class _Endpoint:
    """The ASGI end of `_Api`: an answer may be a stream, and every refusal becomes a Status."""

    def __init__(self, api: _Api) -> None:
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                answer = await self._api.answer(request)
        except TimeoutError:
            answer = failure_response(DeadlineExceeded(f"the request took longer than {REQUEST_TIMEOUT_S:.0f} seconds"))
        except RecursionError:
            answer = failure_response(BadRequest("the object provided is nested too deeply"))
        except Exception as error:
            answer = failure_response(error)
        await answer(scope, receive, send)
