"""The registry's door where it shares no path with anything: its health, and the check of hosts.

While only this machine may ask, a name that is not the loopback's is refused, as at the Kubernetes-shaped API: a web
page may give its own name this machine's address. Who asks, the registry finds out itself.
"""

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from fairlead.control.api.guard import refuse_host
from fairlead.errors import Forbidden
from fairlead.registry.api.errors import refusal

_HEALTH = frozenset({"/healthz", "/livez", "/readyz"})


class Alone:
    """ASGI application over a registry's. `is_local`: only names of the loopback are answered."""

    def __init__(self, registry: ASGIApp, *, is_local: bool) -> None:
        self._registry = registry
        self._is_local = is_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in _HEALTH:
            await PlainTextResponse("ok")(scope, receive, send)
            return
        try:
            if self._is_local:
                refuse_host(Headers(scope=scope))
        except Forbidden as error:
            await _refuse(error, scope, receive, send)
            return
        await self._registry(scope, receive, send)


async def _refuse(error: Forbidden, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4403, "reason": str(error)[:120]})
    else:
        await refusal(error, key="message")(scope, receive, send)
