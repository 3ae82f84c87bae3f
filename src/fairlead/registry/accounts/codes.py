"""Logging a terminal in through a browser: the terminal gets a code, a person who is signed in approves it, and the
terminal, which has been asking, is given a new token once."""

from collections.abc import Callable
from dataclasses import replace

from fairlead.errors import BadRequest, Forbidden, NotFound
from fairlead.registry.accounts.auditing import Auditor
from fairlead.registry.accounts.digests import digest_of, new_secret
from fairlead.registry.accounts.tokens import NewToken, Tokens
from fairlead.registry.callers import Caller
from fairlead.registry.db import people, tokens
from fairlead.registry.db.engine import Database
from fairlead.registry.uids import new_uid

LIFETIME_S = 600.0


class Codes:
    """A code is a secret too: whoever has it once it is approved gets the token."""

    def __init__(self, database: Database, made: Tokens, auditor: Auditor, clock: Callable[[], float]) -> None:
        self._database = database
        self._tokens = made
        self._auditor = auditor
        self._clock = clock

    async def issue(self) -> str:
        """A code that waits ten minutes for somebody to approve it."""
        code, now = new_secret(), self._clock()
        async with self._database.begin() as connection:
            await tokens.insert_code(connection, digest_of(code), now, now + LIFETIME_S)
        return code

    async def approve(self, caller: Caller, code: str) -> None:
        """Let whoever waits with the code have a token of the caller's. Only people approve, not tokens."""
        if caller.token_name:
            raise Forbidden("a login is approved in a browser, by a person who is signed in")
        async with self._database.begin() as connection:
            given = await tokens.approve_code(
                connection, digest_of(code), caller.user.uid, caller.organization.uid, self._clock()
            )
            if not given:
                raise BadRequest("this code is not waiting any more: start the login again")
            await self._auditor.record(
                connection, caller, "login_approved", "user", uid=caller.user.uid, name=caller.user.name
            )

    async def redeem(self, code: str, address: str) -> str:
        """The token, once. Raises NotFound until the code is approved."""
        digest = digest_of(code)
        async with self._database.read() as connection:
            found = await tokens.find_code(connection, digest)
        if found is None or not found.user or found.expires_at <= self._clock():
            raise NotFound("code: record not found")
        async with self._database.begin() as connection:
            user = await people.find_user(connection, uid=found.user)
            organization = await people.find_organization(connection, uid=found.organization)
            taken = await tokens.take_code(connection, digest)
            if not taken or user is None or user.disabled_at is not None or organization is None:
                raise NotFound("code: record not found")
            secret = new_secret()
            caller = Caller(user=user, organization=organization, address=address)
            new = NewToken(name=f"login-{new_uid(self._clock)[-8:]}", description=f"bentoml cloud login from {address}")
            await self._tokens.add(connection, replace(caller, token_name=new.name), user, new, secret)
        return secret
