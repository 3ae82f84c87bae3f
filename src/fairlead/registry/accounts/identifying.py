"""Finding out who asks: by API token, session, a component's credential or the owner's own token.

The database is asked every time, so that what was revoked is out at once, in whichever process it was revoked.
"""

import contextlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from fairlead.errors import Forbidden, Retryable, Unauthorized
from fairlead.registry.accounts.config import AccountsConfig
from fairlead.registry.accounts.digests import digest_of
from fairlead.registry.accounts.foreign import is_from_foreign_page
from fairlead.registry.accounts.guessing import Guesses
from fairlead.registry.accounts.people import People
from fairlead.registry.accounts.sessions import COOKIE
from fairlead.registry.callers import Caller, Organization, Role
from fairlead.registry.db import Connection, people, tokens
from fairlead.registry.db.engine import Database
from fairlead.registry.db.tokens import Purpose, Token
from fairlead.registry.owning import owner_token

TOKEN_HEADER, ORGANIZATION_HEADER, VERSION_HEADER = "x-yatai-api-token", "x-yatai-organization", "x-bentoml-version"
COMPONENTS = frozenset({"yatai-image-builder", "yatai-deployment", "yatai-deployment-operator"})
_BOT = "yatai-k8s-bot"
_NOTE_USE_EVERY_S = 60.0
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


class Identifier:
    """An `Authenticator` over one database."""

    def __init__(
        self, database: Database, config: AccountsConfig, secret: bytes, everybody: People, guesses: Guesses,
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._database = database
        self._config = config
        self._people = everybody
        self._guesses = guesses
        self._clock = clock
        self._owners = [owner_token(secret), *([config.owner_token] if config.owner_token else [])]

    async def identify(
        self, headers: Mapping[str, str], cookies: Mapping[str, str], query: Mapping[str, str], address: str
    ) -> Caller:
        """See `Authenticator`. A cookie counts only on requests that no other site's page caused."""
        secret = token_in(headers)
        wanted = headers.get(ORGANIZATION_HEADER) or query.get("organization_name", "")
        if secret:
            caller = await self._bearer(secret, address, wanted)
        elif session := cookies.get(COOKIE):
            # A form that another site sends also navigates, but browsers always send its Origin.
            if is_from_foreign_page(headers, "GET"):
                raise Forbidden("requests from pages of other sites are not allowed")
            caller = await self._known(session, Purpose.SESSION, address, wanted)
        else:
            raise Unauthorized("username in cookie is empty")
        return replace(caller, client_version=_version(headers.get(VERSION_HEADER, "")))

    async def _bearer(self, secret: str, address: str, wanted: str) -> Caller:
        given = secret.encode("utf-8", "surrogateescape")
        if any(hmac.compare_digest(given, known.encode()) for known in self._owners):
            return await self._organized(await self._people.owner(address, "fairlead-owner"), wanted)
        component, _, rest = secret.partition(":")
        if rest and component in COMPONENTS:
            return await self._component(rest, address)
        return await self._known(secret, Purpose.API, address, wanted)

    async def _component(self, rest: str, address: str) -> Caller:
        """An operator elsewhere: `<component>:<cluster>:<token>`, which acts as the first admin."""
        cluster, _, given = rest.partition(":")
        wanted = self._config.component_token
        with self._guesses.counted(address=address, name="component"):
            if not wanted or not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode()):
                raise Unauthorized("the component's token is not known here")
        caller = await self._people.owner(address, _BOT)
        async with self._database.read() as connection:
            await self._people.cluster_in(connection, caller, cluster)
        return caller

    async def _known(self, secret: str, purpose: Purpose, address: str, wanted: str) -> Caller:
        now = self._clock()
        async with self._database.read() as connection:
            token = await tokens.find(connection, digest_of(secret), purpose)
            if token is None:
                what = "get api token: record not found" if purpose is Purpose.API else "the session has ended"
                raise Unauthorized(what)
            if token.is_expired(now):
                raise Unauthorized("the api token is expired" if purpose is Purpose.API else "the session has ended")
            caller = await self._caller(connection, token, address, wanted)
        await self._note_use(token, now, address)
        return caller

    async def _caller(self, connection: Connection, token: Token, address: str, wanted: str) -> Caller:
        user = await people.find_user(connection, uid=token.user)
        if user is None or user.disabled_at is not None:
            raise Unauthorized("the user of this token may not log in")
        organization = await _organization(connection, token, wanted)
        roles = await people.roles_of(connection, organization.uid, user.uid)
        if "" not in roles and not user.is_admin:
            raise Forbidden(f"user {user.name} is not a member of the organization {organization.name}")
        is_api = token.purpose is Purpose.API
        return Caller(
            user=user,
            organization=organization,
            token_name=token.name if is_api else "",
            token_expires_at=token.expires_at if is_api else None,
            scopes=token.scopes,
            namespaces=token.namespaces,
            role=Role.ADMIN if user.is_admin else roles[""],
            cluster_roles=tuple((name, role) for name, role in sorted(roles.items()) if name),
            is_superuser=user.is_admin,
            address=address,
        )

    async def _organized(self, caller: Caller, wanted: str) -> Caller:
        """Whoever may do everything, in the organization that they name."""
        if not wanted or wanted == caller.organization.name:
            return caller
        async with self._database.read() as connection:
            return replace(caller, organization=await _named(connection, wanted))

    async def _note_use(self, token: Token, now: float, address: str) -> None:
        before = now - _NOTE_USE_EVERY_S
        if token.last_used_at is not None and token.last_used_at >= before:
            return
        # A use that could not be written down is no reason to turn somebody away.
        with contextlib.suppress(Retryable):
            async with self._database.begin() as connection:
                await tokens.touch(connection, token.uid, now, address, before=before)


async def _organization(connection: Connection, token: Token, wanted: str) -> Organization:
    """A token is for one organization. A session starts in its person's first one and may name another."""
    own = await people.find_organization(connection, uid=token.organization)
    if own is None:
        raise Unauthorized("the organization of this token is gone")
    if not wanted or wanted == own.name:
        return own
    if token.purpose is Purpose.API:
        raise Forbidden(f"the api_token does not reach the organization {wanted}")
    return await _named(connection, wanted)


async def _named(connection: Connection, name: str) -> Organization:
    organization = await people.find_organization(connection, name=name)
    if organization is None:
        raise Forbidden(f"the organization {name} is not one of yours")
    return organization


def token_in(headers: Mapping[str, str]) -> str:
    """The token that a request came with: Yatai's header, else a bearer's."""
    if token := headers.get(TOKEN_HEADER, "").strip():
        return token
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""


def _version(text: str) -> tuple[int, int, int] | None:
    found = _VERSION.match(text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None
