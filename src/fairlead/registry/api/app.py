"""The registry's API as one ASGI application.

It finds the operation, then who asks, and turns whatever is raised into the answer that clients know. It may stand
alone or inside control's, which asks it by `claims` which paths are its own.
"""

from collections.abc import Mapping, Sequence

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from fairlead.errors import Forbidden
from fairlead.registry.accounts.foreign import is_from_foreign_page
from fairlead.registry.api import errors
from fairlead.registry.api.calls import Call
from fairlead.registry.api.routing import Operation
from fairlead.registry.callers import Authenticator, Caller
from fairlead.registry.service import Registry


class RegistryApp:
    """The ASGI application over one registry. `more` are routes that are no operations: sockets, signed addresses."""

    def __init__(
        self,
        registry: Registry,
        authenticator: Authenticator,
        operations: Sequence[Operation],
        more: Sequence[BaseRoute] = (),
    ) -> None:
        self.registry = registry
        self._authenticator = authenticator
        self.operations = tuple(operations)
        routes = [*more, *(Route(path, _Endpoint(self, table)) for path, table in self._tables())]
        self._router = Router(routes, redirect_slashes=False, default=_unknown)
        self._roots = frozenset(_root(route.path) for route in routes if isinstance(route, (Route, WebSocketRoute)))

    def _tables(self) -> Sequence[tuple[str, Mapping[str, Operation]]]:
        tables: dict[str, dict[str, Operation]] = {}
        for operation in self.operations:
            tables.setdefault(operation.path, {})[operation.method] = operation
        # Of two paths that fit, the one with fewer variables is meant.
        return sorted(tables.items(), key=lambda item: item[0].count("{"))

    def claims(self, path: str) -> bool:
        """Whether a path belongs to the registry, though nothing may be there."""
        return _root(path) in self._roots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and is_from_foreign_page(Headers(scope=scope)):
            await send({"type": "websocket.close", "code": 4403, "reason": "a page of another site asks"})
            return
        await self._router(scope, receive, send)

    async def perform(self, request: Request, operation: Operation) -> Response:
        """Find out who asks, do it, and answer."""
        caller: Caller | None = None
        try:
            self._refuse_foreign(request)
            if not operation.is_public:
                caller = await self.identify(request)
        except Exception as error:
            return errors.refusal(error, key="message")
        try:
            return await operation.handler(Call(request, self.registry, caller))
        except Exception as error:
            return errors.refusal(error, client=caller.client_version if caller else None)

    async def identify(self, request: Request) -> Caller:
        """Who asks. Raises Unauthorized and Forbidden."""
        address = request.client.host if request.client else ""
        return await self._authenticator.identify(request.headers, request.cookies, request.query_params, address)

    def _refuse_foreign(self, request: Request) -> None:
        if is_from_foreign_page(request.headers, request.method):
            raise Forbidden("requests from pages of other sites are not allowed")


class _Endpoint:
    """The ASGI end of one path."""

    def __init__(self, app: RegistryApp, table: Mapping[str, Operation]) -> None:
        self._app = app
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        operation = self._table.get(request.method)
        if operation is None:
            response: ASGIApp = errors.unknown_path(request.method, is_known=True)
        else:
            response = await self._app.perform(request, operation)
        await response(scope, receive, send)


async def _unknown(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4404, "reason": "there is nothing at this address"})
        return
    await errors.unknown_path(scope["method"])(scope, receive, send)


def _root(path: str) -> str:
    """What tells the paths of one API from another's: `/api/v1/models`, `/api/v2`, `/ws`."""
    parts = path.strip("/").split("/")
    if parts[:2] == ["api", "v1"]:
        return "/".join(parts[:3])
    return "/".join(parts[:2]) if parts[0] == "api" else parts[0]
