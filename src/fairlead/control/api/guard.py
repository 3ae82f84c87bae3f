"""Who gets in. With a token, whoever has it or one of the registry's; without one, only this machine, and no web page
that runs on it.

A browser on the machine is an open door to a port on loopback: a page may send requests to it directly, or give its
own name this machine's address (DNS rebinding). So without a token the Host must be a name of the loopback, and a
request that a foreign page caused is refused in any case. There is no CORS.

Whoever comes with a token of the registry acts as its user with its bounds (`authorizing`), on loopback too, where
coming without any would do. A token that is revoked ends watches and followed logs that it began.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from fairlead.control.api.answers import failure_response
from fairlead.control.api.authorizing import put_caller
from fairlead.errors import FairleadError, Forbidden, Retryable, Unauthorized
from fairlead.registry.accounts.digests import PREFIX
from fairlead.registry.accounts.foreign import is_from_foreign_page
from fairlead.registry.accounts.identifying import token_in
from fairlead.registry.accounts.sessions import COOKIE
from fairlead.registry.callers import Caller

_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_OPEN_PATHS = frozenset({"/healthz", "/livez", "/readyz"})
RECHECK_S = 5.0
"""How long a request may go on before its token is looked at again."""
Identify = Callable[[Request], Awaitable[Caller]]


class Guard:
    """ASGI middleware around the whole API. `identify` finds out who comes with a token of the registry."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        hosts: frozenset[str] = frozenset(),
        identify: Identify | None = None,
        recheck_s: float = RECHECK_S,
    ) -> None:
        self._app = app
        self._token = token.encode() if token else None
        self._hosts = _LOOPBACK_HOSTS | hosts
        self._identify = identify
        self._recheck_s = recheck_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            caller = await self._let_in(request)
        except FairleadError as refusal:
            await failure_response(refusal)(scope, receive, send)
            return
        if caller is None:
            await self._app(scope, receive, send)
            return
        put_caller(scope, caller)
        await self._while_in_force(request, caller, receive, send)

    async def _let_in(self, request: Request) -> Caller | None:
        """Who it is; None for the owner. Raises for nobody."""
        headers = request.headers
        if is_from_foreign_page(headers):
            raise Forbidden("requests from pages of other sites are not allowed")
        if self._token is None:
            refuse_host(headers, self._hosts)
            return await self._identify(request) if self._identify and token_in(headers).startswith(PREFIX) else None
        if request.url.path in _OPEN_PATHS or self._knows_token(headers.get("authorization", "")):
            return None
        if self._identify is None or not (token_in(headers) or COOKIE in request.cookies):
            raise Unauthorized("Unauthorized")
        try:
            return await self._identify(request)
        except Unauthorized:
            # Which of the ways in it failed is nothing that a stranger needs.
            raise Unauthorized("Unauthorized") from None

    def _knows_token(self, authorization: str) -> bool:
        scheme, _, given = authorization.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("latin-1"), self._token or b"")

    async def _while_in_force(self, request: Request, caller: Caller, receive: Receive, send: Send) -> None:
        """Answer, but no longer than the caller may ask: a watch outlives the moment in which it was allowed."""
        answering = asyncio.create_task(self._answer(request.scope, receive, send))
        try:
            while not (await asyncio.wait({answering}, timeout=self._recheck_s))[0]:
                if not await self._is_still(request, caller):
                    return
            await answering
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def _is_still(self, request: Request, caller: Caller) -> bool:
        assert self._identify is not None
        try:
            return _reach(await self._identify(request)) == _reach(caller)
        except Retryable:
            return True
        except FairleadError:
            return False


def _reach(caller: Caller) -> object:
    """What decides about what somebody may do."""
    return caller.role_in("default"), caller.scopes, caller.namespaces


def refuse_host(headers: Headers, hosts: frozenset[str] = _LOOPBACK_HOSTS) -> None:
    """Raise Forbidden unless the request was sent to one of these names."""
    host = _host_of(f"//{headers.get('host', '')}")
    if host not in hosts:
        raise Forbidden(f"the Host {host!r} is not a name of this machine's loopback; use 127.0.0.1 or localhost")


def _host_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
