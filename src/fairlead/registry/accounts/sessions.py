"""Sessions of people in a browser: an opaque secret in a cookie, and its digest here. Logging out ends it here."""

from collections.abc import Callable

from fairlead.registry.accounts.digests import digest_of, new_secret
from fairlead.registry.callers import ALL_SCOPES, Organization, User
from fairlead.registry.db import Connection, tokens
from fairlead.registry.db.engine import Database
from fairlead.registry.db.tokens import Purpose, Token
from fairlead.registry.uids import new_uid

COOKIE = "yatai-session-v2"
LIFETIME_S = 30 * 24 * 3600


class Sessions:
    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def start(self, connection: Connection, user: User, organization: Organization, address: str) -> str:
        """A new session's secret. Old ones that have run out go, so they do not gather."""
        now, uid, secret = self._clock(), new_uid(self._clock), new_secret()
        await tokens.delete_expired_sessions(connection, now)
        session = Token(
            uid=uid, created_at=now, updated_at=now, organization=organization.uid, user=user.uid,
            purpose=Purpose.SESSION, name=uid, scopes=(ALL_SCOPES,), last_used_from=address,
            expires_at=now + LIFETIME_S,
        )  # fmt: skip
        await tokens.insert(connection, session, digest_of(secret))
        return secret

    async def end(self, secret: str) -> None:
        """Log out; a session that is not there is fine."""
        async with self._database.begin() as connection:
            session = await tokens.find(connection, digest_of(secret), Purpose.SESSION)
            if session is not None:
                await tokens.delete(connection, session.uid)
