"""Logging in through a provider of identities: OpenID Connect's authorization code flow with PKCE.

Only providers that the owner configured count. Between the two halves of a login, what must not be forged (state,
nonce, the verifier of PKCE) is in the person's own browser, in a cookie that we signed, so any control process can
finish what another began. An account is the pair of issuer and subject; an e-mail address joins it to an account that
is there only when the provider verified the address and that account may not do everything.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode

from fairlead.errors import NotFound, Unauthorized
from fairlead.registry.accounts.config import AccountsConfig, Provider
from fairlead.registry.accounts.discovery import Issuer, fetch
from fairlead.registry.accounts.entering import Entered
from fairlead.registry.accounts.joining import Claims, Joining

if TYPE_CHECKING:
    import aiohttp

COOKIE = "fairlead-oidc"
STATE_S = 600.0
_ALGORITHM = "HS256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Where to send the browser, and the cookie to send with it."""

    url: str
    cookie: str


class OpenId:
    """Logins by all configured providers. Use as an async context manager: it holds the client's connections."""

    def __init__(self, config: AccountsConfig, joining: Joining, secret: bytes, clock: Callable[[], float]) -> None:
        self._providers = {provider.name: provider for provider in config.providers}
        self._joining = joining
        self._key = hmac.new(secret, b"state of a login", hashlib.sha256).digest()
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._issuers: dict[str, Issuer] = {}

    @property
    def providers(self) -> tuple[Provider, ...]:
        return tuple(self._providers.values())

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def begin(self, name: str, *, redirect_uri: str, then: str) -> Begun:
        """The first half. `then` is the path of ours to go to afterwards."""
        provider = self._provider(name)
        metadata = await self._issuer(provider).metadata()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(provider.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        kept = {
            "name": name, "state": state, "nonce": nonce, "verifier": verifier, "redirect_uri": redirect_uri,
            "then": then, "until": self._clock() + STATE_S,
        }  # fmt: skip
        import jwt

        endpoint = str(metadata["authorization_endpoint"])
        url = f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"
        return Begun(url=url, cookie=jwt.encode(kept, self._key, algorithm=_ALGORITHM))

    async def finish(self, cookie: str, query: Mapping[str, str], address: str) -> tuple[Entered, str]:
        """The second half: who it is, and where they wanted to go. Raises Unauthorized or Forbidden."""
        kept = self._kept(cookie, query)
        provider = self._provider(kept["name"])
        if query.get("iss", provider.issuer) != provider.issuer:
            raise Unauthorized("the answer is of another provider")
        if "error" in query or not query.get("code"):
            raise Unauthorized(f"{provider.title} did not log you in: {query.get('error', 'no code')[:100]}")
        issuer = self._issuer(provider)
        given = await self._exchange(provider, issuer, query["code"], kept)
        claims = await issuer.verify(str(given.get("id_token", "")), provider.client_id)
        self._check(claims, provider, kept)
        claims = {**await self._more(provider, issuer, claims, given), **claims}
        return await self._joining.enter(provider, Claims(claims), address), str(kept["then"])

    def _kept(self, cookie: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        import jwt

        try:
            kept: Mapping[str, Any] = jwt.decode(cookie, self._key, algorithms=[_ALGORITHM])
        except (jwt.InvalidTokenError, RecursionError) as error:
            raise Unauthorized("this login was not begun here: start again") from error
        if kept["until"] <= self._clock():
            raise Unauthorized("this login took too long: start again")
        if not hmac.compare_digest(query.get("state", "").encode(), str(kept["state"]).encode()):
            raise Unauthorized("this login was not begun here: start again")
        return kept

    async def _exchange(
        self, provider: Provider, issuer: Issuer, code: str, kept: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The code for tokens. The client says who it is in the way that the provider takes."""
        metadata = await issuer.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": kept["redirect_uri"],
            "code_verifier": kept["verifier"],
        }
        methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        options: dict[str, Any] = {}
        if provider.client_secret and "client_secret_basic" in methods:
            options["headers"] = {"authorization": _basic(provider)}
        elif provider.client_secret:
            form |= {"client_id": provider.client_id, "client_secret": provider.client_secret}
        else:
            form["client_id"] = provider.client_id
        status, answer = await fetch(self._http, "POST", str(metadata["token_endpoint"]), data=form, **options)
        if status != 200:
            raise Unauthorized(f"{provider.title} did not log you in: {str(answer.get('error', status))[:100]}")
        return answer

    @staticmethod
    def _check(claims: Mapping[str, Any], provider: Provider, kept: Mapping[str, Any]) -> None:
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), str(kept["nonce"]).encode()):
            raise Unauthorized("the token is of another login")
        if claims.get("azp", provider.client_id) != provider.client_id:
            raise Unauthorized("the token is for another client")
        if not claims.get("sub"):
            raise Unauthorized("the token names nobody")

    async def _more(
        self, provider: Provider, issuer: Issuer, claims: Mapping[str, Any], given: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """What the provider tells only at its userinfo endpoint, when the token lacks what we look for."""
        wanted = {provider.name_claim, "email", *([provider.groups_claim] if provider.roles else [])}
        endpoint = (await issuer.metadata()).get("userinfo_endpoint")
        if wanted <= set(claims) or not endpoint or not given.get("access_token"):
            return {}
        headers = {"authorization": f"Bearer {given['access_token']}"}
        status, more = await fetch(self._http, "GET", str(endpoint), headers=headers)
        # Answers about somebody else must not be used (section 5.3.2).
        return more if status == 200 and more.get("sub") == claims["sub"] else {}

    def _provider(self, name: str) -> Provider:
        provider = self._providers.get(name)
        if provider is None:
            raise NotFound(f"login provider {name[:63]}: record not found")
        return provider

    def _issuer(self, provider: Provider) -> Issuer:
        if provider.issuer not in self._issuers:
            self._issuers[provider.issuer] = Issuer(provider.issuer, self._http, self._clock)
        return self._issuers[provider.issuer]

    @property
    def _http(self) -> "aiohttp.ClientSession":
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession()
        return self._session


def _basic(provider: Provider) -> str:
    """RFC 6749 section 2.3.1: both are encoded as in a form before they are joined."""
    pair = f"{quote_plus(provider.client_id)}:{quote_plus(provider.client_secret)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
