"""One port for two APIs: the Kubernetes-shaped one and the registry's.

Their paths tell them apart but for `/api/v1/events`, which both have. Kubernetes' clients know nothing of Yatai's
headers and cookies, so whoever sends one of those means the registry's.
"""

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from fairlead.control.alone import Alone
from fairlead.registry.accounts.sessions import COOKIE
from fairlead.registry.api.app import RegistryApp

_SHARED = "/api/v1/events"
_SIGNS = ("x-yatai-api-token", "x-yatai-organization")


class Beside:
    """ASGI application over both. `is_local`: only names of the loopback are answered."""

    def __init__(self, kubernetes: ASGIApp, registry: RegistryApp, *, is_local: bool) -> None:
        self._kubernetes = kubernetes
        self._claims = registry.claims
        self._registry = Alone(registry, is_local=is_local)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._registry if self._is_registrys(scope) else self._kubernetes
        await app(scope, receive, send)

    def _is_registrys(self, scope: Scope) -> bool:
        if scope["type"] not in ("http", "websocket"):
            return False
        path = scope["path"]
        if path.rstrip("/") != _SHARED:
            return self._claims(path)
        headers = Headers(scope=scope)
        return any(sign in headers for sign in _SIGNS) or COOKIE in cookie_parser(headers.get("cookie", ""))
