"""Queries about repositories. Each function works inside the caller's transaction."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fairlead.registry.db import labels, lists
from fairlead.registry.db.batches import batches
from fairlead.registry.db.tables import repositories
from fairlead.registry.values import Kind, ListQuery, Page, Repository, Rules

_C = repositories.c


async def find(
    connection: AsyncConnection, organization: str, kind: Kind, name: str, *, is_locked: bool = False
) -> Repository | None:
    """By name; `is_locked` keeps others from changing it until the transaction ends."""
    query = sa.select(repositories).where(_C.organization == organization, _C.kind == kind, _C.name == name)
    row = (await connection.execute(query.with_for_update() if is_locked else query)).one_or_none()
    return (await _whole(connection, [row]))[0] if row is not None else None


async def get(connection: AsyncConnection, uids: Sequence[str]) -> dict[str, Repository]:
    """Those of these uids that there are."""
    rows = [
        row
        for some in batches(uids)
        for row in await connection.execute(sa.select(repositories).where(_C.uid.in_(some)))
    ]
    return {repository.uid: repository for repository in await _whole(connection, rows)}


async def all_of(connection: AsyncConnection) -> list[Repository]:
    """Every repository of every organization."""
    return await _whole(connection, list(await connection.execute(sa.select(repositories).order_by(_C.uid))))


async def insert(connection: AsyncConnection, repository: Repository) -> None:
    """Add one. Raises the driver's IntegrityError when the name is taken."""
    await connection.execute(
        repositories.insert().values(
            uid=repository.uid,
            created_at=repository.created_at,
            updated_at=repository.updated_at,
            organization=repository.organization,
            kind=repository.kind,
            name=repository.name,
            description=repository.description,
            rules=_written(repository.rules),
            creator=repository.creator or None,
            last_updater=repository.last_updater or None,
        )
    )
    await labels.put(
        connection, repository.organization, repository.kind.repository_type, repository.uid, repository.labels
    )


async def change(connection: AsyncConnection, repository: Repository) -> None:
    """Write what may change of it."""
    await connection.execute(
        repositories.update()
        .where(_C.uid == repository.uid)
        .values(
            updated_at=repository.updated_at,
            description=repository.description,
            rules=_written(repository.rules),
            last_updater=repository.last_updater or None,
        )
    )
    await labels.put(
        connection, repository.organization, repository.kind.repository_type, repository.uid, repository.labels
    )


async def touch(connection: AsyncConnection, uid: str, now: float, updater: str) -> None:
    """Note that something in it changed."""
    values = {"updated_at": now, "last_updater": updater or None}
    await connection.execute(repositories.update().where(_C.uid == uid).values(values))


async def delete(connection: AsyncConnection, repository: Repository) -> None:
    """Remove one whose versions are gone."""
    await labels.remove(connection, repository.kind.repository_type, [repository.uid])
    await connection.execute(repositories.delete().where(_C.uid == repository.uid))


async def page(connection: AsyncConnection, organization: str, kind: Kind, query: ListQuery) -> Page[Repository]:
    """Some of an organization's, the last changed first."""
    columns = lists.Columns(
        uid=_C.uid,
        resource_type=kind.repository_type,
        texts={"name": (_C.name,), "description": (_C.description,)},
        filters={},
        people={"creator": _C.creator, "last_updater": _C.last_updater},
        sorts={"updated_at": _C.updated_at, "created_at": _C.created_at},
    )
    where = [_C.organization == organization, _C.kind == kind, *lists.conditions(columns, query)]
    total = await connection.scalar(sa.select(sa.func.count()).select_from(repositories).where(*where))
    rows = sa.select(repositories).where(*where).order_by(*lists.order(columns, query))
    found = await connection.execute(rows.limit(lists.limit(query)).offset(query.start))
    items = await _whole(connection, list(found))
    return Page(start=query.start, count=query.count, total=int(total or 0), items=items)


async def _whole(connection: AsyncConnection, rows: Sequence[sa.Row[Any]]) -> list[Repository]:
    found: dict[str, Any] = {}
    for kind in {row.kind for row in rows}:
        found |= await labels.of(connection, Kind(kind).repository_type, [row.uid for row in rows if row.kind == kind])
    return [_repository(row, found.get(row.uid, ())) for row in rows]


def _repository(row: sa.Row[Any], given: tuple[Any, ...]) -> Repository:
    return Repository(
        uid=row.uid,
        created_at=row.created_at,
        updated_at=row.updated_at,
        organization=row.organization,
        kind=Kind(row.kind),
        name=row.name,
        description=row.description,
        rules=_read(row.rules),
        creator=row.creator or "",
        last_updater=row.last_updater or "",
        labels=given,
    )


def _written(rules: Rules) -> str:
    return json.dumps(
        {
            "keep_last": rules.keep_last,
            "max_age_days": rules.max_age_days,
            "keep_labelled": list(rules.keep_labelled),
            "is_immutable": rules.is_immutable,
        }
    )


def _read(text: str) -> Rules:
    values = json.loads(text)
    return Rules(**{**values, "keep_labelled": tuple(values.get("keep_labelled", ()))})
