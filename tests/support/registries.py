"""Registries for tests: opened over any database and store, with a caller who may do everything."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from fairlead.registry.callers import Caller, Organization, Role, User
from fairlead.registry.db import people
from fairlead.registry.service import Registry, RegistryConfig
from fairlead.registry.uids import new_uid


class Clock:
    """A clock that stands still until somebody moves it."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


def config(folder: Path, *, database: str = "", store: str = "") -> RegistryConfig:
    """A registry below `folder`, unless another database or store is named."""
    return RegistryConfig.of_home(folder / "registry", database=database, store=store)


async def add_caller(registry: Registry, name: str = "ada", *, organization: Organization | None = None) -> Caller:
    """An admin of an organization, a new one unless it is given."""
    now = registry.clock()
    user = User(uid=new_uid(), name=name, email=f"{name}@example.com", created_at=now, updated_at=now)
    home = organization or Organization(uid=new_uid(), name=f"{name}-labs", created_at=now, updated_at=now)
    async with registry.database.begin() as connection:
        await people.insert_user(connection, user)
        if organization is None:
            await people.insert_organization(connection, replace(home, creator=user.uid))
    return Caller(user=user, organization=home, role=Role.ADMIN)


@asynccontextmanager
async def opened(
    given: RegistryConfig, clock: Callable[[], float] | None = None
) -> AsyncIterator[tuple[Registry, Caller]]:
    """An open registry and somebody who may do everything in it."""
    async with Registry.open(given, clock=clock or Clock()) as registry:
        yield registry, await add_caller(registry)
