"""One port for two APIs: the Kubernetes-shaped one and the registry's.

Their paths tell them apart but for `/api/v1/events`, which both have. Kubernetes' clients know nothing of Yatai's
headers and cookies, so whoever sends one of those means the registry's. The registry finds out itself who asks; that a
name of the loopback was asked holds for both while anybody on this machine is let in.
"""

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from fairlead.control.api.guard import refuse_host
from fairlead.errors import Forbidden
from fairlead.registry.accounts.sessions import COOKIE
from fairlead.registry.api.app import RegistryApp
from fairlead.registry.api.errors import refusal

_SHARED = "/api/v1/events"
_SIGNS = ("x-yatai-api-token", "x-yatai-organization")


class Beside:
    """ASGI application over both. `is_local`: only names of the loopback are answered."""

    def __init__(self, kubernetes: ASGIApp, registry: RegistryApp, *, is_local: bool) -> None:
        self._kubernetes = kubernetes
        self._registry = registry
        self._is_local = is_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or not self._is_registrys(scope):
            await self._kubernetes(scope, receive, send)
            return
        try:
            if self._is_local:
                refuse_host(Headers(scope=scope))
        except Forbidden as error:
            await _refuse(error, scope, receive, send)
            return
        await self._registry(scope, receive, send)

    def _is_registrys(self, scope: Scope) -> bool:
        path = scope["path"]
        if path.rstrip("/") != _SHARED:
            return self._registry.claims(path)
        headers = Headers(scope=scope)
        return any(sign in headers for sign in _SIGNS) or COOKIE in cookie_parser(headers.get("cookie", ""))


async def _refuse(error: Forbidden, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4403, "reason": str(error)[:120]})
    else:
        await refusal(error, key="message")(scope, receive, send)
