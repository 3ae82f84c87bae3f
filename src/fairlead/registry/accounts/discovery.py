"""What an issuer of tokens says about itself: where its endpoints are, and its public keys (OpenID Connect Discovery).

Answers are kept for a while, so a busy server asks seldom, and a token that names an unknown key makes us ask again,
but not for every such token.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from fairlead.errors import Unauthorized
from fairlead.protocols import jwts

if TYPE_CHECKING:
    import aiohttp
    from jwt import PyJWK

_METADATA_S, _KEYS_S, _ASK_AGAIN_S = 3600.0, 600.0, 60.0
_TIMEOUT_S = 10.0
_LONGEST = 1024 * 1024


class Unreachable(Unauthorized):
    """The provider of identities does not answer as it should, so nobody can come in through it."""

    http, reason = 502, "BadGateway"


async def fetch(
    session: "aiohttp.ClientSession", method: str, url: str, **options: Any
) -> tuple[int, Mapping[str, Any]]:
    """One JSON object, bounded in size and time, following no redirects."""
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    try:
        async with session.request(method, url, timeout=timeout, allow_redirects=False, **options) as response:
            body = await response.content.read(_LONGEST)
            document = orjson.loads(body)
            status = response.status
    except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
        raise Unreachable(f"{url}: does not answer: {type(error).__name__}") from error
    if not isinstance(document, dict):
        raise Unreachable(f"{url}: does not answer with a JSON object")
    return status, document


class Issuer:
    """One issuer, asked when needed."""

    def __init__(self, url: str, session: "aiohttp.ClientSession", clock: Callable[[], float]) -> None:
        self.url = url
        self._session = session
        self._clock = clock
        self._lock = asyncio.Lock()
        self._metadata: Mapping[str, Any] = {}
        self._metadata_until = 0.0
        self._keys: tuple[PyJWK, ...] = ()
        self._jwks: Mapping[str, Any] = {}
        self._keys_at = -_KEYS_S

    async def metadata(self) -> Mapping[str, Any]:
        """Its discovery document. It must be about the very issuer that was asked (section 4.3)."""
        if self._clock() >= self._metadata_until:
            where = f"{self.url.rstrip('/')}/.well-known/openid-configuration"
            status, document = await fetch(self._session, "GET", where)
            if status != 200 or document.get("issuer") != self.url:
                raise Unreachable(f"{where}: is not about the issuer {self.url}")
            self._metadata, self._metadata_until = document, self._clock() + _METADATA_S
        return self._metadata

    async def jwks(self, older_than_s: float = _KEYS_S) -> Mapping[str, Any]:
        """Its JWK Set as it stood so long ago at most."""
        await self._refresh(older_than_s)
        return self._jwks

    async def verify(self, token: str, audience: str) -> Mapping[str, Any]:
        """The claims of a token that it signed for an audience. Raises Unauthorized."""
        await self._refresh(_KEYS_S)
        try:
            return jwts.verify(token, self._keys, issuer=self.url, audience=audience, now=self._clock())
        except jwts.UnknownKey:
            await self._refresh(_ASK_AGAIN_S)
        return jwts.verify(token, self._keys, issuer=self.url, audience=audience, now=self._clock())

    async def _refresh(self, older_than_s: float) -> None:
        async with self._lock:
            if self._clock() - self._keys_at < older_than_s:
                return
            where = str((await self.metadata()).get("jwks_uri", ""))
            status, document = await fetch(self._session, "GET", where)
            if status != 200:
                raise Unreachable(f"{where}: answers {status}")
            self._jwks, self._keys, self._keys_at = document, jwts.read_keys(document), self._clock()
