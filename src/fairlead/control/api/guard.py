"""Who gets in. With a token, whoever has it; without one, only this machine, and no web page that runs on it.

A browser on the machine is an open door to a port on loopback: a page may send requests to it directly, or give its
own name this machine's address (DNS rebinding). So without a token the Host must be a name of the loopback, and a
request that a foreign page caused is refused in any case. There is no CORS.
"""

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from fairlead.control.api.answers import failure_response
from fairlead.errors import FairleadError, Forbidden, Unauthorized

_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_OPEN_PATHS = frozenset({"/healthz", "/livez", "/readyz"})


class Guard:
    """ASGI middleware around the whole API."""

    def __init__(self, app: ASGIApp, *, token: str | None, hosts: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._token = token.encode() if token else None
        self._hosts = _LOOPBACK_HOSTS | hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope), scope["path"])
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await failure_response(refusal)(scope, receive, send)

    def _refusal(self, headers: Headers, path: str) -> FairleadError | None:
        if self._is_from_foreign_page(headers):
            return Forbidden("requests from pages of other sites are not allowed")
        if self._token is None:
            try:
                refuse_host(headers, self._hosts)
            except Forbidden as error:
                return error
            return None
        if path in _OPEN_PATHS or self._knows_token(headers.get("authorization", "")):
            return None
        return Unauthorized("Unauthorized")

    def _knows_token(self, authorization: str) -> bool:
        scheme, _, given = authorization.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("latin-1"), self._token or b"")

    def _is_from_foreign_page(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if headers.get("sec-fetch-site", "none") in ("cross-site", "same-site"):
            return True
        return origin is not None and urlsplit(origin).netloc != headers.get("host", "")


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
