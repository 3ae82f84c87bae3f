"""Queries about aliases: names that point at a version of their repository."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fairlead.registry.db.tables import aliases, versions
from fairlead.registry.values import Alias


async def target(connection: AsyncConnection, repository: str, name: str) -> str:
    """The uid of the version that it points at; empty for no such alias."""
    query = sa.select(aliases.c.version).where(aliases.c.repository == repository, aliases.c.name == name)
    return str(await connection.scalar(query) or "")


async def of_repositories(connection: AsyncConnection, repositories: Sequence[str]) -> dict[str, list[Alias]]:
    """All aliases of these repositories, in order of their names."""
    query = (
        sa.select(aliases, versions.c.version.label("points_at"))
        .join(versions, versions.c.uid == aliases.c.version)
        .where(aliases.c.repository.in_(repositories))
        .order_by(aliases.c.name)
    )
    found: dict[str, list[Alias]] = {}
    for row in await connection.execute(query):
        alias = Alias(name=row.name, version=row.points_at, updated_at=row.updated_at, creator=row.creator or "")
        found.setdefault(row.repository, []).append(alias)
    return found


async def put(connection: AsyncConnection, repository: str, name: str, version: str, now: float, creator: str) -> None:
    """Make it, or move it."""
    values = {"version": version, "updated_at": now, "creator": creator or None}
    mine = (aliases.c.repository == repository) & (aliases.c.name == name)
    moved = await connection.execute(aliases.update().where(mine).values(values))
    if not moved.rowcount:
        await connection.execute(aliases.insert().values(repository=repository, name=name, **values))


async def remove(connection: AsyncConnection, repository: str, name: str) -> bool:
    """Whether there was one."""
    mine = (aliases.c.repository == repository) & (aliases.c.name == name)
    return bool((await connection.execute(aliases.delete().where(mine))).rowcount)
