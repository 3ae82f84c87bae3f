"""Everything about accounts over one open database, put together once."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Self

from fairlead.errors import AlreadyExists
from fairlead.registry.accounts.activity import Activity
from fairlead.registry.accounts.auditing import Auditor
from fairlead.registry.accounts.codes import Codes
from fairlead.registry.accounts.config import AccountsConfig
from fairlead.registry.accounts.entering import Entrance
from fairlead.registry.accounts.guessing import Guesses
from fairlead.registry.accounts.identifying import Identifier
from fairlead.registry.accounts.joining import Joining
from fairlead.registry.accounts.passwords import Passwords
from fairlead.registry.accounts.people import People
from fairlead.registry.accounts.sessions import Sessions
from fairlead.registry.accounts.tokens import Tokens
from fairlead.registry.db.engine import Database

if TYPE_CHECKING:
    from argon2 import PasswordHasher

    from fairlead.registry.accounts.oidc import OpenId


class Accounts:
    """One installation's accounts. Several processes may have the same."""

    def __init__(
        self, database: Database, config: AccountsConfig, secret: bytes, *, clock: Callable[[], float] = time.time,
        hasher: "PasswordHasher | None" = None,
    ) -> None:  # fmt: skip
        passwords, guesses = Passwords(hasher), Guesses(clock)
        self.clock = clock
        self.auditor = Auditor(clock)
        self.people = People(database, passwords, self.auditor, clock)
        self.tokens = Tokens(database, self.auditor, clock)
        self.sessions = Sessions(database, clock)
        self.codes = Codes(database, self.tokens, self.auditor, clock)
        self.entrance = Entrance(database, config, self.people, self.sessions, passwords, self.auditor, guesses, clock)
        joining = Joining(database, self.people, self.entrance, self.auditor, clock)
        self._make_open_id = partial(_open_id, config, joining, secret, clock)
        self.authenticator = Identifier(database, config, secret, self.people, guesses, clock)
        self.activity = Activity(database)

    @cached_property
    def open_id(self) -> "OpenId":
        """Logins through providers of identities."""
        return self._make_open_id()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, database: Database, config: AccountsConfig, secret: bytes, *, clock: Callable[[], float] = time.time,
        hasher: "PasswordHasher | None" = None,
    ) -> AsyncIterator[Self]:  # fmt: skip
        """Make what there always is (organization, cluster, first admin), unless it is there."""
        accounts = cls(database, config, secret, clock=clock, hasher=hasher)
        # Of two processes that start on an empty database, one comes second and finds it all made.
        with contextlib.suppress(AlreadyExists):
            await accounts.people.seed()
        try:
            yield accounts
        finally:
            if "open_id" in accounts.__dict__:
                await accounts.open_id.close()


def _open_id(config: AccountsConfig, joining: Joining, secret: bytes, clock: Callable[[], float]) -> "OpenId":
    # Its client and its cryptography take 0.2 s to import, which a command that makes a token need not spend.
    from fairlead.registry.accounts.oidc import OpenId

    return OpenId(config, joining, secret, clock)
