"""Accounts over a small database of their own, with a clock that stands still until it is moved."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher

from fairlead.registry.accounts.config import AccountsConfig
from fairlead.registry.accounts.people import NewUser
from fairlead.registry.accounts.service import Accounts
from fairlead.registry.accounts.tokens import NewToken
from fairlead.registry.callers import ALL_SCOPES, Caller, Role
from fairlead.registry.db.engine import Database

SECRET = b"0123456789abcdef0123456789abcdef"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Scene:
    """Accounts, their clock and database, and short ways to people and tokens."""

    accounts: Accounts
    database: Database
    clock: Clock
    path: Path

    async def owner(self) -> Caller:
        return await self.accounts.people.owner()

    async def person(self, name: str, role: Role = Role.DEVELOPER, *, is_admin: bool = False) -> None:
        new = NewUser(
            name=name, email=f"{name}@example.com", password=PASSWORD, role=role, cluster_role=role, is_admin=is_admin
        )
        await self.accounts.people.create(await self.owner(), new)

    async def token(
        self, user: str, *, scopes: tuple[str, ...] = (ALL_SCOPES,), namespaces: tuple[str, ...] = (),
        name: str = "laptop", lasts_s: float | None = None,
    ) -> str:  # fmt: skip
        expires = None if lasts_s is None else self.clock.now + lasts_s
        new = NewToken(name=name, scopes=scopes, namespaces=namespaces, expires_at=expires)
        return (await self.accounts.tokens.create(await self.owner(), new, user=user))[1]

    async def caller(self, token: str, **headers: str) -> Caller:
        given = {"x-yatai-api-token": token, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return await self.accounts.authenticator.identify(given, {}, {}, "192.0.2.1")


@asynccontextmanager
async def accounts_at(
    folder: Path, config: AccountsConfig | None = None, *, clock: Clock | None = None
) -> AsyncIterator[Scene]:
    """Open accounts in a folder, over a database whose tables are there already: making them is not what tests of
    accounts are about, and takes most of a second."""
    path = folder / "registry.db"
    if not path.exists():
        shutil.copy(await asyncio.to_thread(empty_database), path)
    database = await Database.open(f"sqlite:///{path}")
    clock = clock or Clock()
    try:
        async with Accounts.open(database, config or AccountsConfig(), SECRET, clock=clock, hasher=CHEAP) as accounts:
            yield Scene(accounts=accounts, database=database, clock=clock, path=path)
    finally:
        await database.close()


@cache
def empty_database() -> Path:
    """A database with its tables, to be copied."""
    path = Path(tempfile.mkdtemp(prefix="fairlead-accounts-")) / "empty.db"

    async def make() -> None:
        await (await Database.open(f"sqlite:///{path}")).close()

    asyncio.run(make())
    return path
